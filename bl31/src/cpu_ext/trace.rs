//! Trace: the trace unit's system registers and FEAT_TRBE's buffer. They observe: the secure world
//! has no access (CPTR_EL3.TTA; MDCR_EL3.NSTB = 3, the non-secure state owns the buffer), tracing
//! is prohibited in it (MDCR_EL3.STE clear), and nothing is switched.

use super::Extension;
use crate::context::{
    Feature, World,
    el3::{cptr, mdcr},
    field,
};

/// ID_AA64DFR0_EL1.TraceVer: the trace unit has system registers.
pub const TRACE: Extension = Extension::new(Feature::TRACE, "TRC_SR", |id| field(id.dfr0, 4) != 0)
    .opens(|world, el3| {
        if world == World::Normal {
            el3.cptr_el3 &= !cptr::TTA;
        }
    });

/// ID_AA64DFR0_EL1.TraceBuffer.
pub const TRBE: Extension = Extension::new(Feature::TRBE, "TRBE", |id| field(id.dfr0, 44) != 0)
    .opens(|_, el3| el3.mdcr_el3 |= mdcr::NSTB_NS);
