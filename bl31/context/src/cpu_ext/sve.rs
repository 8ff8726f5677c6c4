//! FP and SIMD, and FEAT_SVE: the scalable vector extension. This file has the registers that control the vector
//! length. Z, P and FFR are handled by [`crate::simd`].

use crate::{
    el3::{Control, Register::Cptr, cptr},
    field,
    sysreg::{isb, sysregs},
    vectors,
};
use janus_arm::cpu_model::arm_part;

/// CPTR_EL3.EZ.
const EZ: Control = Control::enable(Cptr, cptr::EZ).on_first_use().not_at_sel1();

/// ZCR_ELx.LEN: no limit.
const LEN_MAX: u64 = 0xf;

sysregs! {
    ZCR_EL3 = "S3_6_C1_C2_0": read unsafe write;
}

extension! {
    /// ID_AA64PFR0_EL1.SVE.
    pub SVE = "SVE";
    present: |id| field(id.pfr0, 32) != 0;
    opens: [EZ];
    switched_by: simd;
    el1: SveEl1 { zcr_el1 = "S3_0_C1_C2_0" }
    el2: SveEl2 { zcr_el2 = "S3_4_C1_C2_0" }
    // No limit for EL1 under an EL2 that does not know SVE.
    first: |sys| sys.el2.SVE.zcr_el2 = LEN_MAX;
}

/// Removes EL3's limit on the vector length of this core. Returns the longest length in bytes. CPTR_EL3 must not trap
/// SVE.
pub fn longest() -> u16 {
    // SAFETY: no vectors are stored yet. Their places in memory are computed from the length that is found here.
    // The callers have the extension, and it is not trapped.
    unsafe {
        ZCR_EL3::write(LEN_MAX);
        isb();
        vectors::vector_length()
    }
}

extension! {
    /// CPUs that may speculate with registers that are trapped ("variant 3a"): Cortex-A57 and Cortex-A72, by
    /// MIDR_EL1. They have no SVE. Their FP registers are switched eagerly, so that they never hold the secure world's
    /// values while the normal world runs.
    pub EAGER_FP = "";
    present: |id| matches!(arm_part(id.midr), Some(0xd07 | 0xd08));
    opens: [];
}
