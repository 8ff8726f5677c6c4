//! FEAT_AMUv1: activity monitors. They observe, so the secure world has no access (CPTR_EL3.TAM),
//! and nothing is switched but HAFGRTR_EL2.
//!
//! The counters go on counting in the secure world; only an external agent can stop them there
//! (AMCR_EL0.HDBG). What a hypervisor can learn from them is how busy the core was, the time of its
//! own call included.

use super::Extension;
use crate::context::{
    Feature, World,
    el3::{cptr, scr},
    field, msr,
    registers::registers,
};

registers! {
    /// With FEAT_FGT: fine-grained traps of the activity monitors.
    pub struct Hafgrtr in El2Bank.hafgrtr { hafgrtr_el2 = "S3_4_C3_C1_6" }
}

/// ID_AA64PFR0_EL1.AMU. The four architected counters run from the start.
pub const AMU: Extension = Extension::new(Feature::AMU, "AMU", |id| field(id.pfr0, 44) != 0)
    .opens(|world, el3| {
        if world == World::Normal {
            el3.cptr_el3 &= !cptr::TAM;
        }
    })
    // AMCNTENSET0_EL0: counters 0 to 3.
    .init(|| msr!("S3_3_C13_C2_5", 0xf));

/// FEAT_AMUv1p1: virtual offsets, for the hypervisor only.
pub const AMU_V1P1: Extension =
    Extension::new(Feature::AMU_V1P1, "AMUv1p1", |id| field(id.pfr0, 44) >= 2).opens(
        |world, el3| {
            if world == World::Normal {
                el3.scr_el3 |= scr::AMVOFF_EN;
            }
        },
    );

/// HAFGRTR_EL2 exists with both FEAT_AMUv1 and FEAT_FGT.
pub const HAFGRTR: Extension = Extension::new(Feature::HAFGRTR, "", |id| {
    field(id.pfr0, 44) != 0 && field(id.mmfr0, 56) != 0
});
