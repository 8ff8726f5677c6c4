//! FEAT_FGT and FEAT_FGT2: fine-grained traps from EL1 to EL2.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// FEAT_FGT. HAFGRTR_EL2 needs FEAT_AMUv1 too: see [`super::amu`].
    pub struct Fgt in El2Bank.fgt {
        hfgrtr_el2 = "S3_4_C1_C1_4",
        hfgwtr_el2 = "S3_4_C1_C1_5",
        hfgitr_el2 = "S3_4_C1_C1_6",
        hdfgrtr_el2 = "S3_4_C3_C1_4",
        hdfgwtr_el2 = "S3_4_C3_C1_5",
    }
}

registers! {
    /// FEAT_FGT2.
    pub struct Fgt2 in El2Bank.fgt2 {
        hfgrtr2_el2 = "S3_4_C3_C1_2",
        hfgwtr2_el2 = "S3_4_C3_C1_3",
        hfgitr2_el2 = "S3_4_C3_C1_7",
        hdfgrtr2_el2 = "S3_4_C3_C1_0",
        hdfgwtr2_el2 = "S3_4_C3_C1_1",
    }
}

/// In HFGRTR_EL2 and HFGWTR_EL2, the bits that trap when clear: nTPIDR2_EL0, nSMPRI_EL1 and
/// nACCDATA_EL1.
const HFGXTR_N: u64 = 3 << 54 | 1 << 50;
/// In HFGITR_EL2: nBRBINJ and nBRBIALL.
const HFGITR_N_BRBE: u64 = 3 << 55;
/// In HDFGRTR_EL2 and HDFGWTR_EL2: nBRBIDR (read only), nBRBCTL and nBRBDATA.
const HDFGXTR_N_BRBE: u64 = 7 << 59;

/// ID_AA64MMFR0_EL1.FGT. Both worlds get it.
///
/// A hypervisor older than the extension never writes these registers; its guests must not be
/// trapped for what they could use before. For later extensions, an EL2 that allows its guests to
/// use them knows these registers.
pub const FGT: Extension = Extension::new(Feature::FGT, "FGT", |id| field(id.mmfr0, 56) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::FGT_EN)
    .first(|sys| {
        sys.el2.fgt.hfgrtr_el2 = HFGXTR_N;
        sys.el2.fgt.hfgwtr_el2 = HFGXTR_N;
        sys.el2.fgt.hfgitr_el2 = HFGITR_N_BRBE;
        sys.el2.fgt.hdfgrtr_el2 = HDFGXTR_N_BRBE;
        sys.el2.fgt.hdfgwtr_el2 = HDFGXTR_N_BRBE;
    });

/// ID_AA64MMFR0_EL1.FGT from 2. Both worlds get it.
pub const FGT2: Extension = Extension::new(Feature::FGT2, "FGT2", |id| field(id.mmfr0, 56) >= 2)
    .opens(|_, el3| el3.scr_el3 |= scr::FGT_EN2);
