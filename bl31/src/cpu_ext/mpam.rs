//! FEAT_MPAM: memory partitioning. The normal world labels its accesses; the secure world's carry
//! the default label (MPAM3_EL3.MPAMEN clear while it runs) and its accesses to the registers are
//! trapped. So the labels that a hypervisor chose do not steer the secure world, and nothing but
//! MPAM3_EL3 is switched.

use crate::context::{
    el3::{Control, Register::Mpam3},
    field,
    sysreg::sysregs,
};

/// MPAM3_EL3.MPAMEN: labels have an effect.
const MPAMEN: Control = Control::enable(Mpam3, 1 << 63).normal_only().told_as(0);
/// MPAM3_EL3.TRAPLOWER: the registers are trapped.
const TRAPLOWER: Control = Control::trap(Mpam3, 1 << 62).normal_only();

sysregs! {
    MPAM3_EL3 = "S3_6_C10_C5_0": read unsafe write;
}

extension! {
    /// ID_AA64PFR0_EL1.MPAM and ID_AA64PFR1_EL1.MPAM_frac: either announces a version.
    pub MPAM = "MPAM";
    present: |id| field(id.pfr0, 40) != 0 || field(id.pfr1, 16) != 0;
    opens: [MPAMEN, TRAPLOWER];
}
