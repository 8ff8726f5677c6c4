//! What a CPU can have: the ID registers that tell, and the set of features. `detect` reads and decides.

use crate::cpu_ext::list::every_extension;

/// The ID registers that any decision needs, as this core shows them.
///
/// Encodings in the ID space that a CPU does not know read as zero, which means "not implemented" in
/// every field used here, so no read has to be guarded by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(C)]
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
    /// Which implementation defined bits of EL2 there are.
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
    /// Whether EL2 is implemented.
    pub const fn el2(&self) -> bool {
        field(self.pfr0, 8) != 0
    }
}

/// Makes [`Feature`] from the list of extensions.
macro_rules! features {
    (() $($module:ident: $($EXTENSION:ident),+;)*) => {
        /// What the switch and EL3's set-up ask about, one bit each in [`Features`]: the extensions, by
        /// their names in [`crate::cpu_ext`], and what follows from them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        pub enum Feature {
            $($($EXTENSION,)+)*
            COUNT,
        }
    };
}
every_extension! { features! () }

const _: () = assert!(Feature::COUNT as u32 <= u128::BITS);

/// A set of [`Feature`]s. What is switched comes first, so that a switch only looks at the lower half:
/// [`Switched`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u128);

impl Features {
    /// The lower half.
    pub(super) const fn low(self) -> u64 {
        self.0 as u64
    }

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
}

/// The extensions of one bank, by how a switch asks for them.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    /// [`Found::Usually`](crate::cpu_ext::Found): one test says that all are there.
    pub usual: Features,
    /// Those that open to the secure world on its first use: one test says that any is.
    pub late: Features,
    /// [`Found::Rarely`](crate::cpu_ext::Found): the same.
    pub rare: Features,
}

/// What tells more than one group: the bits of [`Switched`] above those of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The EL2 bank is switched.
    El2 = 63,
    /// The EL1 bank is switched.
    El1 = 62,
    /// All usual groups of the EL2 bank.
    UsualEl2 = 61,
    /// All usual groups of the EL1 bank.
    UsualEl1 = 60,
    /// All usual groups of the common bank.
    UsualCommon = 59,
    /// Any late group of the EL2 bank.
    LateEl2 = 58,
    /// Any late group of the EL1 bank.
    LateEl1 = 57,
    /// Any late group of the common bank.
    LateCommon = 56,
    /// Any rare group of the EL2 bank.
    RareEl2 = 55,
    /// Any rare group of the EL1 bank.
    RareEl1 = 54,
    /// Any rare group of the common bank.
    RareCommon = 53,
}

/// How many features can be switched.
pub const SWITCHED: u32 = Switch::RareCommon as u32;

/// What a switch exchanges, decided whenever a core comes on or something opens: the banks, the features
/// whose registers are among it, and what is true of several at once, so that the usual CPU is asked little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switched(u64);

impl Switched {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// These bits.
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether the registers of `feature` are switched.
    #[inline(always)]
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & 1 << feature as u32 != 0
    }

    /// Whether this holds.
    #[inline(always)]
    pub const fn is(self, fact: Switch) -> bool {
        self.0 & 1 << fact as u32 != 0
    }
}
