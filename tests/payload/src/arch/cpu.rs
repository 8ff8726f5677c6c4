//! Which core this is, at which exception level, and how it waits.
//!
//! Cores are numbered as QEMU virt with a GICv3 numbers them: 16 to a cluster,
//! so number = Aff1 * 16 + Aff0.

use super::MAX_CORES;
use crate::mrs;

/// This core's number, below [`MAX_CORES`].
pub fn number() -> usize {
    number_of(mrs!("mpidr_el1"))
}

/// The number of the core with this affinity (an MPIDR or PSCI target).
pub fn number_of(mpidr: u64) -> usize {
    (((mpidr >> 8) & 0xff) * 16 + (mpidr & 0xff)) as usize % MAX_CORES
}

/// The affinity of core `number`, as PSCI takes it.
pub const fn mpidr_of(number: usize) -> u64 {
    (((number / 16) << 8) | (number % 16)) as u64
}

/// The exception level the payload runs at: 1 or 2.
pub fn el() -> u64 {
    (mrs!("CurrentEL") >> 2) & 3
}

/// Waits for an event; comes back for any reason.
pub fn wait_for_event() {
    // SAFETY: a hint.
    unsafe { core::arch::asm!("wfe", options(nomem, nostack, preserves_flags)) }
}

/// Wakes every core that waits for an event, after all stores before it.
pub fn send_event() {
    // SAFETY: a barrier and a hint.
    unsafe { core::arch::asm!("dsb sy", "sev", options(nostack, preserves_flags)) }
}

/// Stops this core for good.
pub fn halt() -> ! {
    crate::daif!(set "0xf");
    loop {
        wait_for_event();
    }
}

/// Masks or unmasks exceptions (DAIF bits of `msr daifset/daifclr`).
#[macro_export]
macro_rules! daif {
    (set $bits:literal) => {
        // SAFETY: masking exceptions changes no memory.
        unsafe {
            core::arch::asm!(
                concat!("msr daifset, #", $bits),
                options(nostack, preserves_flags)
            )
        }
    };
    (clear $bits:literal) => {
        // SAFETY: the vectors are installed before the first Rust code runs.
        unsafe {
            core::arch::asm!(
                concat!("msr daifclr, #", $bits),
                options(nostack, preserves_flags)
            )
        }
    };
}
