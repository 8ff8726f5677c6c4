//! FEAT_GCS: guarded control stacks.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// EL1's and EL0's.
    pub struct GcsEl1 in El1Bank.gcs {
        gcscr_el1 = "S3_0_C2_C5_0",
        gcspr_el1 = "S3_0_C2_C5_1",
        gcscre0_el1 = "S3_0_C2_C5_2",
        gcspr_el0 = "S3_3_C2_C5_1",
    }
}

registers! {
    /// EL2's.
    pub struct GcsEl2 in El2Bank.gcs {
        gcscr_el2 = "S3_4_C2_C5_0",
        gcspr_el2 = "S3_4_C2_C5_1",
    }
}

/// ID_AA64PFR1_EL1.GCS. Both worlds get it.
pub const GCS: Extension = Extension::new(Feature::GCS, "GCS", |id| field(id.pfr1, 44) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::GCS_EN);
