//! FEAT_FPMR: the FP8 mode register. Part of the floating-point state that EL1 sees, so an SPMC at
//! S-EL2 looks after it as it does after the other FP registers.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// The FP8 modes.
    pub struct Fpmr in El1Bank.fpmr { fpmr = "S3_3_C4_C4_2" }
}

/// ID_AA64PFR2_EL1.FPMR. Both worlds get it.
pub const FPMR: Extension = Extension::new(Feature::FPMR, "FPMR", |id| field(id.pfr2, 32) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::EN_FPM);
