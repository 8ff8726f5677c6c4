//! FEAT_MTE2: memory tagging. Without FEAT_MTE2 (FEAT_MTE alone: tags cannot be stored) the
//! registers do not exist.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// EL1's and EL0's.
    pub struct MteEl1 in El1Bank.mte {
        tfsr_el1 = "S3_0_C5_C6_0",
        tfsre0_el1 = "S3_0_C5_C6_1",
        rgsr_el1 = "S3_0_C1_C0_5",
        gcr_el1 = "S3_0_C1_C0_6",
    }
}

registers! {
    /// EL2's.
    pub struct MteEl2 in El2Bank.mte { tfsr_el2 = "S3_4_C5_C6_0" }
}

/// ID_AA64PFR1_EL1.MTE from 2. Both worlds get it.
pub const MTE: Extension = Extension::new(Feature::MTE, "MTE2", |id| field(id.pfr1, 8) >= 2)
    .opens(|_, el3| el3.scr_el3 |= scr::ATA);
