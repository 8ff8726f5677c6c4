//! FEAT_NV2: nested virtualisation, VNCR_EL2.

use super::Extension;
use crate::context::{Feature, field, registers::registers};

registers! {
    /// Where a nested hypervisor's registers are in memory.
    pub struct Nv2 in El2Bank.nv2 { vncr_el2 = "S3_4_C2_C2_0" }
}

/// ID_AA64MMFR2_EL1.NV from 2. EL3 has no control over it.
pub const NV2: Extension = Extension::new(Feature::NV2, "NV2", |id| field(id.mmfr2, 24) >= 2);
