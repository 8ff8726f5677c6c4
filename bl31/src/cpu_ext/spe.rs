//! FEAT_SPE: statistical profiling. The non-secure state owns the buffer (MDCR_EL3.NSPB = 3); an
//! access from the secure state is trapped, so nothing is switched.

use super::Extension;
use crate::context::{Feature, el3::mdcr, field};

/// ID_AA64DFR0_EL1.PMSVer.
pub const SPE: Extension = Extension::new(Feature::SPE, "SPE", |id| field(id.dfr0, 32) != 0)
    .opens(|_, el3| el3.mdcr_el3 |= mdcr::NSPB_NS | mdcr::EN_PMSN | mdcr::EN_PMS3);
