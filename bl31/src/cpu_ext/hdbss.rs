//! FEAT_HDBSS and FEAT_HACDBS: dirty-state tracking of stage 2, for live migration. Only a
//! hypervisor migrates: the secure world has no access and nothing is switched.

use super::Extension;
use crate::context::{Feature, World, el3::scr, field};

/// ID_AA64MMFR1_EL1.HAFDBS from 4.
pub const HDBSS: Extension = Extension::new(Feature::HDBSS, "HDBSS", |id| field(id.mmfr1, 0) >= 4)
    .opens(|world, el3| {
        if world == World::Normal {
            el3.scr_el3 |= scr::HDBSS_EN;
        }
    });

/// ID_AA64MMFR4_EL1.HACDBS.
pub const HACDBS: Extension = Extension::new(Feature::HACDBS, "HACDBS", |id| {
    matches!(field(id.mmfr4, 12), 1..=7)
})
.opens(|world, el3| {
    if world == World::Normal {
        el3.scr_el3 |= scr::HACDBS_EN;
    }
});
