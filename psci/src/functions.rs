// SPDX-License-Identifier: BSD-3-Clause

//! The one table of functions: which exist, in which width, and on which platform.
//!
//! Calls and PSCI_FEATURES both look into what the compiler makes from it: a byte for each function ID of PSCI's range.

use crate::platform::{Format, PsciPlatform};
use core::marker::PhantomData;
use janus_arm::{SMC64, SVE_HINT};
use smccc::psci::{
    PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64, PSCI_CPU_SUSPEND_32, PSCI_FEATURES,
    PSCI_MIGRATE_INFO_UP_CPU_32, PSCI_MIGRATE_INFO_UP_CPU_64, PSCI_VERSION,
};

/// SYSTEM_OFF2 (PSCI 1.3), SMC32.
pub const PSCI_SYSTEM_OFF2_32: u32 = 0x8400_0015;
/// SYSTEM_OFF2 (PSCI 1.3), SMC64.
pub const PSCI_SYSTEM_OFF2_64: u32 = 0xC400_0015;
/// The type of SYSTEM_OFF2, and the bit in its PSCI_FEATURES.
pub const HIBERNATE_OFF: u32 = 1;

/// SMCCC_VERSION, the only function outside PSCI's range that PSCI_FEATURES knows.
const SMCCC_VERSION: u32 = 0x8000_0000;

/// Function numbers whose PSCI_FEATURES tells more than that they exist.
const CPU_SUSPEND: u32 = PSCI_CPU_SUSPEND_32 & 0x1f;
const SYSTEM_OFF2: u32 = PSCI_SYSTEM_OFF2_32 & 0x1f;

/// What a function ID of PSCI's range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No function, or none of this platform.
    Unknown,
    /// PSCI_VERSION.
    Version,
    /// PSCI_FEATURES.
    Features,
    /// AFFINITY_INFO, SMC32.
    AffinityInfo32,
    /// AFFINITY_INFO, SMC64.
    AffinityInfo64,
    /// MIGRATE_INFO_UP_CPU, which exists while an SPMC is bound to a core.
    MigrateInfoUpCpu,
    /// Any other function.
    Other,
}

/// The number of [`place`]s of PSCI's functions.
const PLACES: usize = 0x20 * 4;

/// Returns the place of a function ID in the table of PSCI's functions: four times its number, plus 1 for SMC64, plus 2
/// for a yielding call, of which there are none. The SVE hint is ignored.
#[inline(always)]
const fn place(function: u32) -> usize {
    janus_arm::place(function).wrapping_sub(janus_arm::place(PSCI_VERSION)) as usize
}

/// Returns whether this function ID is in PSCI's range: the numbers 0 to 0x1f of the Standard Secure service. The SVE
/// hint is ignored. Some yielding calls count too, and [`crate::Psci`] does not know them.
#[inline(always)]
pub const fn in_range(function: u32) -> bool {
    place(function) < PLACES
}

/// The functions of platform `P`.
pub(crate) struct Functions<P>(PhantomData<P>);

impl<P: PsciPlatform> Functions<P> {
    /// Number, in SMC32, in SMC64, supported by the platform. MIGRATE (5) has no place in it: no
    /// SPMC migrates. MIGRATE_INFO_UP_CPU (7) exists while an SPMC is bound to a core.
    const TABLE: [(u32, bool, bool, bool); 20] = [
        (0x00, true, false, true),                              // PSCI_VERSION
        (0x01, true, true, true),                               // CPU_SUSPEND
        (0x02, true, false, true),                              // CPU_OFF
        (0x03, true, true, true),                               // CPU_ON
        (0x04, true, true, true),                               // AFFINITY_INFO
        (0x06, true, false, true),                              // MIGRATE_INFO_TYPE
        (0x08, true, false, true),                              // SYSTEM_OFF
        (0x09, true, false, true),                              // SYSTEM_RESET
        (0x0a, true, false, true),                              // PSCI_FEATURES
        (0x0b, true, false, P::POWER.freeze),                   // CPU_FREEZE
        (0x0c, true, true, P::POWER.default_suspend.is_some()), // CPU_DEFAULT_SUSPEND
        (0x0d, true, true, P::POWER.node_hw_state),             // NODE_HW_STATE
        (0x0e, true, true, P::POWER.system_suspend.is_some()),  // SYSTEM_SUSPEND
        (0x0f, true, false, P::POWER.os_initiated),             // SET_SUSPEND_MODE
        (0x10, true, true, P::POWER.statistics),                // STAT_RESIDENCY
        (0x11, true, true, P::POWER.statistics),                // STAT_COUNT
        (0x12, true, true, !P::POWER.resets.is_empty()),        // SYSTEM_RESET2
        (0x13, true, false, P::POWER.mem_protect),              // MEM_PROTECT
        (0x14, true, true, P::POWER.mem_protect),               // MEM_PROTECT_CHECK_RANGE
        (0x15, true, true, P::POWER.hibernate),                 // SYSTEM_OFF2
    ];

    /// What each place is.
    const KINDS: [Kind; PLACES] = {
        let (mut kinds, mut i) = ([Kind::Unknown; PLACES], 0);
        while i < Self::TABLE.len() {
            let (number, in32, in64, supported) = Self::TABLE[i];
            let (smc32, smc64) = (PSCI_VERSION | number, PSCI_VERSION | SMC64 | number);
            if in32 && supported {
                kinds[place(smc32)] = Self::kind_of(smc32);
            }
            if in64 && supported {
                kinds[place(smc64)] = Self::kind_of(smc64);
            }
            i += 1;
        }
        kinds[place(PSCI_MIGRATE_INFO_UP_CPU_32)] = Kind::MigrateInfoUpCpu;
        kinds[place(PSCI_MIGRATE_INFO_UP_CPU_64)] = Kind::MigrateInfoUpCpu;
        kinds
    };

    const fn kind_of(function: u32) -> Kind {
        match function {
            PSCI_VERSION => Kind::Version,
            PSCI_FEATURES => Kind::Features,
            PSCI_AFFINITY_INFO_32 => Kind::AffinityInfo32,
            PSCI_AFFINITY_INFO_64 => Kind::AffinityInfo64,
            _ => Kind::Other,
        }
    }

    /// The number of functions; SMC32 and SMC64 count separately.
    pub(crate) const COUNT: u32 = {
        let (mut count, mut i) = (0, 0);
        while i < PLACES {
            count += !matches!(Self::KINDS[i], Kind::Unknown | Kind::MigrateInfoUpCpu) as u32;
            i += 1;
        }
        count
    };

    /// Returns what `function` is on this platform.
    #[inline(always)]
    pub(crate) fn kind(function: u32) -> Kind {
        let kind = const { &Self::KINDS }.get(place(function));
        kind.copied().unwrap_or(Kind::Unknown)
    }

    /// Returns whether `function` is a PSCI function that exists on this platform.
    #[inline(always)]
    pub(crate) fn has(function: u32) -> bool {
        !matches!(Self::kind(function), Kind::Unknown | Kind::MigrateInfoUpCpu)
    }

    /// The answer of PSCI_FEATURES for `function`, or `None` for NOT_SUPPORTED.
    #[inline(always)]
    pub(crate) fn features(function: u32) -> Option<u32> {
        if function & SVE_HINT == 0 && Self::has(function) {
            return Some(match function & 0x1f {
                CPU_SUSPEND => {
                    P::POWER.os_initiated as u32
                        | ((matches!(P::POWER.format, Format::Extended)) as u32) << 1
                }
                SYSTEM_OFF2 => HIBERNATE_OFF,
                _ => 0,
            });
        }
        (function == SMCCC_VERSION).then_some(0)
    }
}
