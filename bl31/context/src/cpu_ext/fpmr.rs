//! FEAT_FPMR: the FP8 mode register, a part of the floating-point state:
//! [`crate::simd`] switches it with FPSR and FPCR.

use crate::{
    el3::{Control, Register::Scr},
    field,
    sysreg::sysregs,
};

/// SCR_EL3.EnFPM.
const ENFPM: Control = Control::enable(Scr, 1 << 50);

sysregs! {
    FPMR_EL0 = "S3_3_C4_C4_2": read write;
}

extension! {
    /// ID_AA64PFR2_EL1.FPMR. Both worlds get it.
    pub FPMR = "FPMR";
    present: |id| field(id.pfr2, 32) != 0;
    opens: [ENFPM];
    // HCRX_EL2.EnFPM.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 23;
}
