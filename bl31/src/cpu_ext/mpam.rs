//! FEAT_MPAM: memory partitioning. The normal world labels its accesses; the secure world's carry
//! the default label (MPAM3_EL3.MPAMEN clear while it runs) and its accesses to the registers are
//! trapped. So the labels that a hypervisor chose do not steer the secure world, and nothing but
//! MPAM3_EL3 is switched.

use super::Extension;
use crate::context::{Feature, World, el3::mpam3, field};

/// ID_AA64PFR0_EL1.MPAM and ID_AA64PFR1_EL1.MPAM_frac: either announces a version.
pub const MPAM: Extension = Extension::new(Feature::MPAM, "MPAM", |id| {
    field(id.pfr0, 40) != 0 || field(id.pfr1, 16) != 0
})
.opens(|world, el3| {
    if world == World::Normal {
        el3.mpam3_el3 = mpam3::MPAMEN;
    }
});
