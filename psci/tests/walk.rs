// SPDX-License-Identifier: BSD-3-Clause

//! One long life of a machine: any calls on any core that runs, cores that come, go off, sleep and wake in any order,
//! next to a model of what the normal world was told.
//!
//! A run makes some hundred thousand calls. `JANUS_PSCI_CALLS=1000000000 cargo test --release -p janus-psci --test
//! walk` makes more.
#![cfg(not(feature = "loom"))]

mod common;

use common::*;
use janus_psci::{ArrivalReason, Decision, PsciPlatform, StateType, Suspend, psci::*};

/// Where a core is, as the normal world may know it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Off,
    /// CPU_ON has succeeded; the core arrives there.
    Pending {
        entry: u64,
        context: u64,
    },
    On,
    /// It sleeps in this.
    Asleep(Suspend),
}

/// A generator (splitmix64).
struct Draw(u64);

impl Draw {
    fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.any() % end as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn function(&mut self) -> u32 {
        match self.below(10) {
            0 => self.any() as u32,
            // What changes most.
            1 => self.of(&[PSCI_CPU_ON_64, PSCI_CPU_ON_32]),
            2 => self.of(&[PSCI_CPU_SUSPEND_64, PSCI_CPU_SUSPEND_32]),
            _ => 0x8400_0000 | self.below(0x20) as u32 | (self.below(2) as u32) << 30,
        }
    }

    fn register(&mut self) -> u64 {
        match self.below(10) {
            0 => self.any(),
            1 => self.any() & 0xffff_ffff,
            2 => self.below(4) as u64,
            3 | 4 => Board.affinity(self.below(CORES)).unwrap(),
            5 | 6 => Board::POWER.states[self.below(Board::POWER.states.len())]
                .value
                .into(),
            7 => self.of(&[
                0x102,
                0x200,
                0x8000_0000,
                0x8000_0001,
                MEMORY.start,
                MEMORY.end,
                MEMORY.end - 4,
                1 << 32,
                u64::MAX,
                PSCI_CPU_ON_64.into(),
            ]),
            _ => ENTRY + (self.any() & 0xff),
        }
    }
}

/// The machine, and what is known of it.
struct Walk {
    psci: Test,
    life: [Life; CORES],
    os_initiated: bool,
    now: u64,
    calls: u64,
    /// How often each of these came: calls refused, cores turned on, that arrived, off, asleep, and suspends that the
    /// tree refused.
    seen: [u64; 6],
}

impl Walk {
    fn is(&self, core: usize, life: impl Fn(&Life) -> bool) -> bool {
        life(&self.life[core])
    }

    fn event(&mut self, draw: &mut Draw) {
        self.now += draw.any() & 0xfff;
        let core = draw.below(CORES);
        match self.life[core] {
            Life::Off => assert_eq!(self.psci.arrive(core), None),
            Life::Pending { entry, context } => self.comes(core, draw, entry, context),
            Life::Asleep(suspend) => self.wakes(core, &suspend),
            Life::On => {
                // Who runs makes many calls until somebody wakes up.
                for _ in 0..=draw.below(8) {
                    if self.life[core] != Life::On {
                        break;
                    }
                    self.call(core, draw);
                }
            }
        }
        self.check(draw);
    }

    fn comes(&mut self, core: usize, draw: &mut Draw, entry: u64, context: u64) {
        if draw.below(4) == 0 {
            assert_eq!(self.psci.turn_on_failed(core), -6);
            self.life[core] = Life::Off;
            return;
        }
        let arrival = self.psci.arrive(core).unwrap();
        assert_eq!(arrival.reason, ArrivalReason::CpuOn);
        assert_eq!((arrival.entry, arrival.context), (entry, context));
        // It is too late to take it back.
        assert_eq!(self.psci.turn_on_failed(core), 0);
        self.psci.wake(core, self.now, |_| {});
        self.psci.started(core);
        self.life[core] = Life::On;
        self.seen[2] += 1;
    }

    fn wakes(&mut self, core: usize, suspend: &Suspend) {
        if suspend.state_type == StateType::PowerDown {
            let arrival = self.psci.arrive(core).unwrap();
            let reason = match suspend.system {
                true => ArrivalReason::SystemSuspend,
                false => ArrivalReason::CpuSuspend,
            };
            assert_eq!(arrival.reason, reason);
            assert_eq!(
                (arrival.entry, arrival.context),
                (suspend.entry, suspend.context)
            );
        } else {
            assert_eq!(self.psci.arrive(core), None);
        }
        let composite = self.psci.wake(core, self.now, |_| {});
        for (slept, asked) in composite.levels.iter().zip(suspend.levels) {
            // In OS-initiated mode the last core may have put the domain to sleep for all.
            let may = self.os_initiated || *slept <= asked;
            assert!(may, "{composite:?} of {suspend:?}");
        }
        self.psci.started(core);
        self.life[core] = Life::On;
    }

    fn call(&mut self, core: usize, draw: &mut Draw) {
        let function = draw.function();
        let mut arguments = [draw.register(), draw.register(), draw.register()];
        if draw.below(4) == 0 {
            // What would be accepted, as far as the state lets it.
            arguments[0] = match function | 1 << 30 {
                PSCI_CPU_ON_64 => Board.affinity(draw.below(CORES)).unwrap(),
                _ => arguments[0],
            };
            arguments[1] = ENTRY;
        }
        let decision = self.psci.call(core, function, arguments);
        self.calls += 1;
        match decision {
            Decision::Return(value) => self.returned(function, arguments, value),
            Decision::TurnOn { core, affinity } => {
                assert_eq!(function | 1 << 30, PSCI_CPU_ON_64);
                assert_eq!(self.life[core], Life::Off);
                assert_eq!(Board.affinity(core), Some(affinity));
                let mask = if function >> 30 & 1 == 0 {
                    u64::from(u32::MAX)
                } else {
                    u64::MAX
                };
                let [_, entry, context] = arguments.map(|x| x & mask);
                assert!(MEMORY.contains(&entry), "{entry:#x}");
                self.life[core] = Life::Pending { entry, context };
                self.seen[1] += 1;
            }
            Decision::TurnOff(_) => {
                let lives = |life: &Life| matches!(life, Life::On | Life::Asleep(_));
                let last = (0..CORES).filter(|&n| self.is(n, lives)).count() == 1;
                // The SPMC may refuse. (The last core may go; nothing would come after it here.)
                if draw.below(4) != 0 && !last {
                    self.psci.going_off(core, self.now, |_| {});
                    self.psci.off(core);
                    self.life[core] = Life::Off;
                    self.seen[3] += 1;
                }
            }
            Decision::Suspend(suspend) => self.suspends(core, draw, suspend),
            Decision::SystemOff { function, .. } => {
                assert!([0x8400_0008, 0x8400_0015].contains(&(function & !(1 << 30))));
            }
            Decision::SystemReset(reset) => {
                assert!([0x8400_0009, 0x8400_0012].contains(&(reset.function & !(1 << 30))));
            }
        }
    }

    fn suspends(&mut self, core: usize, draw: &mut Draw, suspend: Suspend) {
        let down = suspend.state_type == StateType::PowerDown;
        assert!(!down || MEMORY.contains(&suspend.entry), "{suspend:?}");
        let running = |life: &Life| *life != Life::Off;
        let others = (0..CORES)
            .filter(|&n| n != core && self.is(n, running))
            .count();
        assert!(!suspend.system || others == 0, "not the last core");
        if draw.below(4) == 0 {
            return; // An interrupt is pending, or the SPMC refuses.
        }
        match self.psci.suspend(core, &suspend, self.now, |_| {}) {
            Ok(composite) => {
                for level in 1..3 {
                    let peer_runs = (0..CORES).any(|peer| {
                        peer != core
                            && Board.domain(peer, level) == Board.domain(core, level)
                            && matches!(self.life[peer], Life::On)
                    });
                    let state = composite.levels[level];
                    assert!(state == 0 || !peer_runs, "level {level} of {composite:?}");
                    assert!(
                        state <= suspend.levels[level],
                        "{composite:?} of {suspend:?}"
                    );
                }
                self.life[core] = Life::Asleep(suspend);
                self.seen[4] += 1;
            }
            Err(error) => {
                assert!(
                    self.os_initiated,
                    "coordination by the platform refuses nothing"
                );
                assert!([DENIED, INVALID_PARAMETERS].contains(&error));
                self.seen[5] += 1;
            }
        }
    }

    fn returned(&mut self, function: u32, arguments: [u64; 3], value: i64) {
        self.seen[0] += u64::from(value < 0);
        if function == PSCI_SET_SUSPEND_MODE && value == 0 {
            self.os_initiated = arguments[0] & 0xffff_ffff == 1;
        }
        if value < 0 && !is_statistic(function) {
            let named = value == NOT_SUPPORTED || errors(function).contains(&value);
            assert!(named, "{function:#x} {arguments:x?}: {value}");
        }
        if function == PSCI_CPU_ON_64 && [ALREADY_ON, ON_PENDING].contains(&value) {
            let core = Board.core(arguments[0]).unwrap();
            assert_eq!(value, refusal(&self.life[core]));
        }
    }

    /// Checks the answers of the calls that change nothing, about one core and about all cores.
    fn check(&self, draw: &mut Draw) {
        let core = draw.below(CORES);
        let affinity = Board.affinity(core).unwrap();
        let state = returns(&self.psci, 0, PSCI_AFFINITY_INFO_64, [affinity, 0, 0]);
        let expected = match self.life[core] {
            Life::Off => 1,
            Life::Pending { .. } => 2,
            Life::On | Life::Asleep(_) => 0,
        };
        assert_eq!(state, expected, "AFFINITY_INFO of core {core}");
        if self.life[core] != Life::Off {
            let again = returns(&self.psci, 0, PSCI_CPU_ON_64, [affinity, ENTRY, 0]);
            assert_eq!(again, refusal(&self.life[core]), "CPU_ON of core {core}");
        }
        let not_off = (0..CORES)
            .filter(|&n| self.is(n, |life| *life != Life::Off))
            .count();
        assert_eq!(self.psci.cores_on(), not_off);
    }
}

/// What CPU_ON says of a core that is not off.
fn refusal(life: &Life) -> i64 {
    match life {
        Life::Pending { .. } => ON_PENDING,
        _ => ALREADY_ON,
    }
}

#[test]
fn whatever_is_called_the_model_holds() {
    let calls = match std::env::var("JANUS_PSCI_CALLS") {
        Ok(calls) => calls
            .parse()
            .expect("JANUS_PSCI_CALLS is a number of calls"),
        Err(_) => 300_000,
    };
    let mut life = [Life::Off; CORES];
    life[0] = Life::On;
    let mut walk = Walk {
        psci: booted(),
        life,
        os_initiated: false,
        now: 0,
        calls: 0,
        seen: [0; 6],
    };
    let mut draw = Draw(15);
    while walk.calls < calls {
        walk.event(&mut draw);
    }
    let seen = walk.seen;
    assert!(seen.iter().all(|&n| n > 0), "did not come: {seen:?}");
    let [refused, turned_on, arrived, off, asleep, tree] = seen;
    println!(
        "{} calls: {refused} refused; CPU_ON {turned_on}, arrived {arrived}; CPU_OFF {off}; suspends {asleep}, refused \
         by the other cores' states {tree}",
        walk.calls
    );
}
