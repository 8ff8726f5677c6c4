//! FEAT_THE: translation hardening, the masks of RCW instructions.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.RCWMASKEn.
const RCWMASKEN: Control = Control::enable(Scr, 1 << 42);

extension! {
    /// ID_AA64PFR1_EL1.THE. Both worlds get it. The masks have 128 bits with FEAT_D128: see
    /// [`super::d128`].
    pub THE = "THE";
    present: |id| field(id.pfr1, 48) != 0;
    opens: [RCWMASKEN];
    found: rarely;
    el1: The {
        rcwmask_el1 = "S3_0_C13_C0_6",
        rcwsmask_el1 = "S3_0_C13_C0_3",
    }
}
