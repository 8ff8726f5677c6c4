//! FEAT_HCX: HCRX_EL2, more controls of EL2 over EL1.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.HXEn.
const HXEN: Control = Control::enable(Scr, 1 << 38).secure_on_first_use();

extension! {
    /// ID_AA64MMFR1_EL1.HCX. Both worlds get it. It starts as zero, as if the CPU did not have the extension.
    pub HCX = "HCX";
    present: |id| field(id.mmfr1, 40) != 0;
    opens: [HXEN];
    el2: Hcx { hcrx_el2 = "S3_4_C1_C2_2" }
}
