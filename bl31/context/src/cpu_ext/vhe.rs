//! FEAT_VHE: EL2 can host an operating system. It has a second translation table and a context number. Its virtual
//! timer is in [`crate::timers`].

use crate::field;

extension! {
    /// ID_AA64MMFR1_EL1.VH.
    pub VHE = "VHE";
    present: |id| field(id.mmfr1, 8) != 0;
    opens: [];
    found: usually;
    el2: Vhe {
        ttbr1_el2 = "S3_4_C2_C0_1",
        contextidr_el2 = "S3_4_C13_C0_1",
    }
}
