//! FEAT_RAS: error synchronisation. SErrors go to the world that runs (SCR_EL3.EA clear). An SError that an
//! ESB deferred is in DISR_EL1, a virtual SError in VDISR_EL2 and VSESR_EL2.
//!
//! Error records belong to the system and not to a world; only the number of the selected record is switched. On a CPU
//! with error records, fault injection (SCR_EL3.FIEN) stays trapped: the other world could take the fault that one
//! world injects.

use crate::{
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
    /// ERRIDR_EL1.NUM is not zero: there are error records.
    pub RAS_RECORDS = "";
    present: |id| id.erridr & 0xffff != 0;
    opens: [];
    found: rarely;
    el1: RasRecords { errselr_el1 = "S3_0_C5_C3_1" }
}

extension! {
    /// There are no error records. Fault injection is not trapped then: it has no effect, and TF-A's tests expect that
    /// FIEN is reported on every CPU with FEAT_RAS.
    pub RAS_NO_RECORDS = "";
    present: |id| field(id.pfr0, 28) != 0 && id.erridr & 0xffff == 0;
    opens: [FIEN];
}

extension! {
    /// ID_AA64MMFR2_EL1.IESB: the CPU synchronises errors at each entry to EL3 and each exit, without an instruction.
    /// So one world does not take an error of the other.
    pub IESB = "";
    present: |id| field(id.mmfr2, 12) != 0;
    opens: [];
    // SAFETY: only the synchronisation of errors changes.
    init: { unsafe { SCTLR_EL3::write(SCTLR_EL3::read() | SCTLR_IESB) } }
}
