//! FEAT_AIE: memory attribute index enhancement, MAIR2 and AMAIR2.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.AIEn.
const AIEN: Control = Control::enable(Scr, 1 << 46);

extension! {
    /// ID_AA64MMFR3_EL1.AIE. Both worlds get it.
    pub AIE = "AIE";
    present: |id| field(id.mmfr3, 24) != 0;
    opens: [AIEN];
    found: rarely;
    el1: AieEl1 {
        mair2_el1 = "S3_0_C10_C2_1",
        amair2_el1 = "S3_0_C10_C3_1",
    }
    el2: AieEl2 {
        mair2_el2 = "S3_4_C10_C1_1",
        amair2_el2 = "S3_4_C10_C3_1",
    }
}
