//! FEAT_MPAM: memory partitioning. The normal world labels its memory accesses. The secure world's accesses have
//! the default label (MPAM3_EL3.MPAMEN is clear while it runs), and its accesses to the registers are
//! trapped. So the labels that a hypervisor chose do not affect the secure world, and only MPAM3_EL3 is switched.

use crate::{
    el3::{Control, Register::Mpam3},
    field,
    sysreg::sysregs,
};

/// MPAM3_EL3.MPAMEN: labels have an effect.
const MPAMEN: Control = Control::enable(Mpam3, 1 << 63).normal_only().not_told();
/// MPAM3_EL3.TRAPLOWER: the registers are trapped.
const TRAPLOWER: Control = Control::trap(Mpam3, 1 << 62).normal_only();

sysregs! {
    MPAM0_EL1 = "S3_0_C10_C5_1": read write;
    MPAM2_EL2 = "S3_4_C10_C5_0": read write;
    MPAM1_EL1 = "S3_0_C10_C5_0": read write;
}

extension! {
    /// ID_AA64PFR0_EL1.MPAM or ID_AA64PFR1_EL1.MPAM_frac: each reports a version.
    pub MPAM = "MPAM";
    present: |id| field(id.pfr0, 40) != 0 || field(id.pfr1, 16) != 0;
    opens: [MPAMEN, TRAPLOWER];
    init: {
        MPAM0_EL1::write(0);
        MPAM1_EL1::write(0);
    }
}

extension! {
    /// MPAM on a CPU with EL2, which has registers of its own.
    pub MPAM_EL2 = "";
    present: |id| id.el2() && (field(id.pfr0, 40) != 0 || field(id.pfr1, 16) != 0);
    opens: [];
    init: { MPAM2_EL2::write(0) }
}
