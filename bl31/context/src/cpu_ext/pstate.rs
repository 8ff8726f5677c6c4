//! Extensions that have no state, or have it in PSTATE, which is switched with SPSR_EL3. EL3 only names them in
//! the boot message. Here are also those by which EL3 could trap accesses, but does not: RNDR is not trapped
//! (SCR_EL3.TRNDR clear), WFE is not delayed (TWEDEn clear), ID registers are not trapped (TID3 and TID5 clear).
//!
//! [`crate::undefined`] sets PSTATE.PAN and PSTATE.ALLINT (FEAT_NMI) as an exception does.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.TRNDR.
const TRNDR: Control = Control::trap(Scr, 1 << 40);

extension! {
    /// ID_AA64ISAR2_EL1.MOPS. A hypervisor enables it for EL1 by HCRX_EL2.MSCEn.
    pub MOPS = "MOPS";
    present: |id| field(id.isar2, 16) != 0;
    opens: [];
    // HCRX_EL2.MSCEn.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 11;
}

extension! {
    /// ID_AA64MMFR1_EL1.PAN.
    pub PAN = "PAN";
    present: |id| field(id.mmfr1, 20) != 0;
    opens: [];
}

extension! {
    /// ID_AA64PFR1_EL1.NMI.
    pub NMI = "NMI";
    present: |id| field(id.pfr1, 36) != 0;
    opens: [];
}

extension! {
    /// ID_AA64ISAR0_EL1.RNDR.
    pub RNG = "";
    present: |id| field(id.isar0, 60) != 0;
    opens: [TRNDR];
}

extension! {
    /// ID_AA64PFR1_EL1.RNDR_trap.
    pub RNG_TRAP = "RNG_TRAP";
    present: |id| field(id.pfr1, 28) != 0;
    opens: [];
}

extension! {
    /// ID_AA64MMFR1_EL1.TWED.
    pub TWED = "TWED";
    present: |id| field(id.mmfr1, 32) != 0;
    opens: [];
}

extension! {
    /// ID_AA64PFR0_EL1.DIT.
    pub DIT = "DIT";
    present: |id| field(id.pfr0, 48) != 0;
    opens: [];
}
