//! FEAT_ECV: enhanced counter virtualisation. Its CNTPOFF_EL2 (FEAT_ECV_POFF) shifts the physical
//! counter that EL1 sees.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.ECVEn.
const ECVEN: Control = Control::enable(Scr, 1 << 28).secure_on_first_use();

extension! {
    /// ID_AA64MMFR0_EL1.ECV from 2. Both worlds get it.
    pub ECV = "ECV";
    present: |id| field(id.mmfr0, 60) >= 2;
    opens: [ECVEN];
    el2: Ecv { cntpoff_el2 = "S3_4_C14_C0_6" }
}
