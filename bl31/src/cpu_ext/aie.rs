//! FEAT_AIE: memory attribute index enhancement, MAIR2 and AMAIR2.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// EL1's second attribute registers.
    pub struct AieEl1 in El1Bank.aie {
        mair2_el1 = "S3_0_C10_C2_1",
        amair2_el1 = "S3_0_C10_C3_1",
    }
}

registers! {
    /// EL2's second attribute registers.
    pub struct AieEl2 in El2Bank.aie {
        mair2_el2 = "S3_4_C10_C1_1",
        amair2_el2 = "S3_4_C10_C3_1",
    }
}

/// ID_AA64MMFR3_EL1.AIE. Both worlds get it.
pub const AIE: Extension = Extension::new(Feature::AIE, "AIE", |id| field(id.mmfr3, 24) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::AI_EN);
