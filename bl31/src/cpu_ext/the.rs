//! FEAT_THE: translation hardening, the masks of RCW instructions.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// The masks. Of 128 bits with FEAT_D128: see [`super::d128`].
    pub struct The in El1Bank.the {
        rcwmask_el1 = "S3_0_C13_C0_6",
        rcwsmask_el1 = "S3_0_C13_C0_3",
    }
}

/// ID_AA64PFR1_EL1.THE. Both worlds get it.
pub const THE: Extension = Extension::new(Feature::THE, "THE", |id| field(id.pfr1, 48) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::RCWMASK_EN);
