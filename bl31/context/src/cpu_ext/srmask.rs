//! FEAT_SRMASK: mask and alias registers of EL1's and EL2's control registers. No known SPMC uses it, so only
//! the normal world gets it. While the secure world runs, SCR_EL3.SRMASKEn is clear and the masks have no effect, so
//! nothing is switched.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.SRMASKEn.
const SRMASKEN: Control = Control::enable(Scr, 1 << 54).normal_only();

extension! {
    /// ID_AA64MMFR4_EL1.SRMASK.
    pub SRMASK = "SRMASK";
    present: |id| field(id.mmfr4, 40) != 0;
    opens: [SRMASKEN];
    // HCRX_EL2.SRMASKEn.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 26;
}
