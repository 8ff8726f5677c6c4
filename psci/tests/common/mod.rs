// SPDX-License-Identifier: BSD-3-Clause

//! A platform for the tests: two clusters of two cores, all functions.
#![allow(dead_code)]

use janus_psci::platform::Format;
use janus_psci::psci::*;
use janus_psci::{Decision, PowerState, PowerTable, Psci, PsciPlatform};
use std::ops::Range;

/// Slots for cores, more than there are.
pub const SLOTS: usize = 6;
/// The cores that exist.
pub const CORES: usize = 4;

/// The error codes of PSCI (DEN0022), as a caller gets them.
pub const NOT_SUPPORTED: i64 = -1;
pub const INVALID_PARAMETERS: i64 = -2;
pub const DENIED: i64 = -3;
pub const ALREADY_ON: i64 = -4;
pub const ON_PENDING: i64 = -5;
pub const INVALID_ADDRESS: i64 = -9;

pub const MEMORY: Range<u64> = 0x4000_0000..0x8000_0000;
pub const ENTRY: u64 = 0x4100_0000;

/// Standby of the core.
pub const STANDBY: u32 = 0x1;
/// Power down of the core.
pub const CORE_DOWN: u32 = 0x1_0002;
/// Retention of the cluster, its cores down.
pub const CLUSTER_RETENTION: u32 = 0x101_0012;
/// Power down of the cluster.
pub const CLUSTER_DOWN: u32 = 0x101_0022;
/// Power down of the system.
pub const SYSTEM_DOWN: u32 = 0x201_0222;

#[derive(Debug)]
pub struct Board;

impl PsciPlatform for Board {
    const POWER: PowerTable = PowerTable {
        states: &[
            PowerState {
                value: STANDBY,
                levels: [1, 0, 0],
            },
            PowerState {
                value: CORE_DOWN,
                levels: [2, 0, 0],
            },
            PowerState {
                value: CLUSTER_RETENTION,
                levels: [2, 1, 0],
            },
            PowerState {
                value: CLUSTER_DOWN,
                levels: [2, 2, 0],
            },
            PowerState {
                value: SYSTEM_DOWN,
                levels: [2, 2, 2],
            },
        ],
        default_suspend: Some([2, 1, 0]),
        system_suspend: Some([2, 2, 2]),
        os_initiated: true,
        freeze: true,
        node_hw_state: true,
        statistics: true,
        hibernate: true,
        mem_protect: true,
        resets: &[0, 0x8000_0001],
        ..PowerTable::NONE
    };

    fn core(&self, affinity: u64) -> Option<usize> {
        // Reserved bits never get here; to find out, this platform does not look at them.
        match affinity & 0xff_00ff_ffff {
            0x000 => Some(0),
            0x001 => Some(1),
            0x100 => Some(2),
            0x101 => Some(3),
            _ => None,
        }
    }

    fn affinity(&self, core: usize) -> Option<u64> {
        [0x000, 0x001, 0x100, 0x101].get(core).copied()
    }

    fn domain(&self, core: usize, level: usize) -> usize {
        if level == 1 { core / 2 } else { 0 }
    }

    fn memory(&self) -> &[Range<u64>] {
        &[MEMORY]
    }

    fn frequency(&self) -> u64 {
        50_000_000
    }
}

/// A platform with nothing but what every platform has, and the extended format.
#[derive(Debug)]
pub struct Bare;

impl PsciPlatform for Bare {
    const POWER: PowerTable = PowerTable {
        format: Format::Extended,
        states: &[PowerState {
            value: 0x4000_0002,
            levels: [2, 0, 0],
        }],
        ..PowerTable::NONE
    };

    fn core(&self, affinity: u64) -> Option<usize> {
        (affinity == 0).then_some(0)
    }

    fn affinity(&self, core: usize) -> Option<u64> {
        (core == 0).then_some(0)
    }

    fn domain(&self, _: usize, _: usize) -> usize {
        0
    }

    fn memory(&self) -> &[Range<u64>] {
        &[MEMORY]
    }
}

pub type Test = Psci<Board, SLOTS>;

/// Booted on core 0.
pub fn booted() -> Test {
    let psci = Psci::new(Board);
    psci.init(0, 0);
    psci
}

/// The answer of a call that returns at once.
pub fn returns(psci: &Test, core: usize, function: u32, arguments: [u64; 3]) -> i64 {
    match psci.call(core, function, arguments) {
        Decision::Return(value) => value,
        other => panic!("{function:#x} {arguments:x?}: {other:?}"),
    }
}

/// CPU_ON of `core` by core 0, all the way.
pub fn bring_up(psci: &Test, core: usize) {
    let affinity = Board.affinity(core).unwrap();
    let decision = psci.call(0, 0xC400_0003, [affinity, ENTRY, core as u64]);
    assert_eq!(decision, Decision::TurnOn { core, affinity });
    psci.arrive(core).unwrap();
    psci.wake(core, 0, |_| {});
    psci.started(core);
}

/// CPU_OFF of `core`, all the way.
pub fn turn_off(psci: &Test, core: usize) {
    assert!(matches!(
        psci.call(core, 0x8400_0002, [0; 3]),
        Decision::TurnOff(_)
    ));
    psci.going_off(core, 0, |_| {});
    psci.off(core);
}

/// The errors that DEN0022 names for a function (SMC64 or SMC32), besides NOT_SUPPORTED.
pub fn errors(function: u32) -> &'static [i64] {
    match function & !(1 << 30) {
        0x8400_0001 => &[INVALID_PARAMETERS, INVALID_ADDRESS, DENIED],
        PSCI_CPU_OFF | PSCI_CPU_FREEZE => &[DENIED],
        PSCI_CPU_ON_32 => &[
            INVALID_PARAMETERS,
            INVALID_ADDRESS,
            ALREADY_ON,
            ON_PENDING,
            -6,
        ],
        PSCI_AFFINITY_INFO_32 | PSCI_NODE_HW_STATE_32 => &[INVALID_PARAMETERS],
        PSCI_CPU_DEFAULT_SUSPEND_32 => &[INVALID_ADDRESS, DENIED],
        PSCI_SYSTEM_SUSPEND_32 => &[INVALID_ADDRESS, ALREADY_ON, DENIED],
        PSCI_SET_SUSPEND_MODE => &[INVALID_PARAMETERS, DENIED],
        PSCI_SYSTEM_RESET2_32 => &[INVALID_PARAMETERS],
        PSCI_MEM_PROTECT_CHECK_RANGE_32 => &[DENIED],
        janus_psci::PSCI_SYSTEM_OFF2_32 => &[INVALID_PARAMETERS],
        _ => &[],
    }
}

/// Returns whether the function returns a number of 64 bits that is no status.
pub fn is_statistic(function: u32) -> bool {
    matches!(
        function & !(1 << 30),
        PSCI_STAT_RESIDENCY_32 | PSCI_STAT_COUNT_32
    )
}
