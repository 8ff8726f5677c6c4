//! AArch32 at EL1: the registers by which an AArch64 EL2 accesses the state of an AArch32 kernel.
//!
//! An SPMC at S-EL1 cannot access any of them, so they are shared only with an SPMC at S-EL2. The saved program
//! status registers belong to EL1, like SPSR_EL1, and are in that bank.

use crate::field;

extension! {
    /// ID_AA64PFR0_EL1.EL1 = 2: both Execution states. If FP is trapped, so is FPEXC32_EL2, for EL3 too. So FP is
    /// never trapped if this bank is switched.
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
    /// An AArch32 kernel's saved program status registers. EL2 can access them even on a CPU without AArch32. The
    /// architecture has them RES0 there, but some models of CPUs do not. So the SPMC's mode decides
    /// ([`crate::Policy::new`]) and not the CPU: they are switched for an SPMC at S-EL2 that relies on EL3
    /// for EL1's state.
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
