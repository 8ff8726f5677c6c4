//! FEAT_PFAR: the physical address of a fault.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// EL1's.
    pub struct PfarEl1 in El1Bank.pfar { pfar_el1 = "S3_0_C6_C0_5" }
}

registers! {
    /// EL2's.
    pub struct PfarEl2 in El2Bank.pfar { pfar_el2 = "S3_4_C6_C0_5" }
}

/// ID_AA64PFR1_EL1.PFAR. Both worlds get it.
pub const PFAR: Extension = Extension::new(Feature::PFAR, "PFAR", |id| field(id.pfr1, 60) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::PFAR_EN);
