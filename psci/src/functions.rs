// SPDX-License-Identifier: BSD-3-Clause

//! The one table of functions: which exist, in which width, and on which platform.
//!
//! Calls and PSCI_FEATURES both look into the word that is made from it, which has a bit for each function.

use crate::platform::{Format, PsciPlatform};
use core::marker::PhantomData;
use janus_arm::SMC64;
use smccc::psci::{PSCI_CPU_SUSPEND_32, PSCI_MIGRATE_INFO_UP_CPU_32, PSCI_VERSION};

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

    /// A bit for each function that exists: its number for SMC32, 32 more for SMC64.
    const BITS: u64 = {
        let (mut bits, mut i) = (0, 0);
        while i < Self::TABLE.len() {
            let (number, in32, in64, supported) = Self::TABLE[i];
            bits |= ((in32 && supported) as u64) << number;
            bits |= ((in64 && supported) as u64) << (number + 32);
            i += 1;
        }
        bits
    };

    /// The number of functions; SMC32 and SMC64 count separately.
    pub(crate) const COUNT: u32 = Self::BITS.count_ones();

    /// Returns whether `function` is a PSCI function that exists on this platform.
    #[inline(always)]
    pub(crate) fn has(function: u32) -> bool {
        Self::is_in(Self::BITS, function)
    }

    /// Returns whether `function` exists on this platform, now or while a Trusted OS is bound to a core.
    #[inline(always)]
    pub(crate) fn may_have(function: u32) -> bool {
        let number = PSCI_MIGRATE_INFO_UP_CPU_32 & 0x1f;
        Self::is_in(Self::BITS | 1 << number | 1 << (number + 32), function)
    }

    /// Returns whether the bit of `function` is set.
    #[inline(always)]
    fn is_in(bits: u64, function: u32) -> bool {
        let number = function ^ PSCI_VERSION;
        // SMC64 is bit 30; in the bits it counts 32.
        number & !SMC64 <= 0x1f && bits >> (number & 0x1f | number >> 25 & 32) & 1 != 0
    }

    /// The answer of PSCI_FEATURES for `function`, or `None` for NOT_SUPPORTED.
    #[inline(always)]
    pub(crate) fn features(function: u32) -> Option<u32> {
        if Self::has(function) {
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
