//! The core that runs the code: its number, its exception level, waiting and stopping.
//!
//! Cores are numbered cluster by cluster. If MPIDR_EL1.MT is set, Aff0 is a thread and Aff1 is the core's
//! number in its cluster.

use super::MAX_CORES;
use crate::machine;
use crate::mrs;

/// Returns this core's number, which is below [`MAX_CORES`].
pub fn number() -> usize {
    number_of(mrs!("mpidr_el1"))
}

/// Returns the number of bits by which the core's affinity fields are shifted because of threads.
fn thread_shift() -> u32 {
    const MT: u64 = 1 << 24;
    if mrs!("mpidr_el1") & MT != 0 { 8 } else { 0 }
}

/// Returns the number of the core with this affinity (an MPIDR or a PSCI target).
pub fn number_of(mpidr: u64) -> usize {
    let core = (mpidr & 0xff_ffff) >> thread_shift();
    (((core >> 8 & 0xff) << machine::HERE.cluster_shift) + (core & 0xff)) as usize % MAX_CORES
}

/// Returns the affinity of core `number` in PSCI's form.
pub fn mpidr_of(number: usize) -> u64 {
    let (cluster, core) = (
        number >> machine::HERE.cluster_shift,
        number & ((1 << machine::HERE.cluster_shift) - 1),
    );
    ((cluster << 8 | core) as u64) << thread_shift()
}

/// Returns the exception level at which the payload runs: 1 or 2.
pub fn el() -> u64 {
    (mrs!("CurrentEL") >> 2) & 3
}

/// Waits for an event. It can return without one.
pub fn wait_for_event() {
    // SAFETY: a hint.
    unsafe { core::arch::asm!("wfe", options(nomem, nostack, preserves_flags)) }
}

/// Wakes every core that waits for an event, after all earlier stores are done.
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
