// SPDX-License-Identifier: BSD-3-Clause

//! OS-initiated mode against a plain model of a power domain tree: any tree of two or three levels, any
//! composite state, any history.
#![cfg(not(feature = "loom"))]

use janus_psci::platform::{LEVELS, LevelStates, STATES, check};
use janus_psci::{Decision, PowerState, PowerTable, Psci, PsciPlatform, StateType, psci::*};
use proptest::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

const DENIED: i64 = -3;
const INVALID_PARAMETERS: i64 = -2;
const ENTRY: u64 = 0x4100_0000;
const MEMORY: Range<u64> = 0x4000_0000..0x8000_0000;
/// The most cores of a tree.
const CORES: usize = 8;

/// Every composite state in which a level sleeps only if the one below does, and loses its state only
/// if the one below does.
macro_rules! states {
    ($($core:literal $cluster:literal $system:literal,)*) => {
        &[$(PowerState {
            value: $core | $cluster << 4 | $system << 8
                | ($core - 1) << 16
                | (($cluster > 0) as u32 + ($system > 0) as u32) << 24,
            levels: [$core, $cluster, $system],
        },)*]
    };
}

/// What the levels of each level lose.
trait Kinds {
    const STATE_TYPES: [[StateType; STATES]; LEVELS];
}

/// Retention at depth 1, power down at depth 2.
struct Usual;
/// A cluster with two retention states.
struct Keeping;

impl Kinds for Usual {
    const STATE_TYPES: [[StateType; STATES]; LEVELS] =
        [[StateType::Retention, StateType::PowerDown]; LEVELS];
}

impl Kinds for Keeping {
    const STATE_TYPES: [[StateType; STATES]; LEVELS] = [
        [StateType::Retention, StateType::PowerDown],
        [StateType::Retention, StateType::Retention],
        [StateType::Retention, StateType::Retention],
    ];
}

/// A tree: for each core, its cluster. With one cluster the levels above the core are one.
struct Shape<K>(Vec<usize>, PhantomData<K>);

impl<K: Kinds> PsciPlatform for Shape<K> {
    const POWER: PowerTable = PowerTable {
        states: states! {
            1 0 0, 2 0 0, 1 1 0, 2 1 0, 2 2 0, 1 1 1, 2 1 1, 2 2 1, 2 2 2,
        },
        state_types: K::STATE_TYPES,
        default_suspend: Some([2, 2, 2]),
        os_initiated: true,
        node_hw_state: true,
        ..PowerTable::NONE
    };

    fn core(&self, affinity: u64) -> Option<usize> {
        Some(affinity as usize).filter(|core| *core < self.0.len())
    }

    fn affinity(&self, core: usize) -> Option<u64> {
        (core < self.0.len()).then_some(core as u64)
    }

    fn domain(&self, core: usize, level: usize) -> usize {
        if level == 1 { self.0[core] } else { 0 }
    }

    fn memory(&self) -> &[Range<u64>] {
        &[MEMORY]
    }
}

/// What a node of the tree does, in the model.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Runs,
    /// It keeps its state.
    Keeps,
    /// It has lost its state, or is off.
    Lost,
}

/// The plain model: each node's state, by the cores below it.
struct Model {
    clusters: Vec<usize>,
    state_types: [[StateType; STATES]; LEVELS],
    /// Cores that are off, and not merely asleep.
    off: Vec<bool>,
    /// By level: cores, clusters (numbered as in `clusters`), the system.
    nodes: [Vec<Node>; LEVELS],
}

impl Model {
    fn new(clusters: &[usize], state_types: [[StateType; STATES]; LEVELS]) -> Self {
        let mut model = Self {
            clusters: clusters.to_vec(),
            state_types,
            off: vec![true; clusters.len()],
            nodes: [
                vec![Node::Lost; clusters.len()],
                vec![Node::Lost; CORES],
                vec![Node::Lost],
            ],
        };
        model.wakes(0);
        model
    }

    /// The number of the node of `core` at `level`.
    fn node(&self, core: usize, level: usize) -> usize {
        match level {
            0 => core,
            1 => self.clusters[core],
            _ => 0,
        }
    }

    /// The cores below a node.
    fn cores(&self, level: usize, node: usize) -> Vec<usize> {
        (0..self.clusters.len())
            .filter(|&core| self.node(core, level) == node)
            .collect()
    }

    /// All nodes below the node of `core` at `level` that are not on `core`'s own way up.
    fn below(&self, core: usize, level: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        for peer in self.cores(level, self.node(core, level)) {
            for lower in 0..level {
                if self.node(peer, lower) != self.node(core, lower) {
                    nodes.push(self.nodes[lower][self.node(peer, lower)]);
                }
            }
        }
        nodes
    }

    fn becomes(&self, level: usize, depth: u8) -> Node {
        match self.state_types[level][usize::from(depth) - 1] {
            StateType::Retention => Node::Keeps,
            StateType::PowerDown => Node::Lost,
        }
    }

    /// What CPU_SUSPEND of `core` must say, in OS-initiated mode.
    fn suspend(&mut self, core: usize, levels: LevelStates) -> Result<(), i64> {
        let asked: Vec<usize> = (1..LEVELS).filter(|&level| levels[level] > 0).collect();
        if let Some(&highest) = asked.last() {
            let mut others = self.cores(highest, self.node(core, highest));
            others.retain(|&other| other != core);
            if others
                .iter()
                .any(|&other| self.nodes[0][other] == Node::Runs)
            {
                return Err(DENIED);
            }
        }
        for &level in &asked {
            let deeper = self.becomes(level, levels[level]);
            let vetoes = |node: &Node| match node {
                Node::Runs => true,
                Node::Keeps => deeper == Node::Lost,
                Node::Lost => false,
            };
            if self.below(core, level).iter().any(vetoes) {
                return Err(INVALID_PARAMETERS);
            }
        }
        self.sleeps(core, levels);
        Ok(())
    }

    fn sleeps(&mut self, core: usize, levels: LevelStates) {
        for (level, &depth) in levels.iter().enumerate().filter(|(_, depth)| **depth > 0) {
            let node = self.node(core, level);
            self.nodes[level][node] = self.becomes(level, depth);
        }
    }

    fn turns_off(&mut self, core: usize) {
        self.off[core] = true;
        self.nodes[0][core] = Node::Lost;
        for level in 1..LEVELS {
            let node = self.node(core, level);
            if self.cores(level, node).iter().all(|&core| self.off[core]) {
                self.nodes[level][node] = Node::Lost;
            }
        }
    }

    fn wakes(&mut self, core: usize) {
        self.off[core] = false;
        for level in 0..LEVELS {
            let node = self.node(core, level);
            self.nodes[level][node] = Node::Runs;
        }
    }
}

/// What one core does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// CPU_SUSPEND to this state, if it runs; else it wakes or is turned on.
    Suspend(usize),
    /// CPU_DEFAULT_SUSPEND, which leaves the choice to the platform: the core alone sleeps.
    Default,
    /// CPU_OFF.
    Off,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..9_usize).prop_map(Step::Suspend),
        1 => Just(Step::Default),
        2 => Just(Step::Off),
    ]
}

/// Trees: the clusters of up to [`CORES`] cores, in any order.
fn tree() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => (1..=CORES).prop_map(|cores| vec![0; cores]),
        4 => prop::collection::vec(0..3_usize, 2..=CORES),
    ]
}

fn run<K: Kinds + 'static>(clusters: &[usize], history: &[(usize, Step)]) {
    let psci = Psci::<Shape<K>, CORES>::new(Shape(clusters.to_vec(), PhantomData));
    psci.init(0, 0);
    let answer = |core, function, arguments| match psci.call(core, function, arguments) {
        Decision::Return(value) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(answer(0, PSCI_SET_SUSPEND_MODE, [1, 0, 0]), 0);
    let mut model = Model::new(clusters, K::STATE_TYPES);
    let states = Shape::<K>::POWER.states;
    for &(core, step) in history {
        let core = core % clusters.len();
        match (model.nodes[0][core], step) {
            (Node::Runs, Step::Suspend(state)) => {
                let state = states[state];
                let call = psci.call(core, PSCI_CPU_SUSPEND_64, [state.value.into(), ENTRY, 0]);
                let Decision::Suspend(suspend) = call else {
                    panic!("{call:?}")
                };
                let slept = psci.suspend(core, &suspend, 1, |_| {});
                let expected = model.suspend(core, state.levels);
                assert_eq!(
                    slept.map(|composite| assert_eq!(composite.levels, state.levels)),
                    expected,
                    "core {core} asks for {:?}",
                    state.levels
                );
            }
            (Node::Runs, Step::Default) => {
                let call = psci.call(core, PSCI_CPU_DEFAULT_SUSPEND_64, [ENTRY, 0, 0]);
                let Decision::Suspend(suspend) = call else {
                    panic!("{call:?}")
                };
                let composite = psci.suspend(core, &suspend, 1, |_| {}).unwrap();
                assert_eq!(composite.levels, [2, 0, 0]);
                model.sleeps(core, composite.levels);
            }
            (Node::Runs, Step::Off) => {
                let call = psci.call(core, PSCI_CPU_OFF, [0; 3]);
                assert!(matches!(call, Decision::TurnOff(_)));
                psci.going_off(core, 1, |_| {});
                psci.off(core);
                model.turns_off(core);
            }
            _ if model.off[core] => {
                let Some(caller) = model.nodes[0].iter().position(|node| *node == Node::Runs)
                else {
                    continue;
                };
                let call = psci.call(caller, PSCI_CPU_ON_64, [core as u64, ENTRY, 0]);
                assert!(matches!(call, Decision::TurnOn { .. }));
                psci.arrive(core).unwrap();
                psci.wake(core, 2, |_| {});
                psci.started(core);
                model.wakes(core);
            }
            _ => {
                psci.wake(core, 2, |_| {});
                psci.started(core);
                model.wakes(core);
            }
        }
        for core in 0..clusters.len() {
            for level in 0..LEVELS {
                let told = answer(0, PSCI_NODE_HW_STATE_64, [core as u64, level as u64, 0]);
                let expected = match model.nodes[level][model.node(core, level)] {
                    Node::Runs => 0,
                    Node::Lost => 1,
                    Node::Keeps => 2,
                };
                assert_eq!(told, expected, "core {core}, level {level}");
            }
        }
    }
}

#[test]
fn the_tables_agree() {
    assert_eq!(check(&Shape::<Usual>::POWER), Ok(()));
}

/// Two clusters. The cores of the first one sleep or are off, and their cluster runs or keeps its state;
/// then the core of the second one asks for the system's power-down.
#[test]
fn a_cluster_that_runs_or_keeps_its_state_vetoes_the_systems_power_down() {
    const SYSTEM_DOWN: usize = 8;
    for first in [
        [Step::Suspend(1), Step::Suspend(1)], // the cores alone
        [Step::Suspend(1), Step::Suspend(3)], // the cluster keeps its state
        [Step::Suspend(1), Step::Off],        // the last one turned off
    ] {
        run::<Usual>(
            &[0, 0, 1],
            &[
                (1, Step::Off), // on
                (2, Step::Off), // on
                (0, first[0]),
                (1, first[1]),
                (2, Step::Suspend(SYSTEM_DOWN)),
            ],
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn os_initiated_mode_is_the_models(
        clusters in tree(),
        history in prop::collection::vec((0..CORES, step()), 0..60),
    ) {
        run::<Usual>(&clusters, &history);
        run::<Keeping>(&clusters, &history);
    }
}
