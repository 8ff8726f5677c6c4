//! FEAT_SPE: statistical profiling. The non-secure state owns the buffer (MDCR_EL3.NSPB = 3); an
//! access from the secure state is trapped, so nothing is switched.

use crate::context::{
    el3::{Control, Register::Mdcr},
    field,
};

/// MDCR_EL3.NSPB = 3; the lower bit is the one that enables.
const NSPB: Control = Control::enable(Mdcr, 3 << 12)
    .normal_only()
    .told_as(1 << 12);
/// MDCR_EL3.EnPMSN and EnPMS3.
const ENPMS: Control = Control::enable(Mdcr, 1 << 36 | 1 << 42).told_as(0);

extension! {
    /// ID_AA64DFR0_EL1.PMSVer.
    pub SPE = "SPE";
    present: |id| field(id.dfr0, 32) != 0;
    opens: [NSPB, ENPMS];
}
