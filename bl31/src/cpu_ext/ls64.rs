//! FEAT_LS64_ACCDATA: ST64BV0, whose lowest word is ACCDATA_EL1.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// The lowest word of an accelerator store.
    pub struct Accdata in El1Bank.ls64 { accdata_el1 = "S3_0_C13_C0_5" }
}

/// ID_AA64ISAR1_EL1.LS64 from 3. Both worlds get it.
pub const ACCDATA: Extension = Extension::new(Feature::LS64_ACCDATA, "LS64_ACCDATA", |id| {
    field(id.isar1, 60) >= 3
})
.opens(|_, el3| el3.scr_el3 |= scr::AD_EN | scr::EN_AS0);
