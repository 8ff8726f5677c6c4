//! FEAT_GCS: guarded control stacks.

use crate::{
    el3::{Control, Register::Scr},
    field,
    sysreg::sysregs,
};

/// SCR_EL3.GCSEn.
const GCSEN: Control = Control::enable(Scr, 1 << 39);

sysregs! {
    GCSCR_EL1 = "S3_0_C2_C5_0": read;
    GCSCR_EL2 = "S3_4_C2_C5_0": read;
}

extension! {
    /// ID_AA64PFR1_EL1.GCS. Both worlds get it.
    pub GCS = "GCS";
    present: |id| field(id.pfr1, 44) != 0;
    opens: [GCSEN];
    found: rarely;
    el1: GcsEl1 {
        gcscr_el1 = "S3_0_C2_C5_0",
        gcspr_el1 = "S3_0_C2_C5_1",
        gcscre0_el1 = "S3_0_C2_C5_2",
        gcspr_el0 = "S3_3_C2_C5_1",
    }
    el2: GcsEl2 {
        gcscr_el2 = "S3_4_C2_C5_0",
        gcspr_el2 = "S3_4_C2_C5_1",
    }
    // HCRX_EL2.GCSEn.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 22;
}
