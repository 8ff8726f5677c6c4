//! PSCI calls with raw registers. The function IDs are those of the `smccc` crate.

use crate::arch::{cpu, entry, smc};
use crate::framework::regs::Regs;
pub use smccc::psci::error::*;
pub use smccc::psci::*;

/// Calls `function`. Returns the status in w0.
pub fn call(function: u32, arguments: &[u64]) -> i32 {
    call_raw(function, arguments).function() as i32
}

/// Calls `function`. Returns x0-x17.
pub fn call_raw(function: u32, arguments: &[u64]) -> Regs {
    smc::call(super::ffa::request(function, arguments))
}

/// Calls CPU_ON (64-bit) for core `number`, with the hypervisor's entry point. Returns the status.
pub fn cpu_on(number: usize, context: u64) -> i32 {
    call(
        PSCI_CPU_ON_64,
        &[cpu::mpidr_of(number), entry::secondary_entry(), context],
    )
}

/// Calls AFFINITY_INFO for core `number` at level 0. Returns the status.
pub fn affinity_info(number: usize) -> i32 {
    call(PSCI_AFFINITY_INFO_64, &[cpu::mpidr_of(number), 0])
}

/// Turns the machine off.
pub fn system_off() -> ! {
    call(PSCI_SYSTEM_OFF, &[]);
    cpu::halt()
}
