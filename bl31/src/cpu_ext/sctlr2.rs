//! FEAT_SCTLR2: SCTLR2_ELx.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// EL1's.
    pub struct Sctlr2El1 in El1Bank.sctlr2 { sctlr2_el1 = "S3_0_C1_C0_3" }
}

registers! {
    /// EL2's.
    pub struct Sctlr2El2 in El2Bank.sctlr2 { sctlr2_el2 = "S3_4_C1_C0_3" }
}

/// ID_AA64MMFR3_EL1.SCTLRX. Both worlds get it.
pub const SCTLR2: Extension =
    Extension::new(Feature::SCTLR2, "SCTLR2", |id| field(id.mmfr3, 4) != 0)
        .opens(|_, el3| el3.scr_el3 |= scr::SCTLR2_EN);
