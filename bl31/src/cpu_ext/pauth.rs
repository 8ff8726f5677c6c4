//! FEAT_PAuth: pointer authentication.
//!
//! The keys belong to EL1, but EL2 uses the same ones, and an SPMC at S-EL2 would have to run code
//! with the other world's keys to save them: Hafnium relies on EL3 for it. So they are switched for
//! every SPMC. EL3 itself does not authenticate pointers; no key of its own is ever loaded.

use super::Extension;
use crate::context::{Feature, el3::scr, registers::registers};

registers! {
    /// The five keys.
    pub struct PAuth in CommonBank.pauth {
        apiakeylo_el1 = "S3_0_C2_C1_0",
        apiakeyhi_el1 = "S3_0_C2_C1_1",
        apibkeylo_el1 = "S3_0_C2_C1_2",
        apibkeyhi_el1 = "S3_0_C2_C1_3",
        apdakeylo_el1 = "S3_0_C2_C2_0",
        apdakeyhi_el1 = "S3_0_C2_C2_1",
        apdbkeylo_el1 = "S3_0_C2_C2_2",
        apdbkeyhi_el1 = "S3_0_C2_C2_3",
        apgakeylo_el1 = "S3_0_C2_C3_0",
        apgakeyhi_el1 = "S3_0_C2_C3_1",
    }
}

/// ID_AA64ISAR1_EL1.{APA, API, GPA, GPI} or ID_AA64ISAR2_EL1.{APA3, GPA3}: any algorithm.
pub const PAUTH: Extension = Extension::new(Feature::PAUTH, "PAuth", |id| {
    id.isar1 & 0xff00_0ff0 != 0 || id.isar2 & 0xff00 != 0
})
.opens(|_, el3| el3.scr_el3 |= scr::API | scr::APK);
