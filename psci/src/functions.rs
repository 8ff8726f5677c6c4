// SPDX-License-Identifier: BSD-3-Clause

//! The one table of functions: which exist, in which width, and on which platform.
//!
//! Calls and PSCI_FEATURES both look into what the compiler makes from it: a byte for each function ID of PSCI's range.

use crate::platform::{Format, PsciPlatform};
use core::marker::PhantomData;
use janus_arm::{SMC64, SVE_HINT};
use smccc::psci::{PSCI_MIGRATE_INFO_UP_CPU_32, PSCI_MIGRATE_INFO_UP_CPU_64, PSCI_VERSION};

/// SYSTEM_OFF2 (PSCI 1.3), SMC32.
pub const PSCI_SYSTEM_OFF2_32: u32 = 0x8400_0015;
/// SYSTEM_OFF2 (PSCI 1.3), SMC64.
pub const PSCI_SYSTEM_OFF2_64: u32 = 0xC400_0015;
/// The type of SYSTEM_OFF2, and the bit in its PSCI_FEATURES.
pub const HIBERNATE_OFF: u32 = 1;

/// SMCCC_VERSION, the only function outside PSCI's range that PSCI_FEATURES knows.
const SMCCC_VERSION: u32 = 0x8000_0000;

/// What a function ID of PSCI's range is. Those that [`crate::Psci::answer`] asks for come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No function, or none of this platform.
    Unknown,
    Version,
    Features,
    /// AFFINITY_INFO, SMC32.
    AffinityInfo32,
    /// AFFINITY_INFO, SMC64.
    AffinityInfo64,
    /// MIGRATE_INFO_UP_CPU, which exists while an SPMC is bound to a core.
    MigrateInfoUpCpu,
    CpuSuspend,
    CpuOff,
    CpuOn,
    MigrateInfoType,
    SystemOff,
    SystemReset,
    CpuFreeze,
    CpuDefaultSuspend,
    NodeHwState,
    SystemSuspend,
    SetSuspendMode,
    StatResidency,
    StatCount,
    SystemReset2,
    MemProtect,
    MemProtectCheckRange,
    SystemOff2,
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
    const TABLE: [(u32, Kind, bool, bool, bool); 21] = {
        let power = &P::POWER;
        let default_suspend = power.default_suspend.is_some();
        let system_suspend = power.system_suspend.is_some();
        [
            (0x00, Kind::Version, true, false, true),
            (0x01, Kind::CpuSuspend, true, true, true),
            (0x02, Kind::CpuOff, true, false, true),
            (0x03, Kind::CpuOn, true, true, true),
            (0x04, Kind::AffinityInfo32, true, false, true),
            (0x04, Kind::AffinityInfo64, false, true, true),
            (0x06, Kind::MigrateInfoType, true, false, true),
            (0x08, Kind::SystemOff, true, false, true),
            (0x09, Kind::SystemReset, true, false, true),
            (0x0a, Kind::Features, true, false, true),
            (0x0b, Kind::CpuFreeze, true, false, power.freeze),
            (0x0c, Kind::CpuDefaultSuspend, true, true, default_suspend),
            (0x0d, Kind::NodeHwState, true, true, power.node_hw_state),
            (0x0e, Kind::SystemSuspend, true, true, system_suspend),
            (0x0f, Kind::SetSuspendMode, true, false, power.os_initiated),
            (0x10, Kind::StatResidency, true, true, power.statistics),
            (0x11, Kind::StatCount, true, true, power.statistics),
            (
                0x12,
                Kind::SystemReset2,
                true,
                true,
                !power.resets.is_empty(),
            ),
            (0x13, Kind::MemProtect, true, false, power.mem_protect),
            (
                0x14,
                Kind::MemProtectCheckRange,
                true,
                true,
                power.mem_protect,
            ),
            (0x15, Kind::SystemOff2, true, true, power.hibernate),
        ]
    };

    /// What each place is.
    const KINDS: [Kind; PLACES] = {
        let (mut kinds, mut i) = ([Kind::Unknown; PLACES], 0);
        while i < Self::TABLE.len() {
            let (number, kind, in32, in64, supported) = Self::TABLE[i];
            if in32 && supported {
                kinds[place(PSCI_VERSION | number)] = kind;
            }
            if in64 && supported {
                kinds[place(PSCI_VERSION | SMC64 | number)] = kind;
            }
            i += 1;
        }
        kinds[place(PSCI_MIGRATE_INFO_UP_CPU_32)] = Kind::MigrateInfoUpCpu;
        kinds[place(PSCI_MIGRATE_INFO_UP_CPU_64)] = Kind::MigrateInfoUpCpu;
        kinds
    };

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

    /// The answer of PSCI_FEATURES for `function`, or `None` for NOT_SUPPORTED.
    #[inline(always)]
    pub(crate) fn features(function: u32) -> Option<u32> {
        match Self::kind(function) {
            _ if function & SVE_HINT != 0 => None,
            Kind::Unknown => (function == SMCCC_VERSION).then_some(0),
            Kind::MigrateInfoUpCpu => None,
            Kind::CpuSuspend => Some(
                P::POWER.os_initiated as u32
                    | ((matches!(P::POWER.format, Format::Extended)) as u32) << 1,
            ),
            Kind::SystemOff2 => Some(HIBERNATE_OFF),
            _ => Some(0),
        }
    }
}
