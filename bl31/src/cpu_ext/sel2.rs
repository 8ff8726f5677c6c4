//! EL2 and FEAT_SEL2.

use super::Extension;
use crate::context::{Feature, el3};

/// ID_AA64PFR0_EL1.EL2.
pub const EL2: Extension = Extension::new(Feature::EL2, "", |id| id.el2());

/// ID_AA64PFR0_EL1.SEL2: the SPMC can run at S-EL2. SCR_EL3.EEL2 enables it where it does.
pub const SEL2: Extension = Extension::new(Feature::SEL2, "SEL2", el3::has_sel2);
