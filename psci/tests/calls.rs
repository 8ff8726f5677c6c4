// SPDX-License-Identifier: BSD-3-Clause

//! The answers and decisions of each function.
#![cfg(not(feature = "loom"))]

mod common;

use common::*;
use janus_psci::{
    Arrival, ArrivalReason, Decision, PowerState, PowerTable, Psci, PsciPlatform, Reset, StateType,
    Suspend, TurnOff, names, psci::*,
};

const DENIED: i64 = -3;
const INVALID_PARAMETERS: i64 = -2;
const INVALID_ADDRESS: i64 = -9;
const NOT_SUPPORTED: i64 = -1;

fn affinity_info(psci: &Test, affinity: u64) -> i64 {
    returns(psci, 0, PSCI_AFFINITY_INFO_64, [affinity, 0, 0])
}

#[test]
fn the_platforms_tables_agree() {
    assert_eq!(janus_psci::platform::check(&Board::POWER), Ok(()));
    assert_eq!(janus_psci::platform::check(&Bare::POWER), Ok(()));
}

#[test]
fn a_table_that_contradicts_itself_is_named() {
    let wrong = |value, levels| {
        let states: &'static [PowerState] = vec![PowerState { value, levels }].leak();
        let power = PowerTable {
            states,
            ..Board::POWER
        };
        janus_psci::platform::check(&power).unwrap_err()
    };
    for (value, levels, why) in [
        (1 << 31 | 1, [1, 0, 0], "reserved bits are set"),
        (0x1, [0, 0, 0], "the core runs"),
        (0x1, [3, 0, 0], "there is no such depth"),
        (
            0x1_0002,
            [2, 0, 2],
            "a level sleeps though the one below runs",
        ),
        (
            0x100_0001,
            [1, 2, 0],
            "a level loses its state though the one below keeps it",
        ),
        (
            0x2,
            [2, 0, 0],
            "StateType disagrees with what the core loses",
        ),
        (
            0x1_0002,
            [2, 2, 0],
            "PowerLevel is not the highest level that sleeps",
        ),
    ] {
        assert_eq!(wrong(value, levels), (why, value));
    }
    let power = PowerTable {
        system_suspend: Some([0, 2, 2]),
        ..Board::POWER
    };
    assert_eq!(
        janus_psci::platform::check(&power),
        Err(("the core runs", 0))
    );
}

#[test]
fn version_is_1_3() {
    assert_eq!(returns(&booted(), 0, PSCI_VERSION, [0; 3]), 0x1_0003);
    assert_eq!(
        returns(&booted(), 0, PSCI_VERSION | 1 << 30, [0; 3]),
        NOT_SUPPORTED
    );
}

#[test]
fn features_and_calls_agree() {
    let psci = booted();
    for number in 0..0x40 {
        for function in [0x8400_0000 | number, 0xC400_0000 | number] {
            let told = returns(&psci, 0, PSCI_FEATURES, [function.into(), 0, 0]) >= 0;
            let arguments = [PSCI_VERSION.into(), 0, 0];
            let there = psci.call(0, function, arguments) != Decision::Return(NOT_SUPPORTED);
            assert_eq!(told, there, "{function:#x}");
            if there {
                assert!(
                    names::function(function).is_some(),
                    "{function:#x} has no name"
                );
            }
        }
    }
}

/// Function IDs that differ from PSCI's by up to two bits of the owner and the reserved bits, in both kinds and
/// conventions, with and without the SVE hint.
#[test]
fn no_other_function_id_is_known() {
    const SMC32: [u32; 20] = [
        0, 1, 2, 3, 4, 6, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
    ];
    const SMC64: [u32; 11] = [1, 3, 4, 0xc, 0xd, 0xe, 0x10, 0x11, 0x12, 0x14, 0x15];
    const HINT: u32 = 1 << 16;
    let arguments = [PSCI_VERSION.into(), 0, 0];
    let psci = booted();
    let bits: Vec<u32> = (8..32)
        .filter(|bit| *bit != 16)
        .map(|bit| 1 << bit)
        .collect();
    let wrong = |a: &u32| bits.iter().map(move |b| a | b).collect::<Vec<_>>();
    for wrong in [0].into_iter().chain(bits.iter().flat_map(wrong)) {
        for number in 0..0x100 {
            let function = 0x8400_0000 ^ wrong | number;
            let known = match wrong {
                0 => SMC32.contains(&number),
                0x4000_0000 => SMC64.contains(&number),
                _ => false,
            };
            let decision = psci.call(0, function, arguments);
            let there = decision != Decision::Return(NOT_SUPPORTED);
            assert_eq!(there, known, "{function:#x}");
            assert!(!known || janus_psci::in_range(function), "{function:#x}");
            if known {
                let [plain, hinted] =
                    [function, function | HINT].map(|id| booted().call(0, id, arguments));
                assert_eq!(hinted, plain, "{function:#x}");
            } else {
                let hinted = psci.call(0, function | HINT, arguments);
                assert_eq!(hinted, decision, "{function:#x}");
            }
            assert_eq!(
                janus_psci::in_range(function | HINT),
                janus_psci::in_range(function)
            );
            // The hint is no part of a name.
            let told = [function, function | HINT]
                .map(|id| returns(&psci, 0, PSCI_FEATURES, [id.into(), 0, 0]) >= 0);
            let smccc_version = function == 0x8000_0000;
            assert_eq!(told, [known || smccc_version, false], "{function:#x}");
        }
    }
}

#[test]
fn features_of_the_bare_platform() {
    let psci = Psci::<_, 1>::new(Bare);
    psci.init(0, 0);
    let supported: Vec<u32> = (0..0x40)
        .flat_map(|number| [0x8400_0000 | number, 0xC400_0000 | number])
        .filter(|&id| psci.call(0, PSCI_FEATURES, [id.into(), 0, 0]) != Decision::Return(-1))
        .collect();
    assert_eq!(
        supported,
        [
            PSCI_VERSION,
            PSCI_CPU_SUSPEND_32,
            PSCI_CPU_SUSPEND_64,
            PSCI_CPU_OFF,
            PSCI_CPU_ON_32,
            PSCI_CPU_ON_64,
            PSCI_AFFINITY_INFO_32,
            PSCI_AFFINITY_INFO_64,
            PSCI_MIGRATE_INFO_TYPE,
            PSCI_SYSTEM_OFF,
            PSCI_SYSTEM_RESET,
            PSCI_FEATURES,
        ]
    );
    // Extended state IDs, no OS-initiated mode.
    let features = psci.call(0, PSCI_FEATURES, [PSCI_CPU_SUSPEND_64.into(), 0, 0]);
    assert_eq!(features, Decision::Return(0b10));
}

#[test]
fn features_flags() {
    let psci = booted();
    let features = |id: u32| returns(&psci, 0, PSCI_FEATURES, [id.into(), 0, 0]);
    assert_eq!(features(PSCI_CPU_SUSPEND_32), 0b01);
    assert_eq!(features(janus_psci::PSCI_SYSTEM_OFF2_64), 0b1);
    assert_eq!(features(PSCI_CPU_ON_64), 0);
    assert_eq!(features(0x8000_0000), 0); // SMCCC_VERSION
    assert_eq!(features(0x8400_0060), NOT_SUPPORTED); // FF-A
    assert_eq!(features(0xC000_0000), NOT_SUPPORTED);
}

#[test]
fn a_core_comes_up() {
    let psci = booted();
    assert_eq!(affinity_info(&psci, 0x101), 1);
    let decision = psci.call(0, PSCI_CPU_ON_64, [0x101, ENTRY, 0xdead_beef_0000_0001]);
    assert_eq!(
        decision,
        Decision::TurnOn {
            core: 3,
            affinity: 0x101
        }
    );
    assert_eq!(affinity_info(&psci, 0x101), 2);
    assert_eq!(returns(&psci, 0, PSCI_CPU_ON_64, [0x101, ENTRY, 0]), -5);
    let arrival = Arrival {
        entry: ENTRY,
        context: 0xdead_beef_0000_0001,
        reason: ArrivalReason::CpuOn,
    };
    assert_eq!(psci.arrive(3), Some(arrival));
    psci.wake(3, 0, |_| {});
    assert_eq!(affinity_info(&psci, 0x101), 2);
    psci.started(3);
    assert_eq!(affinity_info(&psci, 0x101), 0);
    assert_eq!(returns(&psci, 0, PSCI_CPU_ON_64, [0x101, ENTRY, 0]), -4);
    assert_eq!(returns(&psci, 0, PSCI_CPU_ON_64, [0, ENTRY, 0]), -4);
    assert_eq!(psci.cores_on(), 2);
    assert_eq!(psci.arrive(2), None, "nobody sent core 2");
}

#[test]
fn smc32_arguments_have_32_bits() {
    let psci = booted();
    let high = 0xffff_ffff_0000_0000;
    let decision = psci.call(0, PSCI_CPU_ON_32, [high | 1, high | ENTRY, high | 7]);
    assert_eq!(
        decision,
        Decision::TurnOn {
            core: 1,
            affinity: 1
        }
    );
    assert_eq!(psci.arrive(1).unwrap().context, 7);
    assert_eq!(
        returns(&psci, 0, PSCI_AFFINITY_INFO_32, [high | 1, high, 0]),
        2
    );
    // In an SMC64 call only some are 32 bits wide.
    assert_eq!(returns(&psci, 0, PSCI_AFFINITY_INFO_64, [1, high, 0]), 2);
    assert_eq!(
        returns(&psci, 0, PSCI_CPU_ON_64, [high | 1, ENTRY, 0]),
        INVALID_PARAMETERS
    );
}

#[test]
fn a_release_that_fails_leaves_the_core_off() {
    let psci = booted();
    assert!(matches!(
        psci.call(0, PSCI_CPU_ON_64, [1, ENTRY, 0]),
        Decision::TurnOn { .. }
    ));
    assert_eq!(psci.turn_on_failed(1), -6);
    assert_eq!(affinity_info(&psci, 1), 1);
    assert_eq!(psci.cores_on(), 1);
    bring_up(&psci, 1);
}

/// Its power-down did not happen, and it found the CPU_ON: the platform gives up on a core that runs.
#[test]
fn a_core_that_has_come_is_not_taken_back() {
    let psci = booted();
    assert!(matches!(
        psci.call(0, PSCI_CPU_ON_64, [1, ENTRY, 0]),
        Decision::TurnOn { .. }
    ));
    assert!(psci.arrive(1).is_some());
    assert_eq!(psci.turn_on_failed(1), 0);
    assert_eq!(affinity_info(&psci, 1), 2);
    assert_eq!(psci.arrive(1), None);
    psci.wake(1, 0, |_| {});
    psci.started(1);
    assert_eq!(affinity_info(&psci, 1), 0);
    assert_eq!(psci.cores_on(), 2);
}

#[test]
fn a_core_goes_off() {
    let psci = booted();
    bring_up(&psci, 1);
    let off = Decision::TurnOff(TurnOff {
        function: PSCI_CPU_OFF,
        freeze: false,
    });
    assert_eq!(psci.call(1, PSCI_CPU_OFF, [0; 3]), off);
    assert_eq!(affinity_info(&psci, 1), 0, "asking the SPMC is not off");
    let composite = psci.going_off(1, 0, |_| {});
    assert_eq!(composite.levels, [2, 0, 0]);
    assert_eq!(affinity_info(&psci, 1), 0);
    assert_eq!(
        returns(&psci, 0, PSCI_CPU_ON_64, [1, ENTRY, 0]),
        -4,
        "turning off is on"
    );
    psci.off(1);
    assert_eq!(affinity_info(&psci, 1), 1);
    bring_up(&psci, 1);
    assert_eq!(
        psci.call(1, PSCI_CPU_FREEZE, [0; 3]),
        Decision::TurnOff(TurnOff {
            function: PSCI_CPU_FREEZE,
            freeze: true
        })
    );
}

#[test]
fn the_last_core_takes_cluster_and_system_along() {
    let psci = booted();
    bring_up(&psci, 2);
    bring_up(&psci, 3);
    assert_eq!(psci.going_off(3, 0, |_| {}).levels, [2, 0, 0]);
    assert_eq!(psci.going_off(2, 0, |_| {}).levels, [2, 2, 0]);
    assert_eq!(psci.going_off(0, 0, |_| {}).levels, [2, 2, 2]);
}

#[test]
fn affinity_info_of_clusters() {
    let psci = booted();
    let info = |target, level| returns(&psci, 0, PSCI_AFFINITY_INFO_64, [target, level, 0]);
    assert_eq!(info(0x0, 1), 0);
    assert_eq!(info(0x100, 1), 1);
    assert_eq!(info(0x1ff, 1), 1, "fields below the level do not count");
    assert_eq!(info(0x200, 1), INVALID_PARAMETERS);
    assert_eq!(info(0x200, 2), 0);
    assert_eq!(info(0x0, 4), INVALID_PARAMETERS);
    assert_eq!(info(1 << 31, 1), INVALID_PARAMETERS);
    assert!(matches!(
        psci.call(0, PSCI_CPU_ON_64, [0x101, ENTRY, 0]),
        Decision::TurnOn { .. }
    ));
    assert_eq!(info(0x100, 1), 2);
    assert_eq!(info(0x0, 2), 0);
    assert_eq!(info(0x0, 3), INVALID_PARAMETERS, "no such power level here");
}

#[test]
fn migration() {
    let psci = booted();
    assert_eq!(returns(&psci, 0, PSCI_MIGRATE_INFO_TYPE, [0; 3]), 2);
    assert_eq!(returns(&psci, 0, PSCI_MIGRATE_64, [0; 3]), NOT_SUPPORTED);
    assert_eq!(
        returns(&psci, 0, PSCI_MIGRATE_INFO_UP_CPU_64, [0; 3]),
        NOT_SUPPORTED
    );
    bring_up(&psci, 3);
    psci.bind_spmc(3);
    assert_eq!(returns(&psci, 0, PSCI_MIGRATE_INFO_TYPE, [0; 3]), 1);
    assert_eq!(
        returns(&psci, 0, PSCI_MIGRATE_INFO_UP_CPU_64, [0; 3]),
        0x101
    );
    assert_eq!(
        returns(&psci, 0, PSCI_MIGRATE_INFO_UP_CPU_32, [0; 3]),
        0x101
    );
    let id = PSCI_MIGRATE_INFO_UP_CPU_64.into();
    assert_eq!(returns(&psci, 0, PSCI_FEATURES, [id, 0, 0]), 0);
    assert_eq!(returns(&psci, 3, PSCI_CPU_OFF, [0; 3]), DENIED);
    assert_eq!(affinity_info(&psci, 0x101), 0);
    turn_off(&psci, 0);
}

#[test]
fn system_off_and_reset() {
    let psci = booted();
    assert_eq!(
        psci.call(0, PSCI_SYSTEM_OFF, [0; 3]),
        Decision::SystemOff {
            function: PSCI_SYSTEM_OFF,
            hibernate: false
        }
    );
    let reset = |function, kind, cookie, clear_memory| {
        Decision::SystemReset(Reset {
            function,
            kind,
            cookie,
            clear_memory,
        })
    };
    assert_eq!(
        psci.call(0, PSCI_SYSTEM_RESET, [0; 3]),
        reset(PSCI_SYSTEM_RESET, None, 0, false)
    );
    assert_eq!(
        psci.call(0, PSCI_SYSTEM_RESET2_64, [0, 9, 0]),
        reset(PSCI_SYSTEM_RESET2_64, Some(0), 9, false)
    );
    let vendor = 0x8000_0001;
    assert_eq!(
        psci.call(0, PSCI_SYSTEM_RESET2_32, [vendor, 9, 0]),
        reset(PSCI_SYSTEM_RESET2_32, Some(vendor as u32), 9, false)
    );
    for kind in [1, 0x8000_0000, 0xffff_ffff] {
        assert_eq!(
            returns(&psci, 0, PSCI_SYSTEM_RESET2_64, [kind, 0, 0]),
            INVALID_PARAMETERS
        );
    }
    for kind in [0, 1] {
        let function = janus_psci::PSCI_SYSTEM_OFF2_64;
        let off = psci.call(0, function, [kind, 0, 0]);
        let expected = Decision::SystemOff {
            function,
            hibernate: true,
        };
        assert_eq!(off, expected);
    }
    for [kind, cookie] in [[2, 0], [0, 1], [1, 1 << 63]] {
        let off2 = janus_psci::PSCI_SYSTEM_OFF2_64;
        assert_eq!(
            returns(&psci, 0, off2, [kind, cookie, 0]),
            INVALID_PARAMETERS
        );
    }
}

#[test]
fn memory_protection() {
    let psci = booted();
    assert_eq!(returns(&psci, 0, PSCI_MEM_PROTECT, [1, 0, 0]), 0);
    assert_eq!(returns(&psci, 0, PSCI_MEM_PROTECT, [1, 0, 0]), 1);
    let Decision::SystemReset(reset) = psci.call(0, PSCI_SYSTEM_RESET, [0; 3]) else {
        panic!()
    };
    assert!(reset.clear_memory);
    assert_eq!(returns(&psci, 0, PSCI_MEM_PROTECT, [0, 0, 0]), 1);
    assert_eq!(returns(&psci, 0, PSCI_MEM_PROTECT, [0, 0, 0]), 0);
    let check =
        |base, length| returns(&psci, 0, PSCI_MEM_PROTECT_CHECK_RANGE_64, [base, length, 0]);
    assert_eq!(check(MEMORY.start, MEMORY.end - MEMORY.start), 0);
    assert_eq!(check(MEMORY.start, MEMORY.end - MEMORY.start + 1), DENIED);
    assert_eq!(check(MEMORY.start - 1, 2), DENIED);
    assert_eq!(check(MEMORY.start, 0), DENIED);
    assert_eq!(check(MEMORY.start, u64::MAX), DENIED);
}

fn suspend(psci: &Test, core: usize, state: u32) -> Suspend {
    match psci.call(core, PSCI_CPU_SUSPEND_64, [state.into(), ENTRY, 42]) {
        Decision::Suspend(suspend) => suspend,
        other => panic!("{other:?}"),
    }
}

/// Suspends `core` all the way; what sleeps.
fn sleep(psci: &Test, core: usize, state: u32, now: u64) -> [u8; 3] {
    let request = suspend(psci, core, state);
    psci.suspend(core, &request, now, |_| {}).unwrap().levels
}

fn wake(psci: &Test, core: usize, now: u64) -> [u8; 3] {
    let composite = psci.wake(core, now, |_| {});
    psci.started(core);
    composite.levels
}

#[test]
fn suspend_keeps_to_its_kind() {
    let psci = booted();
    let standby = suspend(&psci, 0, STANDBY);
    assert_eq!(
        (standby.state_type, standby.levels),
        (StateType::Retention, [1, 0, 0])
    );
    // The entry point of a standby state means nothing.
    assert!(matches!(
        psci.call(0, PSCI_CPU_SUSPEND_64, [STANDBY.into(), 1, 0]),
        Decision::Suspend(_)
    ));
    let down = suspend(&psci, 0, CORE_DOWN);
    assert_eq!(
        down,
        Suspend {
            function: PSCI_CPU_SUSPEND_64,
            state_type: StateType::PowerDown,
            levels: [2, 0, 0],
            entry: ENTRY,
            context: 42,
            system: false,
        }
    );
    psci.suspend(0, &down, 0, |_| {}).unwrap();
    assert_eq!(affinity_info(&psci, 0), 0, "a suspended core is on");
    assert_eq!(returns(&psci, 1, PSCI_CPU_ON_64, [0, ENTRY, 0]), -4);
    let arrival = Arrival {
        entry: ENTRY,
        context: 42,
        reason: ArrivalReason::CpuSuspend,
    };
    assert_eq!(psci.arrive(0), Some(arrival));
    assert_eq!(wake(&psci, 0, 0), [2, 0, 0]);
    assert_eq!(psci.arrive(0), None);
    for state in [
        0,
        2,
        STANDBY | 1 << 26,
        CORE_DOWN | 1 << 31,
        CORE_DOWN & 0xffff,
        u32::MAX,
    ] {
        let arguments = [state.into(), ENTRY, 0];
        assert_eq!(
            returns(&psci, 0, PSCI_CPU_SUSPEND_64, arguments),
            INVALID_PARAMETERS
        );
    }
    let arguments = [CORE_DOWN.into(), MEMORY.end, 0];
    assert_eq!(
        returns(&psci, 0, PSCI_CPU_SUSPEND_32, arguments),
        INVALID_ADDRESS
    );
}

#[test]
fn the_platform_coordinates() {
    let psci = booted();
    for core in 1..CORES {
        bring_up(&psci, core);
    }
    // The cluster sleeps when its last core does, no deeper than any core asked.
    assert_eq!(sleep(&psci, 0, CLUSTER_DOWN, 0), [2, 0, 0]);
    assert_eq!(sleep(&psci, 1, CLUSTER_RETENTION, 0), [2, 1, 0]);
    assert_eq!(wake(&psci, 0, 0), [2, 1, 0]);
    assert_eq!(
        wake(&psci, 1, 0),
        [2, 0, 0],
        "core 0 woke the cluster already"
    );
    // An off core agrees to anything; a standby core to nothing.
    turn_off(&psci, 3);
    assert_eq!(sleep(&psci, 2, SYSTEM_DOWN, 0), [2, 2, 0]);
    assert_eq!(sleep(&psci, 1, STANDBY, 0), [1, 0, 0]);
    assert_eq!(sleep(&psci, 0, SYSTEM_DOWN, 0), [2, 0, 0]);
    assert_eq!(wake(&psci, 1, 0), [1, 0, 0]);
    assert_eq!(sleep(&psci, 1, SYSTEM_DOWN, 0), [2, 2, 2]);
    assert_eq!(wake(&psci, 2, 0), [2, 2, 2]);
    assert_eq!(wake(&psci, 0, 0), [2, 2, 0]);
    // CPU_DEFAULT_SUSPEND is coordinated alike.
    assert_eq!(sleep(&psci, 1, SYSTEM_DOWN, 0), [2, 0, 0]);
    let Decision::Suspend(default) = psci.call(0, PSCI_CPU_DEFAULT_SUSPEND_64, [ENTRY, 5, 0])
    else {
        panic!()
    };
    assert_eq!((default.entry, default.context), (ENTRY, 5));
    assert_eq!(
        psci.suspend(0, &default, 0, |_| {}).unwrap().levels,
        [2, 1, 0]
    );
}

#[test]
fn the_os_coordinates() {
    let psci = booted();
    for core in 1..CORES {
        bring_up(&psci, core);
    }
    assert_eq!(returns(&psci, 0, PSCI_SET_SUSPEND_MODE, [1, 0, 0]), 0);
    assert_eq!(
        returns(&psci, 0, PSCI_SET_SUSPEND_MODE, [2, 0, 0]),
        INVALID_PARAMETERS
    );
    assert_eq!(returns(&psci, 0, PSCI_SET_SUSPEND_MODE, [0, 0, 0]), DENIED);
    let cluster = suspend(&psci, 0, CLUSTER_DOWN);
    assert_eq!(
        psci.suspend(0, &cluster, 0, |_| panic!("no hook")),
        Err(DENIED)
    );
    assert_eq!(sleep(&psci, 1, STANDBY, 0), [1, 0, 0]);
    assert_eq!(
        psci.suspend(0, &cluster, 0, |_| {}),
        Err(INVALID_PARAMETERS),
        "core 1 keeps state"
    );
    assert_eq!(wake(&psci, 1, 0), [1, 0, 0]);
    assert_eq!(sleep(&psci, 1, CORE_DOWN, 0), [2, 0, 0]);
    assert_eq!(
        sleep(&psci, 0, CORE_DOWN, 0),
        [2, 0, 0],
        "no more than was asked for"
    );
    assert_eq!(wake(&psci, 0, 0), [2, 0, 0]);
    assert_eq!(sleep(&psci, 0, CLUSTER_DOWN, 0), [2, 2, 0]);
    assert_eq!(wake(&psci, 1, 0), [2, 2, 0]);
    // Back to platform-coordinated mode: only alone.
    assert_eq!(wake(&psci, 0, 0), [2, 0, 0]);
    for core in 1..CORES {
        turn_off(&psci, core);
    }
    assert_eq!(returns(&psci, 0, PSCI_SET_SUSPEND_MODE, [0, 0, 0]), 0);
    bring_up(&psci, 1);
    assert_eq!(sleep(&psci, 1, CORE_DOWN, 0), [2, 0, 0]);
    assert_eq!(
        returns(&psci, 0, PSCI_SET_SUSPEND_MODE, [1, 0, 0]),
        DENIED,
        "core 1 sleeps"
    );
    assert_eq!(
        returns(&psci, 0, PSCI_SET_SUSPEND_MODE, [0, 0, 0]),
        0,
        "it is that mode"
    );
}

#[test]
fn system_suspend_is_for_the_last_core() {
    let psci = booted();
    let call = |psci: &Test| psci.call(0, PSCI_SYSTEM_SUSPEND_64, [ENTRY, 3, 0]);
    let Decision::Suspend(suspend) = call(&psci) else {
        panic!()
    };
    assert_eq!(
        (suspend.system, suspend.levels, suspend.context),
        (true, [2, 2, 2], 3)
    );
    assert!(matches!(
        psci.call(0, PSCI_CPU_ON_64, [1, ENTRY, 0]),
        Decision::TurnOn { .. }
    ));
    assert_eq!(call(&psci), Decision::Return(DENIED), "core 1 comes up");
    psci.arrive(1);
    psci.wake(1, 0, |_| {});
    psci.started(1);
    assert_eq!(call(&psci), Decision::Return(DENIED));
    turn_off(&psci, 1);
    assert_eq!(
        returns(&psci, 0, PSCI_SYSTEM_SUSPEND_64, [0, 0, 0]),
        INVALID_ADDRESS
    );
    assert_eq!(
        psci.suspend(0, &suspend, 0, |_| {}).unwrap().levels,
        [2, 2, 2]
    );
    assert_eq!(psci.arrive(0).unwrap().reason, ArrivalReason::SystemSuspend);
}

#[test]
fn node_state() {
    let psci = booted();
    bring_up(&psci, 2);
    let state = |target, level| returns(&psci, 0, PSCI_NODE_HW_STATE_64, [target, level, 0]);
    assert_eq!(
        (state(0, 0), state(1, 0), state(0x100, 1), state(0, 2)),
        (0, 1, 0, 0)
    );
    sleep(&psci, 2, STANDBY, 0);
    assert_eq!((state(0x100, 0), state(0x100, 1)), (2, 0));
    wake(&psci, 2, 0);
    sleep(&psci, 2, CLUSTER_RETENTION, 0);
    assert_eq!((state(0x100, 0), state(0x100, 1)), (1, 2));
    assert_eq!(state(0x100, 3), INVALID_PARAMETERS);
    assert_eq!(state(0x200, 0), INVALID_PARAMETERS);
}

#[test]
fn statistics() {
    let psci = booted();
    bring_up(&psci, 1);
    let read = |target: u64, state: u32| {
        let arguments = [target, state.into(), 0];
        (
            returns(&psci, 0, PSCI_STAT_RESIDENCY_64, arguments),
            returns(&psci, 0, PSCI_STAT_COUNT_64, arguments),
        )
    };
    assert_eq!(read(1, CORE_DOWN), (0, 0));
    // 50 ticks are a microsecond.
    sleep(&psci, 1, CORE_DOWN, 1_000);
    wake(&psci, 1, 1_500);
    assert_eq!(read(1, CORE_DOWN), (10, 1));
    assert_eq!(read(0, CORE_DOWN), (0, 0));
    sleep(&psci, 1, CLUSTER_DOWN, 2_000);
    sleep(&psci, 0, CLUSTER_DOWN, 3_000);
    wake(&psci, 0, 5_000);
    wake(&psci, 1, 6_000);
    assert_eq!(read(1, CLUSTER_DOWN), (40, 1));
    assert_eq!(read(0, CLUSTER_DOWN), (40, 1), "a state of the cluster");
    assert_eq!(read(0x100, CLUSTER_DOWN), (0, 0));
    assert_eq!(read(1, CORE_DOWN), (90, 2));
    sleep(&psci, 1, STANDBY, 0);
    wake(&psci, 1, u64::MAX / 2);
    assert_eq!(read(1, STANDBY).0, (u64::MAX / 2 / 50) as i64);
    assert_eq!(read(9, CORE_DOWN), (0, 0));
    assert_eq!(read(1, 77), (0, 0));
}

#[test]
fn the_function_count_is_what_psci_features_admits() {
    let psci = booted();
    let admitted = (0x8400_0000..0x8400_0020)
        .flat_map(|function| [function, function | 1 << 30])
        .filter(|&function| returns(&psci, 0, PSCI_FEATURES, [function, 0, 0]) >= 0);
    assert_eq!(psci.function_count() as usize, admitted.count());
}

/// DEN0022's recommended StateID has a field that says in which level the core is the last: a caller that
/// fills it in means the same state, and one that claims another level is refused.
#[test]
fn both_formats_of_the_state_id() {
    let psci = booted();
    for (state, level) in [
        (CORE_DOWN, 0),
        (CLUSTER_RETENTION, 1),
        (CLUSTER_DOWN, 1),
        (SYSTEM_DOWN, 2),
    ] {
        let without = suspend(&psci, 0, state);
        for claimed in 1..16 {
            let value = u64::from(state | claimed << 12);
            let call = psci.call(0, PSCI_CPU_SUSPEND_64, [value, ENTRY, 42]);
            let expected = if claimed == level {
                Decision::Suspend(without)
            } else {
                Decision::Return(INVALID_PARAMETERS)
            };
            assert_eq!(call, expected, "{value:#x}");
        }
    }
}
