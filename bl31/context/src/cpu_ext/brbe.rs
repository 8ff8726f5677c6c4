//! FEAT_BRBE: branch records. Only the normal world's branches are recorded, and only the normal world can
//! read the records (MDCR_EL3.SBRBE = 1), so nothing is switched.

use crate::{
    el3::{Control, Register::Mdcr},
    field,
    sysreg::sysregs,
};

/// MDCR_EL3.SBRBE = 1.
const SBRBE: Control = Control::enable(Mdcr, 1 << 32).normal_only();

sysregs! {
    BRBCR_EL2 = "S2_4_C9_C0_0": read write;
    BRBCR_EL1 = "S2_1_C9_C0_0": read write;
}

extension! {
    /// ID_AA64DFR0_EL1.BRBE.
    pub BRBE = "BRBE";
    present: |id| field(id.dfr0, 52) != 0;
    opens: [SBRBE];
    init: { BRBCR_EL1::write(0) }
}

extension! {
    /// BRBE on a CPU with EL2, which has a register of its own.
    pub BRBE_EL2 = "";
    present: |id| id.el2() && field(id.dfr0, 52) != 0;
    opens: [];
    init: { BRBCR_EL2::write(0) }
}
