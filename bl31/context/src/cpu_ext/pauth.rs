//! FEAT_PAuth: pointer authentication.
//!
//! EL1 and EL2 use the same keys. To save them itself, an SPMC at S-EL2 would have to run code with the normal world's
//! keys; Hafnium relies on EL3 for this. So the keys are switched for every SPMC. EL3 itself does not authenticate
//! pointers and has no keys of its own.

use crate::el3::{Control, Register::Scr};

/// SCR_EL3.APK: the keys.
const APK: Control = Control::enable(Scr, 1 << 16).secure_on_first_use();
/// SCR_EL3.API: the instructions. The bit of the keys reports both.
const API: Control = Control::enable(Scr, 1 << 17)
    .secure_on_first_use()
    .not_told();

extension! {
    /// ID_AA64ISAR1_EL1.{APA, API, GPA, GPI} or ID_AA64ISAR2_EL1.{APA3, GPA3}: any algorithm.
    pub PAUTH = "PAuth";
    present: |id| id.isar1 & 0xff00_0ff0 != 0 || id.isar2 & 0xff00 != 0;
    opens: [APK, API];
    trapped_as: 0x09;
    common: PAuth {
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
    // HCR_EL2.APK and API: EL1 may use them under an EL2 that no software has set up.
    first: |sys| sys.el2.el2.hcr_el2 |= 1 << 40 | 1 << 41;
}
