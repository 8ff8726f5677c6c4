//! Self-hosted debug. In the secure state it is disabled (MDCR_EL3.SDD, SPD32), so breakpoints and
//! watchpoints are the normal world's and are not switched; MDSCR_EL1 and MDCCINT_EL1 are, with EL1.
//!
//! FEAT_Debugv8p9 adds MDSELR_EL1, which selects banks of them.

use crate::context::{
    el3::{Control, Register::Mdcr},
    field,
};

/// MDCR_EL3.EBWE.
const EBWE: Control = Control::enable(Mdcr, 1 << 43);

extension! {
    /// ID_AA64DFR0_EL1.DebugVer from 11.
    pub DEBUG_V8P9 = "Debugv8p9";
    present: |id| field(id.dfr0, 0) >= 11;
    opens: [EBWE];
}
