//! FEAT_ECV: enhanced counter virtualisation. Its CNTPOFF_EL2 (FEAT_ECV_POFF) shifts the physical
//! counter that EL1 sees.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// The physical counter's offset.
    pub struct Ecv in El2Bank.ecv { cntpoff_el2 = "S3_4_C14_C0_6" }
}

/// ID_AA64MMFR0_EL1.ECV from 2. Both worlds get it.
pub const ECV: Extension = Extension::new(Feature::ECV, "ECV", |id| field(id.mmfr0, 60) >= 2)
    .opens(|_, el3| el3.scr_el3 |= scr::ECV_EN);
