//! The hardware of the payloads: entry, exceptions, system registers, GICv3, timers, SMC.
//!
//! The payloads run at NS-EL2, S-EL2 or S-EL1. Code that depends on the exception level asks [`cpu::el`].

pub mod cpu;
pub mod entry;
pub mod event;
pub mod exceptions;
pub mod gic;
pub mod smc;
pub mod timer;

/// The largest number of cores for which the payloads have stacks.
pub const MAX_CORES: usize = 32;

/// Reads a system register by its name or `S<op0>_…` encoding.
#[macro_export]
macro_rules! mrs {
    ($name:literal) => {{
        // QEMU has some registers as no-ops, which leave the destination alone.
        let mut value = 0_u64;
        // SAFETY: reading a system register has no effect on memory; a register that is not
        // there raises an exception that the vectors report.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $name), inout(reg) value, options(nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register by its name or `S<op0>_…` encoding, then synchronises.
///
/// The payload's own memory map is never changed this way while the MMU is on.
#[macro_export]
macro_rules! msr {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: callers only write registers that do not affect the payload's own translation
        // of memory; a register that is not there raises an exception that the vectors report.
        unsafe {
            core::arch::asm!(concat!("msr ", $name, ", {}"), "isb", in(reg) value, options(nostack, preserves_flags));
        }
    }};
}
