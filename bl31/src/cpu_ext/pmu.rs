//! FEAT_PMUv3: the performance monitors are the normal world's. Counting stops in the secure state
//! and at EL3, as TF-A documents it for secure debug, so they tell nothing about it:
//!
//! * events: MDCR_EL3.SPME and MPMX clear;
//! * cycles: MDCR_EL3.SCCD and MCCD set, and before FEAT_PMUv3p5 PMCR_EL0.DP set.
//!
//! The secure world can use the registers; it saves what it changes. MDCR_EL2.HPMN starts as "all
//! counters", the architecture's reset value, for a hypervisor that never writes it.

use super::Extension;
use crate::context::{Feature, el3::mdcr, field, mrs, msr};

/// PMCR_EL0.P and C: reset the counters. DP: no cycle counting where events may not be counted.
const PMCR_RESET: u64 = 1 << 1 | 1 << 2 | 1 << 5;

/// ID_AA64DFR0_EL1.PMUVer, except 15, which is an implementation's own.
///
/// MTPME stays clear: events of other threads of the core are not counted.
pub const PMU: Extension = Extension::new(Feature::PMU, "PMUv3", |id| {
    matches!(field(id.dfr0, 8), 1..=14)
})
.opens(|_, el3| el3.mdcr_el3 |= mdcr::SCCD | mdcr::MCCD | mdcr::EN_PM2)
.first(|sys| sys.el2.el2.mdcr_el2 |= mrs!("PMCR_EL0") >> 11 & 0x1f)
.init(|| msr!("PMCR_EL0", PMCR_RESET));

/// FEAT_EBEP: EL2 decides about PMU exceptions.
pub const EBEP: Extension = Extension::new(Feature::EBEP, "EBEP", |id| field(id.dfr1, 48) != 0)
    .opens(|_, el3| el3.mdcr_el3 |= mdcr::PMEE_EL2);
