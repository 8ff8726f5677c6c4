// SPDX-License-Identifier: BSD-3-Clause

//! The races, in all interleavings of three cores, and in all orders in which their memory accesses
//! may be seen: the crate's own code on loom's atomics.
//!
//! `cargo test -p janus-psci --features loom --release --test races`
//!
//! Each test is one history per core. What hardware does is modelled by a channel per core, which
//! the hold pen or the power controller is: a core that is off waits on it, and whoever was told to
//! turn the core on sends to it. "Ghosts" are what an observer above all cores would know. Those that
//! more than one core changes are loom's as well: it explores only orders of what it knows.
#![cfg(feature = "loom")]

mod common;

use common::ENTRY;
use janus_psci::psci::*;
use janus_psci::{
    ArrivalReason, Decision, PowerState, PowerTable, Psci, PsciPlatform, StateType, Suspend,
};
use loom::sync::Arc;
use loom::sync::mpsc::{Receiver, Sender, channel};
use loom::thread;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

const DENIED: i64 = -3;
const ALREADY_ON: i64 = -4;
const ON_PENDING: i64 = -5;

const CORE_DOWN: u32 = 0x1_0002;
const CLUSTER_DOWN: u32 = 0x101_0022;
const CORE_STANDBY: u32 = 0x1;
const CLUSTER_STANDBY: u32 = 0x100_0011;

/// Three cores of one cluster.
#[derive(Debug)]
struct Trio;

impl PsciPlatform for Trio {
    const POWER: PowerTable = PowerTable {
        states: &[
            PowerState {
                value: CORE_STANDBY,
                levels: [1, 0, 0],
            },
            PowerState {
                value: CLUSTER_STANDBY,
                levels: [1, 1, 0],
            },
            PowerState {
                value: CORE_DOWN,
                levels: [2, 0, 0],
            },
            PowerState {
                value: CLUSTER_DOWN,
                levels: [2, 2, 0],
            },
        ],
        system_suspend: Some([2, 2, 2]),
        os_initiated: true,
        ..PowerTable::NONE
    };

    fn core(&self, affinity: u64) -> Option<usize> {
        (affinity < 3).then_some(affinity as usize)
    }

    fn affinity(&self, core: usize) -> Option<u64> {
        (core < 3).then_some(core as u64)
    }

    fn domain(&self, _: usize, _: usize) -> usize {
        0
    }

    fn memory(&self) -> &[Range<u64>] {
        &[common::MEMORY]
    }
}

/// A system of three cores.
struct System {
    psci: Psci<Trio, 3>,
    /// The release of each core: true to come up, false when the test is over.
    release: [Mutex<Sender<bool>>; 3],
    released: [Mutex<Option<Receiver<bool>>>; 3],
    /// Ghost: between its arrival and its last act.
    awake: [loom::sync::atomic::AtomicBool; 3],
    /// Ghost: the context ID of the CPU_ON that succeeded last.
    context: [AtomicU64; 3],
}

impl System {
    /// Core 0 and these are on.
    fn new(on: &[usize]) -> Arc<Self> {
        let psci = Psci::new(Trio);
        psci.init(0, 0);
        for &core in on {
            let decision = psci.call(0, PSCI_CPU_ON_64, [core as u64, ENTRY, 0]);
            assert!(matches!(decision, Decision::TurnOn { .. }));
            psci.wake(core, 0, |_| {});
            psci.started(core);
        }
        let channels = [(); 3].map(|()| channel());
        let released =
            channels.map(|(send, receive)| (Mutex::new(send), Mutex::new(Some(receive))));
        let [(s0, r0), (s1, r1), (s2, r2)] = released;
        Arc::new(Self {
            psci,
            release: [s0, s1, s2],
            released: [r0, r1, r2],
            awake: std::array::from_fn(|core| {
                loom::sync::atomic::AtomicBool::new(core == 0 || on.contains(&core))
            }),
            context: [const { AtomicU64::new(0) }; 3],
        })
    }

    /// CPU_ON of `target` by `caller`, with the caller's number as context. What the caller gets.
    fn turn_on(&self, caller: usize, target: usize) -> i64 {
        let context = 100 + caller as u64;
        match self
            .psci
            .call(caller, PSCI_CPU_ON_64, [target as u64, ENTRY, context])
        {
            Decision::Return(error) => error,
            Decision::TurnOn { core, affinity } => {
                assert_eq!((core, affinity), (target, target as u64));
                assert!(
                    !self.awake[target].load(SeqCst),
                    "two lives of core {target}"
                );
                self.context[target].store(context, SeqCst);
                self.release(target, true);
                0
            }
            other => panic!("{other:?}"),
        }
    }

    fn release(&self, core: usize, come_up: bool) {
        let sender = self.release[core].lock().unwrap().clone();
        sender.send(come_up).unwrap();
    }

    /// Core `core` waits for its release. False: the test is over.
    fn wait(&self, core: usize) -> bool {
        let receiver = self.released[core].lock().unwrap().take().unwrap();
        receiver.recv().unwrap()
    }

    /// Core `core` waits for its release, and comes up.
    fn come_up(&self, core: usize) -> bool {
        if !self.wait(core) {
            return false;
        }
        let arrival = self.psci.arrive(core).expect("released, so wanted");
        assert_eq!(arrival.reason, ArrivalReason::CpuOn);
        assert_eq!(arrival.entry, ENTRY);
        assert_eq!(arrival.context, self.context[core].load(SeqCst));
        assert!(!self.awake[core].swap(true, SeqCst));
        self.psci.wake(core, 0, |_| {});
        self.psci.started(core);
        true
    }

    fn turn_off(&self, core: usize) {
        assert!(matches!(
            self.psci.call(core, PSCI_CPU_OFF, [0; 3]),
            Decision::TurnOff(_)
        ));
        self.psci.going_off(core, 0, |_| {});
        self.awake[core].store(false, SeqCst);
        self.psci.off(core);
    }

    fn affinity_info(&self, caller: usize, target: usize) -> i64 {
        match self
            .psci
            .call(caller, PSCI_AFFINITY_INFO_64, [target as u64, 0, 0])
        {
            Decision::Return(state) => state,
            other => panic!("{other:?}"),
        }
    }

    fn suspend(&self, core: usize, state: u32) -> Suspend {
        match self.psci.call(
            core,
            PSCI_CPU_SUSPEND_64,
            [state.into(), ENTRY, core as u64],
        ) {
            Decision::Suspend(suspend) => suspend,
            other => panic!("{other:?}"),
        }
    }
}

fn model(history: impl Fn() + Sync + Send + 'static) {
    loom::model(history);
}

#[test]
fn two_cores_turn_the_same_core_on() {
    model(|| {
        let system = System::new(&[1]);
        let cores = [1, 2].map(|core| {
            let system = system.clone();
            thread::spawn(move || {
                if core == 2 {
                    assert!(system.come_up(2));
                    return 0;
                }
                system.turn_on(1, 2)
            })
        });
        let first = system.turn_on(0, 2);
        let [second, _] = cores.map(|core| core.join().unwrap());
        assert_eq!(system.psci.cores_on(), 3);
        match (first, second) {
            (0, ALREADY_ON | ON_PENDING) | (ALREADY_ON | ON_PENDING, 0) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_core_is_turned_on_while_it_turns_off() {
    model(|| {
        let system = System::new(&[1]);
        let off = {
            let system = system.clone();
            thread::spawn(move || {
                system.turn_off(1);
                system.come_up(1)
            })
        };
        let watch = {
            let system = system.clone();
            thread::spawn(move || {
                // ON, OFF, ON_PENDING, ON: never back, none left out that matters.
                let mut states = [0; 3].map(|_| system.affinity_info(2, 1)).to_vec();
                states.dedup();
                let story = [0, 1, 2, 0];
                assert!(
                    (0..4).any(|from| (from..=4).any(|to| story[from..to] == states))
                        || matches!(states[..], [0, 2] | [1, 0] | [0, 2, 0] | [0, 1, 0]),
                    "{states:?}"
                );
            })
        };
        let result = system.turn_on(0, 1);
        if result != 0 {
            assert_eq!(result, ALREADY_ON, "a core that turns off is on");
            system.release(1, false);
        }
        assert_eq!(off.join().unwrap(), result == 0);
        watch.join().unwrap();
        assert_eq!(system.affinity_info(0, 1), if result == 0 { 0 } else { 1 });
        assert_eq!(system.psci.cores_on(), if result == 0 { 2 } else { 1 });
    });
}

#[test]
fn off_is_told_only_when_cpu_on_works() {
    model(|| {
        let system = System::new(&[1]);
        let core = {
            let system = system.clone();
            thread::spawn(move || {
                system.turn_off(1);
                system.come_up(1)
            })
        };
        let told_off = system.affinity_info(0, 1) == 1;
        let result = system.turn_on(0, 1);
        assert!(!told_off || result == 0);
        if result != 0 {
            system.release(1, false);
        }
        core.join().unwrap();
    });
}

/// Core `going` turns `coming` on, and leaves: at no moment is core 0 alone, however it looks.
fn system_suspend(going: usize, coming: usize) {
    model(move || {
        let system = System::new(&[going]);
        let suspended = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let first = {
            let system = system.clone();
            thread::spawn(move || {
                assert_eq!(system.turn_on(going, coming), 0);
                system.turn_off(going);
            })
        };
        let second = {
            let (system, suspended) = (system.clone(), suspended.clone());
            thread::spawn(move || {
                assert!(system.come_up(coming));
                assert!(!suspended.load(SeqCst), "came up in a suspended system");
                system.turn_off(coming);
                assert!(!suspended.load(SeqCst) || !system.awake[coming].load(SeqCst));
            })
        };
        match system.psci.call(0, PSCI_SYSTEM_SUSPEND_64, [ENTRY, 0, 0]) {
            Decision::Suspend(_) => {
                suspended.store(true, SeqCst);
                for core in [1, 2] {
                    assert!(!system.awake[core].load(SeqCst));
                    assert_eq!(system.affinity_info(0, core), 1);
                }
                let life = system.context[coming].load(SeqCst);
                assert_eq!(life, 100 + going as u64, "the other has had its life");
            }
            Decision::Return(DENIED) => {}
            other => panic!("{other:?}"),
        }
        first.join().unwrap();
        second.join().unwrap();
        assert!(matches!(
            system.psci.call(0, PSCI_SYSTEM_SUSPEND_64, [ENTRY, 0, 0]),
            Decision::Suspend(_)
        ));
    });
}

#[test]
fn system_suspend_finds_nobody_awake() {
    system_suspend(1, 2);
    system_suspend(2, 1);
}

#[test]
fn all_cores_turn_off_and_one_is_the_last() {
    model(|| {
        let system = System::new(&[1, 2]);
        let last = Arc::new(AtomicUsize::new(0));
        let off = |core: usize, system: &System, last: &AtomicUsize| {
            system.psci.going_off(core, 0, |composite| {
                assert_eq!(composite.levels[0], 2);
                if composite.level() == 2 {
                    last.fetch_add(1, SeqCst);
                }
            });
            system.psci.off(core);
        };
        let cores = [1, 2].map(|core| {
            let (system, last) = (system.clone(), last.clone());
            thread::spawn(move || off(core, &system, &last))
        });
        off(0, &system, &last);
        for core in cores {
            core.join().unwrap();
        }
        assert_eq!(last.load(SeqCst), 1);
        assert_eq!(system.psci.cores_on(), 0);
    });
}

/// The cluster of the three: the ghost that the platform's hooks keep.
#[derive(Default)]
struct Cluster {
    down: AtomicBool,
    went_down: AtomicUsize,
    asleep: [AtomicBool; 3],
    /// Makes a hook take more than one step, so that another core may run in the middle of it.
    register: loom::sync::atomic::AtomicUsize,
}

impl Cluster {
    /// `core` sleeps and wakes up once, as `suspend` says, if it may. An interrupt that is pending
    /// already is the wake-up that comes at once.
    fn nap(&self, system: &System, core: usize, suspend: &Suspend) -> Result<(), i64> {
        system.psci.suspend(core, suspend, 0, |composite| {
            self.asleep[core].store(true, SeqCst);
            self.register.fetch_add(1, SeqCst);
            assert!(!self.down.load(SeqCst), "this core was awake");
            if composite.levels[1] > 0 {
                assert!(self.asleep.iter().all(|asleep| asleep.load(SeqCst)));
                self.down.store(true, SeqCst);
                self.went_down.fetch_add(1, SeqCst);
            }
        })?;
        system.psci.wake(core, 0, |composite| {
            self.asleep[core].store(false, SeqCst);
            self.register.fetch_add(1, SeqCst);
            let was_down = self.down.swap(false, SeqCst);
            assert_eq!(
                was_down,
                composite.levels[1] > 0,
                "who is first brings the cluster up"
            );
        });
        Ok(())
    }
}

/// All three sleep and wake up, core by core in `states`. How often the cluster went down.
fn naps(os_initiated: bool, states: [u32; 3]) -> usize {
    let went_down = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = went_down.clone();
    model(move || {
        let system = System::new(&[1, 2]);
        let cluster = Arc::new(Cluster::default());
        if os_initiated {
            let mode = system.psci.call(0, PSCI_SET_SUSPEND_MODE, [1, 0, 0]);
            assert_eq!(mode, Decision::Return(0));
        }
        let run = move |system: &System, cluster: &Cluster, core: usize| {
            let suspend = system.suspend(core, states[core]);
            assert_eq!(suspend.state_type, StateType::PowerDown);
            match cluster.nap(system, core, &suspend) {
                Ok(()) => {}
                Err(error) => assert!(os_initiated && error == DENIED),
            }
        };
        let others = [1, 2].map(|core| {
            let (system, cluster) = (system.clone(), cluster.clone());
            thread::spawn(move || run(&system, &cluster, core))
        });
        run(&system, &cluster, 0);
        for other in others {
            other.join().unwrap();
        }
        assert!(!cluster.down.load(SeqCst));
        counter.fetch_add(cluster.went_down.load(SeqCst), SeqCst);
    });
    went_down.load(SeqCst)
}

#[test]
fn the_cluster_sleeps_and_wakes_once_coordinated_by_the_platform() {
    assert_ne!(naps(false, [CLUSTER_DOWN; 3]), 0);
}

#[test]
fn the_cluster_sleeps_and_wakes_once_coordinated_by_the_os() {
    assert_ne!(naps(true, [CLUSTER_DOWN, CORE_DOWN, CORE_DOWN]), 0);
}

#[test]
fn a_core_naps_while_another_goes_and_a_third_comes() {
    model(|| {
        let system = System::new(&[1]);
        let cluster = Arc::new(Cluster::default());
        cluster.asleep[2].store(true, SeqCst);
        let going = {
            let system = system.clone();
            thread::spawn(move || assert_eq!(system.turn_on(1, 2), 0))
        };
        let coming = {
            let system = system.clone();
            let cluster = cluster.clone();
            thread::spawn(move || {
                assert!(system.wait(2));
                assert!(system.psci.arrive(2).is_some());
                system.psci.wake(2, 0, |composite| {
                    cluster.asleep[2].store(false, SeqCst);
                    let was_down = cluster.down.swap(false, SeqCst);
                    assert_eq!(was_down, composite.levels[1] > 0);
                });
                system.psci.started(2);
            })
        };
        let suspend = system.suspend(0, CLUSTER_DOWN);
        cluster.nap(&system, 0, &suspend).unwrap();
        system.psci.started(0);
        going.join().unwrap();
        coming.join().unwrap();
        assert!(!cluster.down.load(SeqCst));
    });
}

#[test]
fn a_suspended_core_is_on() {
    model(|| {
        let system = System::new(&[1]);
        let others = {
            let system = system.clone();
            thread::spawn(move || {
                assert_eq!(system.turn_on(1, 0), ALREADY_ON);
            })
        };
        let third = {
            let system = system.clone();
            thread::spawn(move || {
                assert_eq!(system.affinity_info(2, 0), 0);
                assert_eq!(
                    system.psci.call(2, PSCI_SYSTEM_SUSPEND_64, [ENTRY, 0, 0]),
                    Decision::Return(DENIED)
                );
            })
        };
        let suspend = system.suspend(0, CLUSTER_DOWN);
        system.psci.suspend(0, &suspend, 0, |_| {}).unwrap();
        let arrival = system.psci.arrive(0).expect("suspended, so wanted");
        assert_eq!(
            (arrival.reason, arrival.entry, arrival.context),
            (ArrivalReason::CpuSuspend, ENTRY, 0)
        );
        system.psci.wake(0, 0, |_| {});
        system.psci.started(0);
        assert_eq!(system.psci.arrive(0), None);
        others.join().unwrap();
        third.join().unwrap();
    });
}

/// A core goes into a standby state alone while another switches to OS-initiated mode. Where the switch succeeds, the
/// core's sleep is known to OS-initiated suspends: its cluster is not refused as one in which a core runs.
#[test]
fn a_standby_alone_meets_the_switch_to_os_initiated_mode() {
    let outcomes = std::sync::Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let counter = outcomes.clone();
    model(move || {
        let system = System::new(&[1]);
        let other = {
            let system = system.clone();
            thread::spawn(move || {
                let suspend = system.suspend(1, CORE_STANDBY);
                system.psci.suspend(1, &suspend, 0, |_| {}).unwrap();
            })
        };
        let mode = system.psci.call(0, PSCI_SET_SUSPEND_MODE, [1, 0, 0]);
        other.join().unwrap();
        let suspend = system.suspend(0, CLUSTER_STANDBY);
        let slept = system.psci.suspend(0, &suspend, 0, |_| {});
        let switched = mode == Decision::Return(0);
        assert!(switched || mode == Decision::Return(DENIED));
        // Where the platform coordinates, a core's own standby keeps its cluster awake.
        let cluster = slept.expect("core 1 sleeps and core 2 is off").levels[1];
        assert_eq!(cluster, u8::from(switched));
        counter[usize::from(switched)].fetch_add(1, SeqCst);
    });
    assert!(outcomes.iter().all(|times| times.load(SeqCst) != 0));
}
