//! FEAT_SPE: statistical profiling. The normal world owns the buffer (MDCR_EL3.NSPB = 3). Accesses
//! of the secure world are trapped, so nothing is switched.

use crate::{
    el3::{Control, Register::Mdcr},
    field,
    sysreg::sysregs,
};

/// The lower bit of MDCR_EL3.NSPB, which enables.
const NSPB: Control = Control::enable(Mdcr, 1 << 12).normal_only();
/// The upper bit of MDCR_EL3.NSPB: the buffer is the Non-secure state's.
const NSPB_OWNER: Control = Control::enable(Mdcr, 1 << 13).normal_only().not_told();
/// MDCR_EL3.EnPMSN.
const ENPMSN: Control = Control::enable(Mdcr, 1 << 36).not_told();
/// MDCR_EL3.EnPMS3.
const ENPMS3: Control = Control::enable(Mdcr, 1 << 42).not_told();

sysregs! {
    PMBLIMITR_EL1 = "S3_0_C9_C10_0": read write;
    PMSCR_EL2 = "S3_4_C9_C9_0": read write;
    PMSCR_EL1 = "S3_0_C9_C9_0": read write;
}

extension! {
    /// ID_AA64DFR0_EL1.PMSVer.
    pub SPE = "SPE";
    present: |id| field(id.dfr0, 32) != 0;
    opens: [NSPB, NSPB_OWNER, ENPMSN, ENPMS3];
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
