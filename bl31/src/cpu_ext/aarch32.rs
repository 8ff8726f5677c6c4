//! AArch32 at EL1: registers through which an AArch64 EL2 sees an AArch32 kernel's state.
//!
//! An SPMC at S-EL1 cannot touch any of them, so only one at S-EL2 shares them. The saved program
//! status registers are EL1's like SPSR_EL1, and go with that bank.

use super::Extension;
use crate::context::{Feature, field, registers::registers};

registers! {
    /// An AArch32 kernel's state as EL2 sees it. FPEXC32_EL2 is trapped where FP is, for EL3 too:
    /// where this bank is switched, FP is never trapped.
    pub struct AArch32 in El2Bank.aarch32 {
        dacr32_el2 = "DACR32_EL2",
        ifsr32_el2 = "IFSR32_EL2",
        dbgvcr32_el2 = "DBGVCR32_EL2",
        fpexc32_el2 = "FPEXC32_EL2",
    }
}

registers! {
    /// Its saved program status registers. EL2 can reach them on a CPU without AArch32 too, where
    /// they are RES0 by the architecture, but not on all models of CPUs.
    pub struct AArch32El1 in El1Bank.aarch32 {
        spsr_abt = "SPSR_ABT",
        spsr_und = "SPSR_UND",
        spsr_irq = "SPSR_IRQ",
        spsr_fiq = "SPSR_FIQ",
    }
}

/// ID_AA64PFR0_EL1.EL1 = 2: both Execution states.
pub const AA32: Extension = Extension::new(Feature::AA32_EL1, "AA32EL1", |id| {
    id.el2() && field(id.pfr0, 4) == 2
});
