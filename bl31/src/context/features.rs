//! What the CPU has: the ID registers, read once, and the set of features decided from them.

use super::mrs;

/// The ID registers that any decision needs, as this core shows them.
///
/// Encodings in the ID space that a CPU does not know read as zero, which means "not implemented" in
/// every field used here, so no read has to be guarded by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct IdRegs {
    pub pfr0: u64,
    pub pfr1: u64,
    pub pfr2: u64,
    pub dfr0: u64,
    pub dfr1: u64,
    pub dfr2: u64,
    pub isar0: u64,
    pub isar1: u64,
    pub isar2: u64,
    pub isar3: u64,
    pub mmfr0: u64,
    pub mmfr1: u64,
    pub mmfr2: u64,
    pub mmfr3: u64,
    pub mmfr4: u64,
    pub smfr0: u64,
    pub midr: u64,
    /// Which implementation defined bits of EL1 there are.
    pub impdef_el1: u64,
    /// The same for EL2.
    pub impdef_el2: u64,
    /// ERRIDR_EL1, zero without FEAT_RAS.
    pub erridr: u64,
    /// ICH_VTR_EL2, zero without the GIC's system registers or EL2.
    pub ich_vtr: u64,
}

/// The 4-bit field of an ID register whose lowest bit is `shift`.
#[inline]
pub const fn field(register: u64, shift: u32) -> u64 {
    register >> shift & 0xf
}

impl IdRegs {
    /// Reads this core's ID registers.
    pub fn read() -> Self {
        use crate::cpu_ext::{gic, impdef, ras};
        let mut id = Self {
            pfr0: mrs!("ID_AA64PFR0_EL1"),
            pfr1: mrs!("ID_AA64PFR1_EL1"),
            pfr2: mrs!("S3_0_C0_C4_2"),
            dfr0: mrs!("ID_AA64DFR0_EL1"),
            dfr1: mrs!("ID_AA64DFR1_EL1"),
            dfr2: mrs!("S3_0_C0_C5_2"),
            isar0: mrs!("ID_AA64ISAR0_EL1"),
            isar1: mrs!("ID_AA64ISAR1_EL1"),
            isar2: mrs!("S3_0_C0_C6_2"),
            isar3: mrs!("S3_0_C0_C6_3"),
            mmfr0: mrs!("ID_AA64MMFR0_EL1"),
            mmfr1: mrs!("ID_AA64MMFR1_EL1"),
            mmfr2: mrs!("S3_0_C0_C7_2"),
            mmfr3: mrs!("S3_0_C0_C7_3"),
            mmfr4: mrs!("S3_0_C0_C7_4"),
            smfr0: mrs!("S3_0_C0_C4_5"),
            midr: mrs!("MIDR_EL1"),
            impdef_el1: impdef::bits_el1(),
            impdef_el2: 0,
            erridr: 0,
            ich_vtr: 0,
        };
        if id.el2() {
            id.impdef_el2 = impdef::bits_el2();
        }
        if (ras::RAS.present)(&id) {
            id.erridr = mrs!("S3_0_C5_C3_0");
        }
        if (gic::GIC.present)(&id) && id.el2() {
            id.ich_vtr = gic::read_ich_vtr();
        }
        id
    }

    /// Whether EL2 is implemented.
    pub const fn el2(&self) -> bool {
        field(self.pfr0, 8) != 0
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What the switch and EL3's set-up ask about, one bit each in [`Features`].
        ///
        /// Most are extensions that have their file in [`crate::cpu_ext`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        pub enum Feature {
            $($(#[$doc])* $name,)*
        }
    };
}

features! {
    /// EL2 is implemented.
    EL2,
    /// EL1 has implementation defined bits.
    IMPDEF_EL1,
    /// EL2 has.
    IMPDEF_EL2,
    /// EL1 can use AArch32.
    AA32_EL1,
    /// The GIC CPU interface has system registers.
    GIC,
    /// The SPMC relies on EL3 for AArch32 state of EL1: the mode decides it, not the CPU.
    SPSR_AA32,
    /// Any of the registers that follow in the bank's `late` part.
    LATE_EL2,
    /// The same for the EL1 bank.
    LATE_EL1,
    /// Never set: for the bank that has no such part, and for what depends on the mode alone.
    NONE,
    /// List registers 0 to 3 and the first active priorities registers: all GICv3 have some.
    ICH_LR0_3,
    /// List registers 4 to 7.
    ICH_LR4_7,
    /// List registers 8 to 11.
    ICH_LR8_11,
    /// List registers 12 to 15.
    ICH_LR12_15,
    /// Active priorities registers 1.
    ICH_APR1,
    /// Active priorities registers 2 and 3.
    ICH_APR2_3,
    PAUTH,
    VHE,
    RAS,
    RAS_RECORDS,
    SEL2,
    FGT,
    FGT2,
    HCX,
    ECV,
    MTE,
    CSV2_2,
    NV2,
    TCR2,
    S1PIE,
    S1POE,
    S2PIE,
    S2POE,
    SCTLR2,
    GCS,
    THE,
    D128,
    AIE,
    PFAR,
    FPMR,
    SVE,
    SME,
    /// TPIDR2_EL0, of FEAT_SME.
    TPIDR2,
    SME2,
    SME_FA64,
    MPAM,
    AMU,
    AMU_V1P1,
    /// FEAT_FGT and FEAT_AMUv1 together have HAFGRTR_EL2.
    HAFGRTR,
    PMU,
    /// See [`crate::context::simd`]: FP is not switched lazily.
    EAGER_FP,
    EBEP,
    TRF,
    TRACE,
    TRBE,
    SPE,
    BRBE,
    DEBUG_V8P9,
    STEP2,
    LS64_ACCDATA,
    HDBSS,
    HACDBS,
    SRMASK,
    MOPS,
    PAN,
    NMI,
    RNG_TRAP,
    TWED,
    DIT,
}

const _: () = assert!((Feature::DIT as u32) < u128::BITS);

/// A set of [`Feature`]s. What is switched comes first, so that a switch only looks at the lower half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u128);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);

    /// The set of `list`.
    pub const fn of(list: &[Feature]) -> Self {
        let mut bits = 0_u128;
        let mut i = 0;
        while i < list.len() {
            bits |= 1 << list[i] as u32;
            i += 1;
        }
        Self(bits)
    }

    /// Whether `feature` is in the set.
    #[inline(always)]
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & 1 << feature as u32 != 0
    }

    /// Whether the feature with this number is in the set.
    pub const fn has_number(self, feature: u8) -> bool {
        self.0 >> (feature & 127) & 1 != 0
    }

    /// Whether the two sets have a feature in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Adds `feature`.
    pub const fn insert(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u32;
    }

    /// Takes `feature` out.
    pub const fn remove(&mut self, feature: Feature) {
        self.0 &= !(1 << feature as u32);
    }

    /// The features of one set that the other lacks.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What both sets have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What the ID registers say.
    pub fn from_id(id: &IdRegs) -> Self {
        let mut features = crate::cpu_ext::present(id);
        let late = [crate::context::El2Bank::LATE, crate::context::El1Bank::LATE];
        for &(any, groups) in late.into_iter().flatten() {
            if features.meets(groups) {
                features.insert(any);
            }
        }
        features
    }
}
