//! FEAT_PFAR: the physical address of a fault.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.PFAREn.
const PFAREN: Control = Control::enable(Scr, 1 << 53);

extension! {
    /// ID_AA64PFR1_EL1.PFAR. Both worlds get it.
    pub PFAR = "PFAR";
    present: |id| field(id.pfr1, 60) != 0;
    opens: [PFAREN];
    found: rarely;
    el1: PfarEl1 { pfar_el1 = "S3_0_C6_C0_5" }
    el2: PfarEl2 { pfar_el2 = "S3_4_C6_C0_5" }
}
