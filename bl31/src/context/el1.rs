//! The EL1 and EL0 registers of every CPU, the bank that an SPMC at S-EL1 shares with the kernel, and
//! the few registers that are switched for every SPMC.
//!
//! Not here, and why (docs/context.md has the whole table): CNTPS_* is secure, LOR* non-secure only.
//! CNTP_* and CNTV_* keep running for the normal world: [`super::timers`].

use super::registers::{bank, registers};
use super::timers::{HypTimer, HypVirtualTimer, KernelTimers};
use crate::cpu_ext::{
    aarch32::AArch32El1,
    aie::AieEl1,
    csv2::Csv2El1,
    gcs::GcsEl1,
    gic::Pmr,
    impdef::ImpDefEl1,
    ls64::Accdata,
    mte::MteEl1,
    pauth::PAuth,
    pfar::PfarEl1,
    pie::{S1PieEl1, S1PoeEl1, S2PoeEl1},
    ras::{Disr, RasRecords},
    sctlr2::Sctlr2El1,
    sme::{SmeEl1, Tpidr2},
    step2::Step2,
    sve::SveEl1,
    tcr2::Tcr2El1,
    the::The,
    trf::TrfEl1,
};

registers! {
    /// What every CPU has.
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

bank! {
    /// What is switched where the SPMC runs at S-EL1.
    pub struct El1Bank {
        always { el1: El1 }
        when {
            CSV2_2 => csv2: Csv2El1,
        }
        apart {
            SVE => sve: SveEl1,
            SME => sme: SmeEl1,
        }
        late(LATE_EL1) {
            IMPDEF_EL1 => impdef: ImpDefEl1,
            RAS_RECORDS => ras: RasRecords,
            SPSR_AA32 => aarch32: AArch32El1,
            MTE => mte: MteEl1,
            TRF => trf: TrfEl1,
            TCR2 => tcr2: Tcr2El1,
            S1PIE => s1pie: S1PieEl1,
            S1POE => s1poe: S1PoeEl1,
            S2POE => s2poe: S2PoeEl1,
            SCTLR2 => sctlr2: Sctlr2El1,
            GCS => gcs: GcsEl1,
            THE => the: The,
            AIE => aie: AieEl1,
            PFAR => pfar: PfarEl1,
            LS64_ACCDATA => ls64: Accdata,
            STEP2 => step2: Step2,
        }
    }
}

bank! {
    /// What is switched for every SPMC: no SPMC can save these for itself, because the hardware or
    /// the firmware around it uses them before it has run an instruction, or because those that
    /// exist rely on EL3 for them.
    pub struct CommonBank {
        always { }
        when {
            GIC => pmr: Pmr,
            RAS => disr: Disr,
            PAUTH => pauth: PAuth,
            TPIDR2 => tpidr2: Tpidr2,
        }
        apart {
            EL2 => hyp_timer: HypTimer,
            VHE => hyp_virtual_timer: HypVirtualTimer,
            NONE => kernel_timers: KernelTimers,
        }
    }
}
