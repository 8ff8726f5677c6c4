//! FP and SIMD, and FEAT_SVE: the scalable vector extension. Z, P and FFR are
//! [`crate::context::simd`]'s; here are the registers that control the vector length.

use crate::context::{
    el3::{Control, Register::Cptr, cptr},
    field,
    sysreg::{isb, sysregs},
    vectors,
};
use crate::cpu_model::arm_part;

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
    // An EL2 that does not know SVE does not limit EL1.
    first: |sys| sys.el2.SVE.zcr_el2 = LEN_MAX;
}

/// Takes EL3's limit off the length of vectors on this core, and returns the longest, in bytes.
/// CPTR_EL3 must not trap SVE.
pub fn longest() -> u16 {
    // SAFETY: called before any vector is stored: where they are stored goes by the length that is found
    // here. The callers have the extension, and it is not trapped.
    unsafe {
        ZCR_EL3::write(LEN_MAX);
        isb();
        vectors::vector_length()
    }
}

extension! {
    /// CPUs that may speculate with registers that are trapped ("variant 3a": Cortex-A57 and Cortex-A72,
    /// MIDR_EL1.PartNum of implementer 0x41). They have no SVE; their FP registers never hold the secure
    /// world's values while the normal world runs.
    pub EAGER_FP = "";
    present: |id| matches!(arm_part(id.midr), Some(0xd07 | 0xd08));
    opens: [];
}
