//! FEAT_TCR2: TCR2_ELx.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// EL1's.
    pub struct Tcr2El1 in El1Bank.tcr2 { tcr2_el1 = "S3_0_C2_C0_3" }
}

registers! {
    /// EL2's.
    pub struct Tcr2El2 in El2Bank.tcr2 { tcr2_el2 = "S3_4_C2_C0_3" }
}

/// ID_AA64MMFR3_EL1.TCRX. Both worlds get it.
pub const TCR2: Extension = Extension::new(Feature::TCR2, "TCR2", |id| field(id.mmfr3, 0) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::TCR2_EN);
