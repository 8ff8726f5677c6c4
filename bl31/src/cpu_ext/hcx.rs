//! FEAT_HCX: HCRX_EL2, more controls of EL2 over EL1.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// The extended hypervisor configuration.
    pub struct Hcx in El2Bank.hcx { hcrx_el2 = "S3_4_C1_C2_2" }
}

/// ID_AA64MMFR1_EL1.HCX. Both worlds get it; zero, as without the extension, is where they start.
pub const HCX: Extension = Extension::new(Feature::HCX, "HCX", |id| field(id.mmfr1, 40) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::HX_EN);
