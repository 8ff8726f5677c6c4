//! PSCI as raw registers; the numbers are the `smccc` crate's.

use crate::arch::{cpu, entry, smc};
use crate::framework::regs::Regs;
pub use smccc::psci::error::*;
pub use smccc::psci::*;

/// Calls `function`; the status in w0.
pub fn call(function: u32, arguments: &[u64]) -> i32 {
    call_raw(function, arguments).function() as i32
}

/// Calls `function`; all of x0-x17.
pub fn call_raw(function: u32, arguments: &[u64]) -> Regs {
    smc::call(super::ffa::request(function, arguments))
}

/// CPU_ON (64-bit) of core `number` at the hypervisor's entry point.
pub fn cpu_on(number: usize, context: u64) -> i32 {
    call(
        PSCI_CPU_ON_64,
        &[cpu::mpidr_of(number), entry::secondary_entry(), context],
    )
}

/// AFFINITY_INFO of core `number`, level 0.
pub fn affinity_info(number: usize) -> i32 {
    call(PSCI_AFFINITY_INFO_64, &[cpu::mpidr_of(number), 0])
}

/// Turns the machine off.
pub fn system_off() -> ! {
    call(PSCI_SYSTEM_OFF, &[]);
    cpu::halt()
}
