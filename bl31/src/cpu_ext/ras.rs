//! FEAT_RAS: error synchronisation. SErrors go to the world that runs (SCR_EL3.EA clear); what an
//! ESB deferred is in DISR_EL1, a virtual SError in VDISR_EL2 and VSESR_EL2.
//!
//! Error records are the system's, not a world's; only which one is selected is switched. Fault
//! injection (SCR_EL3.FIEN) stays trapped.

use super::Extension;
use crate::context::{Feature, field, registers::registers};

registers! {
    /// A deferred SError: also the one that an ESB of EL2 finds.
    pub struct Disr in CommonBank.disr { disr_el1 = "S3_0_C12_C1_1" }
}

registers! {
    /// A virtual SError.
    pub struct RasEl2 in El2Bank.ras {
        vdisr_el2 = "S3_4_C12_C1_1",
        vsesr_el2 = "S3_4_C5_C2_3",
    }
}

registers! {
    /// Which error record ERX* access.
    pub struct RasRecords in El1Bank.ras { errselr_el1 = "S3_0_C5_C3_1" }
}

/// ID_AA64PFR0_EL1.RAS.
pub const RAS: Extension = Extension::new(Feature::RAS, "RAS", |id| field(id.pfr0, 28) != 0);

/// ERRIDR_EL1.NUM: there are records to select.
pub const RECORDS: Extension =
    Extension::new(Feature::RAS_RECORDS, "", |id| id.erridr & 0xffff != 0);
