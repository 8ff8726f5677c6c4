//! The EL2 registers of every CPU with EL2, and the bank that an SPMC at S-EL2 shares with the
//! hypervisor.
//!
//! Some registers are left out (docs/context.md has the whole table). VSTTBR_EL2, VSTCR_EL2, SDER32_EL2,
//! CNTHPS_* and CNTHVS_* exist in the Secure state only. CNTHP_* and CNTHV_* belong to the hypervisor
//! alone and keep running: [`super::timers`].

use super::registers::{bank, registers};
use crate::cpu_ext::list::every_extension;

registers! {
    /// The registers that every CPU with EL2 has.
    pub struct El2 in El2Bank.el2 {
        hcr_el2 = "HCR_EL2",
        sctlr_el2 = "SCTLR_EL2",
        cptr_el2 = "CPTR_EL2",
        mdcr_el2 = "MDCR_EL2",
        tcr_el2 = "TCR_EL2",
        ttbr0_el2 = "TTBR0_EL2",
        mair_el2 = "MAIR_EL2",
        vtcr_el2 = "VTCR_EL2",
        vttbr_el2 = "VTTBR_EL2",
        vbar_el2 = "VBAR_EL2",
        tpidr_el2 = "TPIDR_EL2",
        sp_el2 = "SP_EL2",
        elr_el2 = "ELR_EL2",
        spsr_el2 = "SPSR_EL2",
        esr_el2 = "ESR_EL2",
        far_el2 = "FAR_EL2",
        hpfar_el2 = "HPFAR_EL2",
        hstr_el2 = "HSTR_EL2",
        vpidr_el2 = "VPIDR_EL2",
        vmpidr_el2 = "VMPIDR_EL2",
        cnthctl_el2 = "CNTHCTL_EL2",
        cntvoff_el2 = "CNTVOFF_EL2",
    }
}

every_extension! {
    bank! (
        /// The registers that are switched if the SPMC runs at S-EL2.
        pub struct El2Bank: El2, around [super::registers::BELOW] {
            base { el2: El2 }
            kept { }
        }
    )
}
