//! FEAT_AMUv1: activity monitors. They observe programs, so the secure world has no access (CPTR_EL3.TAM),
//! and only HAFGRTR_EL2 is switched.
//!
//! The counters of instructions and memory stalls are stopped while the secure world runs, so that they count neither
//! there nor, except for a few events, at EL3. The counters of cycles (0 and 1) run on: they tell a hypervisor only how
//! long its own call took. Auxiliary counters are never enabled.

use crate::{
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
    AMCNTENCLR0_EL0 = "S3_3_C13_C2_4": read write;
    AMCNTENSET0_EL0 = "S3_3_C13_C2_5": read write;
}

/// The four architected counters.
const ALL: u64 = 0xf;
/// Counters 2 and 3: instructions, memory stalls.
const OBSERVERS: u64 = 0xc;

/// Stops the counters that observe a program.
pub fn hold() {
    AMCNTENCLR0_EL0::write(OBSERVERS);
}

/// Lets these counters go on.
pub fn release() {
    AMCNTENSET0_EL0::write(OBSERVERS);
}

extension! {
    /// ID_AA64PFR0_EL1.AMU. The four architected counters run from the start.
    pub AMU = "AMU";
    present: |id| field(id.pfr0, 44) != 0;
    opens: [TAM];
    init: { AMCNTENSET0_EL0::write(ALL) }
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
