//! FEAT_SRMASK: mask and alias registers of EL1's and EL2's control registers. Nothing that runs in
//! the secure world knows it yet: only the normal world gets it. While the secure world runs,
//! SCR_EL3.SRMASKEn is clear and the masks have no effect, so nothing is switched.

use super::Extension;
use crate::context::{Feature, World, el3::scr, field};

/// ID_AA64MMFR4_EL1.SRMASK.
pub const SRMASK: Extension =
    Extension::new(Feature::SRMASK, "SRMASK", |id| field(id.mmfr4, 40) != 0).opens(|world, el3| {
        if world == World::Normal {
            el3.scr_el3 |= scr::SRMASK_EN;
        }
    });
