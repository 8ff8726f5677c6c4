//! FEAT_SME, FEAT_SME2: the scalable matrix extension. ZA, ZT0 and streaming mode are
//! [`crate::context::simd`]'s; here are the registers that control it.

use super::Extension;
use crate::context::{Feature, el3::scr, field, isb, msr, registers::registers, vectors};

registers! {
    /// EL1's.
    pub struct SmeEl1 in El1Bank.sme {
        smcr_el1 = "S3_0_C1_C2_6",
        smpri_el1 = "S3_0_C1_C2_4",
    }
}

registers! {
    /// EL2's.
    pub struct SmeEl2 in El2Bank.sme {
        smcr_el2 = "S3_4_C1_C2_6",
        smprimap_el2 = "S3_4_C1_C2_5",
    }
}

registers! {
    /// A second thread pointer, not trapped with the rest of SME: an SPMC that does not know SME
    /// would not save it.
    pub struct Tpidr2 in CommonBank.tpidr2 { tpidr2_el0 = "S3_3_C13_C0_5" }
}

/// SMCR_ELx.LEN: no limit; EZT0: ZT0 is not trapped; FA64: all of A64 is legal in streaming mode. The
/// bits of an extension that is not there are RES0.
const NO_LIMIT: u64 = 1 << 31 | 1 << 30 | 0xf;

/// ID_AA64PFR1_EL1.SME.
pub const SME: Extension = Extension::new(Feature::SME, "SME", |id| field(id.pfr1, 24) != 0)
    // An EL2 that does not know SME does not limit EL1.
    .first(|sys| sys.el2.sme.smcr_el2 = NO_LIMIT);

/// Takes EL3's limits off streaming mode on this core, and returns the length of its longest vectors,
/// in bytes. CPTR_EL3 must not trap SME.
pub fn longest() -> u16 {
    msr!("S3_6_C1_C2_6", NO_LIMIT);
    isb!();
    // SAFETY: the callers have the extension, and it is not trapped.
    unsafe { vectors::streaming_length() }
}

/// TPIDR2_EL0. Both worlds get it, the secure world on its first use.
pub const TPIDR2: Extension = Extension::new(Feature::TPIDR2, "", |id| field(id.pfr1, 24) != 0)
    .opens(|_, el3| el3.scr_el3 |= scr::EN_TP2);

/// ID_AA64PFR1_EL1.SME from 2: ZT0.
pub const SME2: Extension = Extension::new(Feature::SME2, "SME2", |id| field(id.pfr1, 24) >= 2);

/// ID_AA64SMFR0_EL1.FA64.
pub const FA64: Extension = Extension::new(Feature::SME_FA64, "SME_FA64", |id| {
    field(id.pfr1, 24) != 0 && id.smfr0 >> 63 != 0
});
