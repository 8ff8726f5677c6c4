//! FEAT_STEP2: enhanced software step, MDSTEPOP_EL1.

use super::Extension;
use crate::context::{Feature, el3::mdcr, field, registers::registers};

registers! {
    /// The instruction to step.
    pub struct Step2 in El1Bank.step2 { mdstepop_el1 = "S2_0_C0_C5_2" }
}

/// ID_AA64DFR2_EL1.STEP.
pub const STEP2: Extension = Extension::new(Feature::STEP2, "STEP2", |id| field(id.dfr2, 0) != 0)
    .opens(|_, el3| el3.mdcr_el3 |= mdcr::EN_STEPOP);
