//! FEAT_BRBE: branch records. Only branches of the non-secure state are recorded, and only it may
//! read them (MDCR_EL3.SBRBE = 1), so nothing is switched.

use crate::context::{
    el3::{Control, Register::Mdcr},
    field,
};

/// MDCR_EL3.SBRBE = 1.
const SBRBE: Control = Control::enable(Mdcr, 1 << 32).normal_only();

extension! {
    /// ID_AA64DFR0_EL1.BRBE.
    pub BRBE = "BRBE";
    present: |id| field(id.dfr0, 52) != 0;
    opens: [SBRBE];
}
