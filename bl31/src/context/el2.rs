//! The EL2 registers of every CPU with EL2, and the bank that an SPMC at S-EL2 shares with the
//! hypervisor.
//!
//! Not here, and why (docs/context.md has the whole table): VSTTBR_EL2, VSTCR_EL2, SDER32_EL2,
//! CNTHPS_* and CNTHVS_* exist in the secure state only. CNTHP_* and CNTHV_* are the hypervisor's
//! alone and keep running: [`super::timers`].

use super::registers::{bank, registers};
use crate::cpu_ext::{
    aarch32::AArch32,
    aie::AieEl2,
    amu::Hafgrtr,
    csv2::Csv2El2,
    ecv::Ecv,
    fgt::{Fgt, Fgt2},
    gcs::GcsEl2,
    gic::{Gic, IchApr1, IchApr2To3, IchLr0To3, IchLr4To7, IchLr8To11, IchLr12To15},
    hcx::Hcx,
    impdef::ImpDefEl2,
    mte::MteEl2,
    nv2::Nv2,
    pfar::PfarEl2,
    pie::{S1PieEl2, S1PoeEl2, S2Pie},
    ras::RasEl2,
    sctlr2::Sctlr2El2,
    sme::SmeEl2,
    sve::SveEl2,
    tcr2::Tcr2El2,
    trf::TrfEl2,
    vhe::Vhe,
};

registers! {
    /// What every CPU with EL2 has.
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

bank! {
    /// What is switched where the SPMC runs at S-EL2.
    pub struct El2Bank {
        always { el2: El2 }
        when {
            GIC => gic: Gic,
            ICH_LR0_3 => lr0_3: IchLr0To3,
            AA32_EL1 => aarch32: AArch32,
            VHE => vhe: Vhe,
            RAS => ras: RasEl2,
            FGT => fgt: Fgt,
            HCX => hcx: Hcx,
            ECV => ecv: Ecv,
            NV2 => nv2: Nv2,
            CSV2_2 => csv2: Csv2El2,
        }
        apart {
            SVE => sve: SveEl2,
            SME => sme: SmeEl2,
        }
        late(LATE_EL2) {
            ICH_LR4_7 => lr4_7: IchLr4To7,
            ICH_LR8_11 => lr8_11: IchLr8To11,
            ICH_LR12_15 => lr12_15: IchLr12To15,
            ICH_APR1 => apr1: IchApr1,
            ICH_APR2_3 => apr2_3: IchApr2To3,
            IMPDEF_EL2 => impdef: ImpDefEl2,
            MTE => mte: MteEl2,
            TRF => trf: TrfEl2,
            HAFGRTR => hafgrtr: Hafgrtr,
            FGT2 => fgt2: Fgt2,
            TCR2 => tcr2: Tcr2El2,
            S1PIE => s1pie: S1PieEl2,
            S1POE => s1poe: S1PoeEl2,
            S2PIE => s2pie: S2Pie,
            SCTLR2 => sctlr2: Sctlr2El2,
            GCS => gcs: GcsEl2,
            AIE => aie: AieEl2,
            PFAR => pfar: PfarEl2,
        }
    }
}
