//! AArch32 at EL1: registers through which an AArch64 EL2 sees an AArch32 kernel's state.
//!
//! They are EL2's (S-EL1 cannot touch them), so only an SPMC at S-EL2 shares them. FPEXC32_EL2 is
//! floating-point state and goes with that.

use super::Extension;
use crate::context::{Feature, field, registers::registers};

registers! {
    /// An AArch32 kernel's state as EL2 sees it.
    pub struct AArch32 in El2Bank.aarch32 {
        dacr32_el2 = "DACR32_EL2",
        ifsr32_el2 = "IFSR32_EL2",
        dbgvcr32_el2 = "DBGVCR32_EL2",
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
