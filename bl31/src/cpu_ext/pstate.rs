//! Extensions whose state is in PSTATE, or that have none: they need nothing of EL3 but an entry in
//! the boot message. PSTATE goes with SPSR_EL3. Here are also those that would let EL3 trap what it has
//! no reason to trap: RNDR goes to the CPU (SCR_EL3.TRNDR clear), WFE is not delayed (TWEDEn clear), ID
//! registers are read as they are (TID3 and TID5 clear).
//!
//! [`crate::context::undefined`] knows what an exception does to PSTATE.PAN and PSTATE.ALLINT (FEAT_NMI).

use super::Extension;
use crate::context::{Feature, field};

/// ID_AA64ISAR2_EL1.MOPS. A hypervisor enables it for EL1 by HCRX_EL2.MSCEn.
pub const MOPS: Extension = Extension::new(Feature::MOPS, "MOPS", |id| field(id.isar2, 16) != 0);
/// ID_AA64MMFR1_EL1.PAN.
pub const PAN: Extension = Extension::new(Feature::PAN, "PAN", |id| field(id.mmfr1, 20) != 0);
/// ID_AA64PFR1_EL1.NMI.
pub const NMI: Extension = Extension::new(Feature::NMI, "NMI", |id| field(id.pfr1, 36) != 0);
/// ID_AA64PFR0_EL1.DIT.
pub const DIT: Extension = Extension::new(Feature::DIT, "DIT", |id| field(id.pfr0, 48) != 0);
/// ID_AA64PFR1_EL1.RNDR_trap.
pub const RNG_TRAP: Extension =
    Extension::new(Feature::RNG_TRAP, "RNG_TRAP", |id| field(id.pfr1, 28) != 0);
/// ID_AA64MMFR1_EL1.TWED.
pub const TWED: Extension = Extension::new(Feature::TWED, "TWED", |id| field(id.mmfr1, 32) != 0);
