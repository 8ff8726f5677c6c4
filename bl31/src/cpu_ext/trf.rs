//! FEAT_TRF: trace filters. Tracing is prohibited in the secure state (MDCR_EL3.STE clear) whatever
//! they say; but both worlds can write them (MDCR_EL3.TTRF clear), so they are switched.

use super::Extension;
use crate::context::{Feature, field, registers::registers};

registers! {
    /// EL1's.
    pub struct TrfEl1 in El1Bank.trf { trfcr_el1 = "S3_0_C1_C2_1" }
}

registers! {
    /// EL2's.
    pub struct TrfEl2 in El2Bank.trf { trfcr_el2 = "S3_4_C1_C2_1" }
}

/// ID_AA64DFR0_EL1.TraceFilt.
pub const TRF: Extension = Extension::new(Feature::TRF, "TRF", |id| field(id.dfr0, 40) != 0);
