//! FEAT_RAS: error synchronisation. SErrors go to the world that runs (SCR_EL3.EA clear); what an
//! ESB deferred is in DISR_EL1, a virtual SError in VDISR_EL2 and VSESR_EL2.
//!
//! Error records are the system's, not a world's; only which one is selected is switched. Fault
//! injection (SCR_EL3.FIEN) stays trapped wherever there is a record to inject a fault into: one world's
//! fault would be taken by the other.

use crate::context::{
    el3::{Control, Register::Scr},
    field,
    sysreg::sysregs,
};

/// SCR_EL3.TERR: error record registers.
const TERR: Control = Control::trap(Scr, 1 << 15);
/// SCR_EL3.FIEN: fault injection.
const FIEN: Control = Control::enable(Scr, 1 << 21);

/// SCTLR_EL3.IESB.
const SCTLR_IESB: u64 = 1 << 21;

sysregs! {
    SCTLR_EL3 = "SCTLR_EL3": read unsafe write;
    ERRIDR_EL1 = "S3_0_C5_C3_0": read;
}

extension! {
    /// ID_AA64PFR0_EL1.RAS. A deferred SError is also the one that an ESB of EL2 finds.
    pub RAS = "RAS";
    present: |id| field(id.pfr0, 28) != 0;
    opens: [TERR];
    found: usually;
    common: Disr { disr_el1 = "S3_0_C12_C1_1" }
    el2: RasEl2 {
        vdisr_el2 = "S3_4_C12_C1_1",
        vsesr_el2 = "S3_4_C5_C2_3",
    }
}

extension! {
    /// ERRIDR_EL1.NUM: there are records to select.
    pub RAS_RECORDS = "";
    present: |id| id.erridr & 0xffff != 0;
    opens: [];
    found: rarely;
    el1: RasRecords { errselr_el1 = "S3_0_C5_C3_1" }
}

extension! {
    /// There are none: the registers of fault injection are what the CPU makes of them, and TF-A's tests,
    /// which want to be told of FIEN wherever there is FEAT_RAS, are told the truth.
    pub RAS_NO_RECORDS = "";
    present: |id| field(id.pfr0, 28) != 0 && id.erridr & 0xffff == 0;
    opens: [FIEN];
}

extension! {
    /// ID_AA64MMFR2_EL1.IESB: errors are synchronised whenever EL3 is entered and left, at no instruction's
    /// cost, so that an error of one world is not taken by the other.
    pub IESB = "";
    present: |id| field(id.mmfr2, 12) != 0;
    opens: [];
    // SAFETY: only the synchronisation of errors changes.
    init: { unsafe { SCTLR_EL3::write(SCTLR_EL3::read() | SCTLR_IESB) } }
}
