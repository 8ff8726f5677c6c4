//! FEAT_SCTLR2: SCTLR2_ELx.

use crate::{
    el3::{Control, Register::Scr},
    field,
    sysreg::sysregs,
};

/// SCR_EL3.SCTLR2En.
const SCTLR2EN: Control = Control::enable(Scr, 1 << 44);

sysregs! {
    SCTLR2_EL3 = "S3_6_C1_C0_3": read unsafe write;
}

extension! {
    /// ID_AA64MMFR3_EL1.SCTLRX. Both worlds get it.
    pub SCTLR2 = "SCTLR2";
    present: |id| field(id.mmfr3, 4) != 0;
    opens: [SCTLR2EN];
    found: rarely;
    el1: Sctlr2El1 { sctlr2_el1 = "S3_0_C1_C0_3" }
    el2: Sctlr2El2 { sctlr2_el2 = "S3_4_C1_C0_3" }
    // HCRX_EL2.SCTLR2En.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 15;
    // Some of its bits are UNKNOWN after reset.
    // SAFETY: EL3 uses nothing that the register controls.
    init: { unsafe { SCTLR2_EL3::write(0) } }
}
