//! FEAT_VHE: EL2 hosts an operating system.

use super::Extension;
use crate::context::{Feature, field, registers::registers};

registers! {
    /// EL2's second table and its context number.
    pub struct Vhe in El2Bank.vhe {
        ttbr1_el2 = "S3_4_C2_C0_1",
        contextidr_el2 = "S3_4_C13_C0_1",
    }
}

/// ID_AA64MMFR1_EL1.VH.
pub const VHE: Extension = Extension::new(Feature::VHE, "VHE", |id| field(id.mmfr1, 8) != 0);
