// SPDX-License-Identifier: BSD-3-Clause

//! Any register values, in any state that calls can lead to.
#![cfg(not(feature = "loom"))]

mod common;

use common::*;
use janus_psci::{Decision, PsciPlatform, psci::*};
use proptest::prelude::*;

/// Where a core is, as the test sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Off,
    Pending,
    On,
    Asleep,
}

/// The system under test next to what the test knows of it.
struct World {
    psci: Test,
    life: [Life; CORES],
}

impl World {
    fn new() -> Self {
        let mut life = [Life::Off; CORES];
        life[0] = Life::On;
        Self {
            psci: booted(),
            life,
        }
    }

    /// One step of one core, chosen by `what`, if it can take it.
    fn step(&mut self, core: usize, what: u8) {
        let psci = &self.psci;
        match (self.life[core], what) {
            (Life::Off, _) => {
                let Some(caller) = self.life.iter().position(|life| *life == Life::On) else {
                    return;
                };
                let affinity = Board.affinity(core).unwrap();
                let decision = psci.call(caller, PSCI_CPU_ON_64, [affinity, ENTRY, 0]);
                assert_eq!(decision, Decision::TurnOn { core, affinity });
                self.life[core] = Life::Pending;
            }
            (Life::Pending, 0) => {
                assert_eq!(psci.turn_on_failed(core), -6);
                self.life[core] = Life::Off;
            }
            (Life::Pending, _) => {
                psci.arrive(core).unwrap();
                psci.wake(core, 1, |_| {});
                psci.started(core);
                self.life[core] = Life::On;
            }
            (Life::On, 0) => {
                turn_off(psci, core);
                self.life[core] = Life::Off;
            }
            (Life::On, what) => {
                let states = Board::POWER.states;
                let state = states[usize::from(what) % states.len()].value;
                let call = psci.call(core, PSCI_CPU_SUSPEND_64, [state.into(), ENTRY, 0]);
                let Decision::Suspend(suspend) = call else {
                    panic!("{call:?}")
                };
                match psci.suspend(core, &suspend, 1, |_| {}) {
                    Ok(_) => self.life[core] = Life::Asleep,
                    Err(error) => assert!([DENIED, INVALID_PARAMETERS].contains(&error)),
                }
            }
            (Life::Asleep, _) => {
                psci.wake(core, 2, |_| {});
                psci.started(core);
                self.life[core] = Life::On;
            }
        }
    }

    fn check(&self) {
        for (core, life) in self.life.iter().enumerate() {
            let affinity = Board.affinity(core).unwrap();
            let state = returns(&self.psci, 0, PSCI_AFFINITY_INFO_64, [affinity, 0, 0]);
            assert_eq!(
                state,
                match life {
                    Life::Off => 1,
                    Life::Pending => 2,
                    Life::On | Life::Asleep => 0,
                }
            );
        }
        for (core, life) in self
            .life
            .iter()
            .enumerate()
            .filter(|(_, life)| **life != Life::Off)
        {
            let affinity = Board.affinity(core).unwrap();
            let error = returns(&self.psci, 0, PSCI_CPU_ON_64, [affinity, ENTRY, 0]);
            let expected = if *life == Life::Pending {
                ON_PENDING
            } else {
                ALREADY_ON
            };
            assert_eq!(error, expected);
        }
        let not_off = self.life.iter().filter(|life| **life != Life::Off).count();
        assert_eq!(self.psci.cores_on(), not_off);
    }
}

/// A history that leads somewhere.
fn history() -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((0..CORES, 0..8u8), 0..40)
}

fn world(history: &[(usize, u8)], os_initiated: bool) -> World {
    let mut world = World::new();
    if os_initiated {
        assert_eq!(returns(&world.psci, 0, PSCI_SET_SUSPEND_MODE, [1, 0, 0]), 0);
    }
    for (core, what) in history {
        world.step(*core, *what);
        world.check();
    }
    world
}

/// Values that are likely to matter, and any.
fn register() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..4u64,
        prop::sample::select(vec![
            0x100,
            0x101,
            0x200,
            0x8000_0000,
            ENTRY,
            ENTRY + 1,
            ENTRY + 2,
            MEMORY.start,
            MEMORY.end,
            MEMORY.end - 4,
            1 << 32,
            u64::MAX,
            0x8400_0001,
            0xC400_0003,
        ]),
        prop::sample::select(
            Board::POWER
                .states
                .iter()
                .map(|state| state.value.into())
                .collect::<Vec<u64>>()
        ),
        any::<u32>().prop_map(u64::from),
        // An entry point, nearly.
        any::<u64>().prop_map(|any| ENTRY ^ (any & !0xffff_ffff)),
    ]
}

fn function() -> impl Strategy<Value = u32> {
    prop_oneof![
        9 => (0..0x20u32, any::<bool>()).prop_map(|(number, wide)| {
            0x8400_0000 | number | u32::from(wide) << 30
        }),
        1 => any::<u32>(),
    ]
}

proptest! {
    #[test]
    fn a_call_answers_or_decides_and_an_error_changes_nothing(
        history in history(),
        os_initiated: bool,
        caller in 0..CORES,
        function in function(),
        arguments in [register(), register(), register()],
    ) {
        let world = world(&history, os_initiated);
        let before = format!("{:?}", world.psci);
        let decision = world.psci.call(caller, function, arguments);
        let after = format!("{:?}", world.psci);
        let changes = matches!(decision, Decision::TurnOn { .. })
            || matches!(function, PSCI_SET_SUSPEND_MODE | PSCI_MEM_PROTECT)
                && matches!(decision, Decision::Return(0 | 1));
        prop_assert!(changes || before == after, "{decision:?}");
        if let Decision::Return(value) = decision && value < 0 && !is_statistic(function) {
            let named = value == NOT_SUPPORTED || errors(function).contains(&value);
            prop_assert!(named, "{function:#x} {value}");
        }
    }

    #[test]
    fn functions_that_do_not_exist(function: u32, arguments in [register(), register(), register()]) {
        prop_assume!(function & !(1 << 30 | 0x1f) != 0x8400_0000);
        prop_assert_eq!(returns(&booted(), 0, function, arguments), NOT_SUPPORTED);
    }

    #[test]
    fn cores_that_do_not_exist(target in register(), state in register(), level in 0..3u64) {
        prop_assume!(target & !0xff_00ff_ffff != 0 || Board.core(target).is_none());
        let psci = booted();
        prop_assert_eq!(returns(&psci, 0, PSCI_CPU_ON_64, [target, ENTRY, 0]), INVALID_PARAMETERS);
        prop_assert_eq!(returns(&psci, 0, PSCI_AFFINITY_INFO_64, [target, 0, 0]), INVALID_PARAMETERS);
        let node = returns(&psci, 0, PSCI_NODE_HW_STATE_64, [target, level, 0]);
        prop_assert_eq!(node, INVALID_PARAMETERS);
        prop_assert_eq!(returns(&psci, 0, PSCI_STAT_COUNT_64, [target, state, 0]), 0);
        prop_assert_eq!(returns(&psci, 0, PSCI_STAT_RESIDENCY_64, [target, state, 0]), 0);
        // SMC32: the same of the lower half.
        if target & 0xff00_0000 != 0 || Board.core(target & 0xffff_ffff).is_none() {
            let on = returns(&psci, 0, PSCI_CPU_ON_32, [target, ENTRY, 0]);
            prop_assert_eq!(on, INVALID_PARAMETERS);
        }
    }

    #[test]
    fn entry_points_outside_memory(entry in register(), core in 1..CORES) {
        let valid = MEMORY.contains(&entry) && entry % 4 == 0;
        let psci = booted();
        let affinity = Board.affinity(core).unwrap();
        for (function, arguments) in [
            (PSCI_CPU_ON_64, [affinity, entry, 0]),
            (PSCI_CPU_SUSPEND_64, [CORE_DOWN.into(), entry, 0]),
            (PSCI_CPU_DEFAULT_SUSPEND_64, [entry, 0, 0]),
            (PSCI_SYSTEM_SUSPEND_64, [entry, 0, 0]),
        ] {
            let psci = if function == PSCI_SYSTEM_SUSPEND_64 { &booted() } else { &psci };
            let decision = psci.call(0, function, arguments);
            prop_assert_eq!(decision == Decision::Return(INVALID_ADDRESS), !valid);
        }
    }

    #[test]
    fn power_states_that_do_not_exist(state: u32, high: u32, entry in register()) {
        prop_assume!(
            Board::POWER
                .states
                .iter()
                .all(|known| known.value != state & !0xf000)
        );
        // The parameter has 32 bits: what is above them does not count.
        let x1 = u64::from(high) << 32 | u64::from(state);
        for function in [PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64] {
            let answer = returns(&booted(), 0, function, [x1, entry, 0]);
            prop_assert_eq!(answer, INVALID_PARAMETERS);
        }
    }

    #[test]
    fn ranges_are_checked_to_their_last_byte(base in register(), length in register()) {
        let psci = booted();
        let answer = returns(&psci, 0, PSCI_MEM_PROTECT_CHECK_RANGE_64, [base, length, 0]);
        let end = u128::from(base) + u128::from(length);
        let inside = base >= MEMORY.start && end <= MEMORY.end.into() && length > 0;
        prop_assert_eq!(answer, if inside { 0 } else { DENIED });
    }

    /// No platform-coordinated domain sleeps while one of its cores runs, and none sleeps deeper
    /// than each of its cores asked for.
    #[test]
    fn domains_sleep_only_with_all_their_cores(history in history()) {
        let mut world = World::new();
        for (core, what) in history {
            world.step(core, what);
            for level in 1..3 {
                for core in 0..CORES {
                    let affinity = Board.affinity(core).unwrap();
                    let state =
                        returns(&world.psci, 0, PSCI_NODE_HW_STATE_64, [affinity, level, 0]);
                    let awake = (0..CORES).any(|peer| {
                        Board.domain(peer, level as usize) == Board.domain(core, level as usize)
                            && world.life[peer] == Life::On
                    });
                    prop_assert!(!awake || state == 0, "level {level}");
                }
            }
        }
    }
}
