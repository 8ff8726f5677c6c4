//! FP and SIMD, and FEAT_SVE: the scalable vector extension. Z, P and FFR are [`crate::context::simd`]'s; here are the
//! registers that control the vector length.

use super::Extension;
use crate::context::{Feature, field, isb, msr, registers::registers, vectors};

registers! {
    /// EL1's.
    pub struct SveEl1 in El1Bank.sve { zcr_el1 = "S3_0_C1_C2_0" }
}

registers! {
    /// EL2's.
    pub struct SveEl2 in El2Bank.sve { zcr_el2 = "S3_4_C1_C2_0" }
}

/// ZCR_ELx.LEN: no limit.
const LEN_MAX: u64 = 0xf;

/// ID_AA64PFR0_EL1.SVE.
pub const SVE: Extension = Extension::new(Feature::SVE, "SVE", |id| field(id.pfr0, 32) != 0)
    // An EL2 that does not know SVE does not limit EL1.
    .first(|sys| sys.el2.sve.zcr_el2 = LEN_MAX);

/// Takes EL3's limit off the length of vectors on this core, and returns the longest, in bytes.
/// CPTR_EL3 must not trap SVE.
pub fn longest() -> u16 {
    msr!("S3_6_C1_C2_0", LEN_MAX);
    isb!();
    // SAFETY: the callers have the extension, and it is not trapped.
    unsafe { vectors::vector_length() }
}

/// CPUs that may speculate with registers that are trapped ("variant 3a": Cortex-A57 and Cortex-A72,
/// MIDR_EL1.PartNum of implementer 0x41). They have no SVE; their FP registers never hold the secure
/// world's values while the normal world runs.
pub const EAGER_FP: Extension = Extension::new(Feature::EAGER_FP, "", |id| {
    id.midr >> 24 & 0xff == 0x41 && matches!(id.midr >> 4 & 0xfff, 0xd07 | 0xd08)
});
