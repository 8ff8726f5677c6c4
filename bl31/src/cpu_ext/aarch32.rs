//! AArch32 at EL1: registers through which an AArch64 EL2 sees an AArch32 kernel's state.
//!
//! An SPMC at S-EL1 cannot touch any of them, so only one at S-EL2 shares them. The saved program
//! status registers are EL1's like SPSR_EL1, and go with that bank.

use crate::context::field;

extension! {
    /// ID_AA64PFR0_EL1.EL1 = 2: both Execution states. FPEXC32_EL2 is trapped where FP is, for EL3
    /// too: where this bank is switched, FP is never trapped.
    pub AA32_EL1 = "AA32EL1";
    present: |id| id.el2() && field(id.pfr0, 4) == 2;
    opens: [];
    el2: AArch32 {
        dacr32_el2 = "DACR32_EL2",
        ifsr32_el2 = "IFSR32_EL2",
        dbgvcr32_el2 = "DBGVCR32_EL2",
        fpexc32_el2 = "FPEXC32_EL2",
    }
}

extension! {
    /// An AArch32 kernel's saved program status registers. EL2 can reach them on a CPU without AArch32
    /// too, where they are RES0 by the architecture, but not on all models of CPUs. Not the CPU decides
    /// it but the mode ([`crate::context::Policy::new`]): they are switched for an SPMC at S-EL2 that
    /// relies on EL3 for EL1's state.
    pub SPSR_AA32 = "";
    present: |_| false;
    opens: [];
    found: rarely;
    el1: AArch32El1 {
        spsr_abt = "SPSR_ABT",
        spsr_und = "SPSR_UND",
        spsr_irq = "SPSR_IRQ",
        spsr_fiq = "SPSR_FIQ",
    }
}
