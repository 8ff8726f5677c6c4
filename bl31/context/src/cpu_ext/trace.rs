//! Trace: the trace unit's system registers and FEAT_TRBE's buffer. They observe programs. So the secure world
//! has no access (CPTR_EL3.TTA is set; MDCR_EL3.NSTB = 3, the normal world owns the buffer), tracing
//! is prohibited in it (MDCR_EL3.STE clear), and nothing is switched.

use crate::{
    el3::{
        Control,
        Register::{Cptr, Mdcr},
    },
    field,
    sysreg::sysregs,
};

/// CPTR_EL3.TTA.
const TTA: Control = Control::trap(Cptr, 1 << 20).normal_only();
/// The lower bit of MDCR_EL3.NSTB, which enables.
const NSTB: Control = Control::enable(Mdcr, 1 << 24).normal_only();
/// The upper bit of MDCR_EL3.NSTB: the buffer is the Non-secure state's.
const NSTB_OWNER: Control = Control::enable(Mdcr, 1 << 25).normal_only().not_told();

sysregs! {
    TRCPRGCTLR = "S2_1_C0_C1_0": read write;
    TRBLIMITR_EL1 = "S3_0_C9_C11_0": read write;
}

extension! {
    /// ID_AA64DFR0_EL1.TraceVer: the trace unit has system registers.
    pub TRACE = "TRC_SR";
    present: |id| field(id.dfr0, 4) != 0;
    opens: [TTA];
    init: { TRCPRGCTLR::write(0) }
}

extension! {
    /// ID_AA64DFR0_EL1.TraceBuffer.
    pub TRBE = "TRBE";
    present: |id| field(id.dfr0, 44) != 0;
    opens: [NSTB, NSTB_OWNER];
    // MDCR_EL2.E2TB = 3: EL1 owns the buffer.
    unused_el2: |sys| sys.el2.el2.mdcr_el2 |= 3 << 24;
    init: { TRBLIMITR_EL1::write(0) }
}
