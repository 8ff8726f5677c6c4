//! FEAT_TCR2: TCR2_ELx.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.TCR2En.
const TCR2EN: Control = Control::enable(Scr, 1 << 43);

extension! {
    /// ID_AA64MMFR3_EL1.TCRX. Both worlds get it.
    pub TCR2 = "TCR2";
    present: |id| field(id.mmfr3, 0) != 0;
    opens: [TCR2EN];
    found: rarely;
    el1: Tcr2El1 { tcr2_el1 = "S3_0_C2_C0_3" }
    el2: Tcr2El2 { tcr2_el2 = "S3_4_C2_C0_3" }
    // HCRX_EL2.TCR2En.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 14;
}
