//! The EL1 and EL0 registers of every CPU, and the bank that an SPMC at S-EL1 shares with the kernel.
//!
//! Some registers are left out (docs/context.md has the whole table). Only the secure world has CNTPS_*, only the
//! normal world LOR*. CNTP_* and CNTV_* keep running for the normal world: [`super::timers`].

use super::registers::{bank, registers};
use super::{CommonBank, SysRegs};
use crate::cpu_ext::list::every_extension;
use core::mem::offset_of;

registers! {
    /// The registers that every CPU has.
    pub struct El1 in El1Bank.el1 {
        sctlr_el1 = "SCTLR_EL1",
        cpacr_el1 = "CPACR_EL1",
        ttbr0_el1 = "TTBR0_EL1",
        ttbr1_el1 = "TTBR1_EL1",
        tcr_el1 = "TCR_EL1",
        mair_el1 = "MAIR_EL1",
        contextidr_el1 = "CONTEXTIDR_EL1",
        vbar_el1 = "VBAR_EL1",
        tpidr_el1 = "TPIDR_EL1",
        tpidr_el0 = "TPIDR_EL0",
        tpidrro_el0 = "TPIDRRO_EL0",
        sp_el1 = "SP_EL1",
        sp_el0 = "SP_EL0",
        elr_el1 = "ELR_EL1",
        spsr_el1 = "SPSR_EL1",
        esr_el1 = "ESR_EL1",
        far_el1 = "FAR_EL1",
        par_el1 = "PAR_EL1",
        csselr_el1 = "CSSELR_EL1",
        mdscr_el1 = "MDSCR_EL1",
        mdccint_el1 = "MDCCINT_EL1",
        cntkctl_el1 = "CNTKCTL_EL1",
    }
}

/// Where the pointer of the common bank's code points, from the start of the EL1 bank: both are switched together, and
/// so one pointer serves both.
const COMMON: usize = CommonBank::AROUND + offset_of!(SysRegs, common) - offset_of!(SysRegs, el1);

every_extension! {
    bank! (
        /// The registers that are switched if the SPMC runs at S-EL1.
        pub struct El1Bank: El1, around [COMMON] {
            base { el1: El1 }
            kept { }
        }
    )
}
