//! FEAT_HDBSS and FEAT_HACDBS: dirty-state tracking of stage 2, for live migration. Only a
//! hypervisor migrates: the secure world has no access and nothing is switched.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.HDBSSEn.
const HDBSSEN: Control = Control::enable(Scr, 1 << 60).normal_only();
/// SCR_EL3.HACDBSEn.
const HACDBSEN: Control = Control::enable(Scr, 1 << 61).normal_only();

extension! {
    /// ID_AA64MMFR1_EL1.HAFDBS from 4.
    pub HDBSS = "HDBSS";
    present: |id| field(id.mmfr1, 0) >= 4;
    opens: [HDBSSEN];
}

extension! {
    /// ID_AA64MMFR4_EL1.HACDBS.
    pub HACDBS = "HACDBS";
    present: |id| matches!(field(id.mmfr4, 12), 1..=7);
    opens: [HACDBSEN];
}
