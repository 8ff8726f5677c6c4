//! FEAT_AMUv1: activity monitors. They observe, so the secure world has no access (CPTR_EL3.TAM),
//! and nothing is switched but HAFGRTR_EL2.
//!
//! The counters go on counting in the secure world; only an external agent can stop them there
//! (AMCR_EL0.HDBG). What a hypervisor can learn from them is how busy the core was, the time of its
//! own call included.

use crate::context::{
    el3::{
        Control,
        Register::{Cptr, Scr},
    },
    field,
    sysreg::sysregs,
};

/// CPTR_EL3.TAM.
const TAM: Control = Control::trap(Cptr, 1 << 30).normal_only();
/// SCR_EL3.AMVOFFEN.
const AMVOFFEN: Control = Control::enable(Scr, 1 << 35).normal_only();

sysregs! {
    AMCNTENSET0_EL0 = "S3_3_C13_C2_5": read write;
}

extension! {
    /// ID_AA64PFR0_EL1.AMU. The four architected counters run from the start.
    pub AMU = "AMU";
    present: |id| field(id.pfr0, 44) != 0;
    opens: [TAM];
    init: { AMCNTENSET0_EL0::write(0xf) }
}

extension! {
    /// FEAT_AMUv1p1: virtual offsets, for the hypervisor only.
    pub AMU_V1P1 = "AMUv1p1";
    present: |id| field(id.pfr0, 44) >= 2;
    opens: [AMVOFFEN];
}

extension! {
    /// Fine-grained traps of the activity monitors: with both FEAT_AMUv1 and FEAT_FGT.
    pub HAFGRTR = "";
    present: |id| field(id.pfr0, 44) != 0 && field(id.mmfr0, 56) != 0;
    opens: [];
    found: rarely;
    el2: Hafgrtr { hafgrtr_el2 = "S3_4_C3_C1_6" }
}
