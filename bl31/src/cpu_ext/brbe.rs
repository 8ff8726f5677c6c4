//! FEAT_BRBE: branch records. Only branches of the non-secure state are recorded, and only it may
//! read them (MDCR_EL3.SBRBE = 1), so nothing is switched.

use super::Extension;
use crate::context::{Feature, el3::mdcr, field};

/// ID_AA64DFR0_EL1.BRBE.
pub const BRBE: Extension = Extension::new(Feature::BRBE, "BRBE", |id| field(id.dfr0, 52) != 0)
    .opens(|_, el3| el3.mdcr_el3 |= mdcr::SBRBE_NS);
