//! FEAT_FPMR: the FP8 mode register, a part of the floating-point state:
//! [`crate::context::simd`] switches it with FPSR and FPCR.

use super::Extension;
use crate::context::{Feature, el3::scr, field};

/// ID_AA64PFR2_EL1.FPMR. Both worlds get it.
pub const FPMR: Extension = Extension::new(Feature::FPMR, "FPMR", |id| field(id.pfr2, 32) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::EN_FPM);
