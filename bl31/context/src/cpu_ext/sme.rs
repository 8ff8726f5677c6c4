//! FEAT_SME, FEAT_SME2: the scalable matrix extension. This file has the registers that control it. ZA, ZT0 and
//! streaming mode are handled by [`crate::simd`].

use crate::{
    el3::{
        Control,
        Register::{Cptr, Scr},
        cptr,
    },
    field,
    sysreg::{isb, sysregs},
    vectors,
};

/// CPTR_EL3.ESM.
const ESM: Control = Control::enable(Cptr, cptr::ESM)
    .on_first_use()
    .not_at_sel1();
/// SCR_EL3.EnTP2.
const ENTP2: Control = Control::enable(Scr, 1 << 41).secure_on_first_use();

/// SMCR_ELx.LEN: no limit; EZT0: ZT0 is not trapped; FA64: all of A64 is legal in streaming mode. On a CPU without ZT0
/// or FA64, their bits are RES0.
const NO_LIMIT: u64 = 1 << 31 | 1 << 30 | 0xf;

sysregs! {
    // Streaming mode and ZA: EL3 executes nothing that is illegal there.
    SVCR = "S3_3_C4_C2_2": read write;
    SMCR_EL3 = "S3_6_C1_C2_6": read unsafe write;
}

extension! {
    /// ID_AA64PFR1_EL1.SME.
    pub SME = "SME";
    present: |id| field(id.pfr1, 24) != 0;
    opens: [ESM];
    switched_by: simd;
    el1: SmeEl1 {
        smcr_el1 = "S3_0_C1_C2_6",
        smpri_el1 = "S3_0_C1_C2_4",
    }
    el2: SmeEl2 {
        smcr_el2 = "S3_4_C1_C2_6",
        smprimap_el2 = "S3_4_C1_C2_5",
    }
    // No limit for EL1 under an EL2 that does not know SME.
    first: |sys| sys.el2.SME.smcr_el2 = NO_LIMIT;
}

/// Removes EL3's limits on streaming mode on this core. Returns the length of its longest vectors in bytes. CPTR_EL3
/// must not trap SME.
pub fn longest() -> u16 {
    // SAFETY: no vectors are stored yet. Their places in memory are computed from the length that is found here.
    // The callers have the extension, and it is not trapped.
    unsafe {
        SMCR_EL3::write(NO_LIMIT);
        isb();
        vectors::streaming_length()
    }
}

extension! {
    /// TPIDR2_EL0, which is not trapped together with the rest of SME. It is switched, because an SPMC that does not
    /// know SME would not save it. Both worlds get it, the secure world on its first use.
    pub TPIDR2 = "";
    present: |id| field(id.pfr1, 24) != 0;
    opens: [ENTP2];
    common: Tpidr2 { tpidr2_el0 = "S3_3_C13_C0_5" }
}

extension! {
    /// ID_AA64PFR1_EL1.SME from 2: ZT0.
    pub SME2 = "SME2";
    present: |id| field(id.pfr1, 24) >= 2;
    opens: [];
}

extension! {
    /// ID_AA64SMFR0_EL1.FA64.
    pub SME_FA64 = "SME_FA64";
    present: |id| field(id.pfr1, 24) != 0 && id.smfr0 >> 63 != 0;
    opens: [];
}
