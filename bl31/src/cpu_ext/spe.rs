//! FEAT_SPE: statistical profiling. The normal world owns the buffer (MDCR_EL3.NSPB = 3). Accesses
//! of the secure world are trapped, so nothing is switched.

use crate::context::{
    el3::{Control, Register::Mdcr},
    field,
    sysreg::sysregs,
};

/// MDCR_EL3.NSPB = 3. The lower bit is the one that enables.
const NSPB: Control = Control::enable(Mdcr, 3 << 12)
    .normal_only()
    .told_as(1 << 12);
/// MDCR_EL3.EnPMSN and EnPMS3.
const ENPMS: Control = Control::enable(Mdcr, 1 << 36 | 1 << 42).told_as(0);

sysregs! {
    PMBLIMITR_EL1 = "S3_0_C9_C10_0": read write;
    PMSCR_EL2 = "S3_4_C9_C9_0": read write;
    PMSCR_EL1 = "S3_0_C9_C9_0": read write;
}

extension! {
    /// ID_AA64DFR0_EL1.PMSVer.
    pub SPE = "SPE";
    present: |id| field(id.dfr0, 32) != 0;
    opens: [NSPB, ENPMS];
    // MDCR_EL2.E2PB = 3: EL1 owns the buffer.
    unused_el2: |sys| sys.el2.el2.mdcr_el2 |= 3 << 12;
    init: {
        PMBLIMITR_EL1::write(0);
        PMSCR_EL1::write(0);
    }
}

extension! {
    /// SPE on a CPU with EL2, which has a register of its own.
    pub SPE_EL2 = "";
    present: |id| id.el2() && field(id.dfr0, 32) != 0;
    opens: [];
    init: { PMSCR_EL2::write(0) }
}
