//! The features that a CPU can have, as a set, and the ID registers that report them. `detect` reads these and decides.

use crate::cpu_ext::list::every_extension;

/// The ID registers on which decisions depend.
///
/// An ID register that a CPU does not know reads as zero. In every field that is used here, zero means "not
/// implemented", so that each register can be read without a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct IdRegs {
    /// ID_AA64PFR0_EL1.
    pub pfr0: u64,
    /// ID_AA64PFR1_EL1.
    pub pfr1: u64,
    /// ID_AA64PFR2_EL1.
    pub pfr2: u64,
    /// ID_AA64DFR0_EL1.
    pub dfr0: u64,
    /// ID_AA64DFR1_EL1.
    pub dfr1: u64,
    /// ID_AA64DFR2_EL1.
    pub dfr2: u64,
    /// ID_AA64ISAR0_EL1.
    pub isar0: u64,
    /// ID_AA64ISAR1_EL1.
    pub isar1: u64,
    /// ID_AA64ISAR2_EL1.
    pub isar2: u64,
    /// ID_AA64ISAR3_EL1.
    pub isar3: u64,
    /// ID_AA64MMFR0_EL1.
    pub mmfr0: u64,
    /// ID_AA64MMFR1_EL1.
    pub mmfr1: u64,
    /// ID_AA64MMFR2_EL1.
    pub mmfr2: u64,
    /// ID_AA64MMFR3_EL1.
    pub mmfr3: u64,
    /// ID_AA64MMFR4_EL1.
    pub mmfr4: u64,
    /// ID_AA64SMFR0_EL1.
    pub smfr0: u64,
    /// MIDR_EL1.
    pub midr: u64,
    /// The implementation defined bits of EL1 that exist.
    pub impdef_el1: u64,
    /// The implementation defined bits of EL2 that exist.
    pub impdef_el2: u64,
    /// ERRIDR_EL1; zero without FEAT_RAS.
    pub erridr: u64,
    /// ICH_VTR_EL2; zero without the GIC's system registers or EL2.
    pub ich_vtr: u64,
}

/// Returns the 4-bit field of an ID register whose lowest bit is `shift`.
#[inline]
pub const fn field(register: u64, shift: u32) -> u64 {
    register >> shift & 0xf
}

impl IdRegs {
    /// Returns whether EL2 is implemented.
    pub const fn el2(&self) -> bool {
        field(self.pfr0, 8) != 0
    }
}

/// Makes [`Feature`] from the list of extensions.
macro_rules! features {
    (() $($module:ident: $($EXTENSION:ident),+;)*) => {
        /// A feature on which the switch or EL3's set-up depends, one bit in [`Features`]. The names are those of the
        /// extensions in [`crate::cpu_ext`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        pub enum Feature {
            $($(
                #[doc = concat!("[`", stringify!($EXTENSION), "`](crate::cpu_ext::", stringify!($module), ").")]
                $EXTENSION,
            )+)*
            /// The number of features.
            COUNT,
        }
    };
}
every_extension! { features! () }

const _: () = assert!(Feature::COUNT as u32 <= u128::BITS);

/// A set of [`Feature`]s. Features with switched registers come first, so that a switch looks at the lower half alone
/// ([`Switched`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u128);

impl Features {
    /// Returns the lower half of the set.
    pub(super) const fn low(self) -> u64 {
        self.0 as u64
    }

    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Makes the set of the features in `list`.
    pub const fn of(list: &[Feature]) -> Self {
        let mut bits = 0_u128;
        let mut i = 0;
        while i < list.len() {
            bits |= 1 << list[i] as u32;
            i += 1;
        }
        Self(bits)
    }

    /// Returns whether `feature` is in the set.
    #[inline(always)]
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & 1 << feature as u32 != 0
    }

    /// Adds `feature`.
    pub const fn insert(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u32;
    }

    /// Removes `feature`.
    pub const fn remove(&mut self, feature: Feature) {
        self.0 &= !(1 << feature as u32);
    }

    /// Returns the features of this set that `other` lacks.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the features that both sets have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The extensions with registers in one bank, by how a switch tests for them.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    /// Those that most CPUs have ([`Found::Usually`](crate::cpu_ext::Found)). One test says that all are there.
    pub usual: Features,
    /// Those that open to the secure world on its first use. One test says that any is open.
    pub late: Features,
    /// Those that few CPUs have ([`Found::Rarely`](crate::cpu_ext::Found)). One test says that any is there.
    pub rare: Features,
}

/// A fact about more than one group: the bits of [`Switched`] above those of the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The EL2 bank is switched.
    El2 = 63,
    /// The EL1 bank is switched.
    El1 = 62,
    /// The EL2 bank is switched, the EL1 bank is not, and all usual groups of the EL2 and the common bank are there. None of
    /// these groups has to be tested.
    StraightEl2 = 61,
    /// The EL1 bank is switched, the EL2 bank is not, and all usual groups of the EL1 and the common bank are there.
    StraightEl1 = 60,
    /// At least one late or rare group is switched.
    More = 59,
    /// At least one rare group is switched.
    Rare = 58,
    /// A switch has more to do than to exchange the banks: vector state, MPAM3_EL3, or the door of the secure world.
    Beside = 57,
}

/// The number of features that can be switched.
pub const SWITCHED: u32 = Switch::Beside as u32;

/// What a switch exchanges. It is decided when a core comes on or an extension opens. It has the banks, the features
/// whose registers are exchanged, and facts about several groups ([`Switch`]), which spare most CPUs most tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switched(u64);

impl Switched {
    /// Nothing is exchanged.
    pub const NONE: Self = Self(0);

    /// Makes it from its bits.
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns whether the registers of `feature` are switched.
    #[inline(always)]
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & 1 << feature as u32 != 0
    }

    /// Returns whether `fact` holds.
    #[inline(always)]
    pub const fn is(self, fact: Switch) -> bool {
        self.0 & 1 << fact as u32 != 0
    }
}
