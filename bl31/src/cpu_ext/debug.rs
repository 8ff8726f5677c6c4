//! Self-hosted debug. In the secure state it is disabled (MDCR_EL3.SDD, SPD32), so breakpoints and
//! watchpoints are the normal world's and are not switched; MDSCR_EL1 and MDCCINT_EL1 are, with EL1.
//!
//! FEAT_Debugv8p9 adds MDSELR_EL1, which selects banks of them.

use super::Extension;
use crate::context::{Feature, el3::mdcr, field};

/// ID_AA64DFR0_EL1.DebugVer from 11.
pub const DEBUG_V8P9: Extension = Extension::new(Feature::DEBUG_V8P9, "Debugv8p9", |id| {
    field(id.dfr0, 0) >= 11
})
.opens(|_, el3| el3.mdcr_el3 |= mdcr::EBWE);
