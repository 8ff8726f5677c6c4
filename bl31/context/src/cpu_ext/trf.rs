//! FEAT_TRF: trace filters. They do not allow tracing in the Secure state, where MDCR_EL3.STE prohibits it. But both
//! worlds can write them (MDCR_EL3.TTRF clear), so they are switched.

use crate::{
    el3::{Control, Register::Mdcr},
    field,
};

/// MDCR_EL3.TTRF.
const TTRF: Control = Control::trap(Mdcr, 1 << 19);

extension! {
    /// ID_AA64DFR0_EL1.TraceFilt.
    pub TRF = "TRF";
    present: |id| field(id.dfr0, 40) != 0;
    opens: [TTRF];
    found: rarely;
    el1: TrfEl1 { trfcr_el1 = "S3_0_C1_C2_1" }
    el2: TrfEl2 { trfcr_el2 = "S3_4_C1_C2_1" }
}
