//! FEAT_MTE2: memory tagging. With FEAT_MTE alone, tags cannot be stored and the registers do not exist.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.ATA.
const ATA: Control = Control::enable(Scr, 1 << 26);

extension! {
    /// ID_AA64PFR1_EL1.MTE from 2. Both worlds get it.
    pub MTE = "MTE2";
    present: |id| field(id.pfr1, 8) >= 2;
    opens: [ATA];
    found: rarely;
    el1: MteEl1 {
        tfsr_el1 = "S3_0_C5_C6_0",
        tfsre0_el1 = "S3_0_C5_C6_1",
        rgsr_el1 = "S3_0_C1_C0_5",
        gcr_el1 = "S3_0_C1_C0_6",
    }
    el2: MteEl2 { tfsr_el2 = "S3_4_C5_C6_0" }
    // HCR_EL2.ATA.
    first: |sys| sys.el2.el2.hcr_el2 |= 1 << 56;
}
