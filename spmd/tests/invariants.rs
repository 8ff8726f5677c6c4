// SPDX-License-Identifier: BSD-3-Clause

//! Makes random calls of both worlds on several cores, in random order, and checks what must always hold. The machine
//! below does with each action what bl31 does, and nothing else. A second one, whose calls take no short cut, must do
//! the same.
//!
//! A run makes some hundred thousand calls. `JANUS_SPMD_CALLS=10000000 cargo test --release -p
//! janus-spmd --test invariants` makes ten million.

mod support;

use janus_spmd::{
    Action, Answer, Body, Core, NotAvailable, Regs, Request, Spmd, StateName, Step, Version,
    WarmBoot, Work, World,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use support::*;

/// One thing that happens on a core; what cannot happen there just then is left out.
#[derive(Clone, Debug)]
struct Event {
    core: usize,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// The world that runs calls with these registers.
    Call(Regs),
    SecureInterrupt,
    /// CPU_OFF and other power messages.
    Power(Request),
    /// A logical partition asks.
    Ask(Request),
    /// The secure world does what EL3 cannot let it go on after.
    Fault,
    /// CPU_ON.
    TurnOn,
}

/// Choices drawn from one number (splitmix64): events are made from numbers so that a run is cheap,
/// and still shrinks to the events that matter.
struct Draw(u64);

impl Draw {
    fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// IDs that decisions hang on, and any others.
    fn endpoint(&mut self) -> u64 {
        match self.below(8) {
            0 => self.below(0x1_0000),
            _ => self.of(&[
                0, 1, 0x7FFF, 0x8000, 0x8000, 0x8001, 0xFFC0, 0xFFFE, 0xFFFF, 0xFFFF,
            ]),
        }
    }

    fn w1(&mut self) -> u64 {
        match self.below(10) {
            0 => self.any(),
            1 => self.of(&[
                2,
                24,
                25,
                128,
                129,
                0x1_0000,
                0x1_0001,
                0x1_0002,
                0x1_0003,
                0x2_0000,
                0x8000_0000,
                IMAGE.start,
                IMAGE.end,
            ]),
            _ => {
                let upper = self.of(&[0, 0xFACE_0000_0000_0000]);
                upper | self.endpoint() << 16 | self.endpoint()
            }
        }
    }

    fn w2(&mut self) -> u64 {
        match self.below(10) {
            0 => self.any(),
            1 => 0xFFFF_FFFF,
            2 | 3 => 0,
            _ => 0x8000_0000 | self.below(0x11),
        }
    }

    fn w3(&mut self) -> u64 {
        match self.below(6) {
            0 => self.any(),
            1 => 0xFFFF_FFFF,
            2 | 3 => 0,
            _ => 0x1_0000 | self.below(5),
        }
    }

    fn function_id(&mut self) -> u64 {
        match self.below(20) {
            0 => self.any(),
            // What makes progress: the answers, and the ends of what began.
            1..=6 => {
                let (number, is_64) = self.of(&[
                    (0x70, false),
                    (0x70, false),
                    (0x6B, false),
                    (0x7C, false),
                    (0x6F, false),
                    (0x63, false),
                    (0x8E, true),
                    (0x61, true),
                    (0x60, false),
                    (0x64, false),
                ]);
                id(number, is_64)
            }
            _ => {
                let hint = if self.below(8) == 0 { HINT } else { 0 };
                id(0x60 + self.below(0x38) as u32, self.below(2) == 0) | hint
            }
        }
    }

    fn registers(&mut self) -> Regs {
        let mut regs: Regs = std::array::from_fn(|_| self.any());
        [regs[0], regs[1], regs[2], regs[3]] =
            [self.function_id(), self.w1(), self.w2(), self.w3()];
        if regs[0] == id(0x64, false) && self.below(2) == 0 {
            regs[1] = 2;
        }
        regs
    }

    fn event(seed: u64) -> Event {
        let mut draw = Self(seed);
        let what = match draw.below(80) {
            0..=3 => What::SecureInterrupt,
            4 | 5 => What::Power(POWER),
            6 => What::Power(Request::Psci {
                function: draw.any() as u32,
                arguments: [draw.any(), draw.any(), draw.any()],
            }),
            7 => What::Power(Request::WarmBoot(WarmBoot::LowPower)),
            8 | 9 => What::Ask(draw.of(&[
                message(Body::Req32([1, 2, 3, 4, 5])),
                message(Body::Req64([1, 2, 3, 4, 5])),
                message(Body::Req2 {
                    uuid: [1, 2],
                    payload: [3; 14],
                }),
                message_of(0xFFC2, Body::Req32([1, 2, 3, 4, 5])),
                rest_of(0xFFC2, false),
                rest_of(0xFFC2, true),
                Request::Discover {
                    uuid: [0, 0],
                    start: 0,
                },
                activation(START),
                activation(Step::Finish),
            ])),
            10..=17 => What::TurnOn,
            18 if draw.below(2) == 0 => What::Fault,
            _ => What::Call(draw.registers()),
        };
        Event {
            core: draw.below(CORES as u64) as usize,
            what,
        }
    }
}

const CORES: usize = 3;

/// One core as bl31 sees it.
struct Cpu {
    core: Core,
    normal: Regs,
    secure: Regs,
    /// Who runs; `None`: the core is off.
    running: Option<World>,
    /// What the normal world must find when it is resumed untouched.
    untouched: Option<Regs>,
    /// A request that powers the core off when it is granted.
    turning_off: bool,
}

struct System {
    /// Whether calls may take the dispatcher's short cuts. Else all are decided in full.
    short_cuts: bool,
    spmd: Spmd,
    cpus: Vec<Cpu>,
    /// The versions once the normal world has made a call that fixes them.
    fixed: Option<(Option<Version>, Version)>,
}

type Edge = (StateName, StateName, &'static str);

/// All changes of state that were seen, by who made them.
static EDGES: Mutex<BTreeSet<Edge>> = Mutex::new(BTreeSet::new());
static CALLS: AtomicU64 = AtomicU64::new(0);

impl System {
    fn new(version: Version, sel2: bool, doorbell: bool, short_cuts: bool) -> Self {
        let mut config = config_with_both(version);
        config.sel2 = sel2;
        config.doorbell_sri = doorbell.then_some(8);
        let cpu = |seed| Cpu {
            core: Core::new(),
            normal: pattern(seed),
            secure: pattern(seed + 100),
            running: None,
            untouched: None,
            turning_off: false,
        };
        let mut system = Self {
            short_cuts,
            spmd: Spmd::with_spmc(config),
            cpus: (0..CORES as u64).map(cpu).collect(),
            fixed: None,
        };
        system.turn_on(0, true);
        system
    }

    fn edge(before: StateName, after: StateName, by: &'static str) {
        if before != after {
            EDGES.lock().unwrap().insert((before, after, by));
        }
    }

    fn turn_on(&mut self, index: usize, primary: bool) {
        let cpu = &mut self.cpus[index];
        if cpu.running.is_some() {
            return;
        }
        let before = cpu.core.state();
        let enters = cpu.core.begin_boot(&self.spmd, primary);
        cpu.running = Some(if enters { World::Secure } else { World::Normal });
        Self::edge(before, cpu.core.state(), "EL3");
        if enters {
            assert_eq!(cpu.core.state(), StateName::Booting);
            assert!(IMAGE.contains(&self.spmd.entry(primary)));
            cpu.untouched = Some(cpu.normal);
        }
    }

    fn apply(&mut self, event: &Event) {
        let index = event.core;
        match &event.what {
            What::TurnOn => self.turn_on(index, false),
            What::Call(regs) => self.call(index, regs),
            What::SecureInterrupt => self.interrupt(index),
            What::Power(request) => {
                self.request(index, *request);
            }
            What::Ask(request) => {
                if self.request(index, *request) {
                    self.cpus[index].turning_off = false;
                }
            }
            What::Fault => {
                let cpu = &mut self.cpus[index];
                if cpu.running == Some(World::Secure) {
                    let before = cpu.core.state();
                    let action = self.spmd.abort(&mut cpu.core, &mut cpu.normal);
                    Self::edge(before, cpu.core.state(), "EL3");
                    self.act(index, World::Secure, before, action);
                }
            }
        }
    }

    fn interrupt(&mut self, index: usize) {
        let cpu = &mut self.cpus[index];
        if cpu.running != Some(World::Normal) {
            return;
        }
        let (before, secure) = (cpu.core.state(), cpu.secure);
        match self.spmd.secure_interrupt(&mut cpu.core, &mut cpu.secure) {
            Action::Enter => {
                assert_eq!(before, StateName::Running);
                assert_eq!(cpu.secure[..8], [id(0x62, false), 0, 0, 0, 0, 0, 0, 0]);
                assert_eq!(cpu.secure[8..], secure[8..]);
                cpu.running = Some(World::Secure);
                cpu.untouched = Some(cpu.normal);
            }
            Action::El3(Work::Unclaimed) => assert!(!cpu.core.has_spmc()),
            other => panic!("an interrupt of the normal world: {other:?}"),
        }
        Self::edge(before, cpu.core.state(), "EL3");
    }

    fn request(&mut self, index: usize, request: Request) -> bool {
        let cpu = &mut self.cpus[index];
        if cpu.running != Some(World::Normal) {
            return false;
        }
        let (before, secure) = (cpu.core.state(), cpu.secure);
        if let Err(why) = self.spmd.request(&mut cpu.core, request, &mut cpu.secure) {
            assert_eq!(cpu.secure, secure);
            assert_eq!(cpu.core.state(), before);
            let unknown = why == NotAvailable::Unknown;
            if request == POWER && (unknown || !cpu.core.has_spmc()) {
                // With no SPMC to tell, it makes no difference whether the dispatcher hears of it.
                if unknown || index != 0 {
                    cpu.core.turn_off();
                }
                cpu.running = None;
                Self::edge(before, cpu.core.state(), "EL3");
            }
            return false;
        }
        Self::edge(before, cpu.core.state(), "EL3");
        cpu.running = Some(World::Secure);
        cpu.untouched = Some(cpu.normal);
        cpu.turning_off = request == POWER;
        true
    }

    fn call(&mut self, index: usize, regs: &Regs) {
        let cpu = &mut self.cpus[index];
        let Some(world) = cpu.running else { return };
        // The normal world's x0 to x17 are its own while the other runs, and the reverse.
        let (caller, other) = match world {
            World::Normal => (&mut cpu.normal, &mut cpu.secure),
            World::Secure => (&mut cpu.secure, &mut cpu.normal),
        };
        *caller = *regs;
        let (other_before, state) = (*other, cpu.core.state());
        let refusal = self.spmd.refusal(&cpu.core, world, regs);
        let decide = if self.short_cuts {
            Spmd::call
        } else {
            Spmd::decide
        };
        let action = decide(&self.spmd, &mut cpu.core, world, caller, other);
        let (caller, other) = (*caller, *other);
        // FFA_VERSION has no FFA_ERROR form.
        let refused = match (action, caller[0] as u32) {
            (Action::Return, 0x8400_0060 | 0xC400_0060) => Some(caller[2] as u32 as i32),
            (Action::Return, u32::MAX) => Some(-1),
            _ => None,
        };
        let code = refusal.map(|refusal| refusal.code as i32);
        assert_eq!(
            code, refused,
            "{refusal:?} for {regs:x?} of {world:?} in {state:?}"
        );
        CALLS.fetch_add(1, Relaxed);
        let by = if world == World::Normal { "NS" } else { "S" };
        Self::edge(state, cpu.core.state(), by);
        self.check_registers(world, state, regs, &other_before, &caller, &other, action);
        self.check_versions(world, state, regs[0] as u32);
        self.act(index, world, state, action);
    }

    /// What may cross, and what may change.
    #[allow(clippy::too_many_arguments, reason = "a call has this many sides")]
    fn check_registers(
        &self,
        world: World,
        state: StateName,
        call: &Regs,
        other_before: &Regs,
        caller: &Regs,
        other: &Regs,
        action: Action,
    ) {
        let is_64 = call[0] & (1 << 30) != 0;
        match action {
            Action::Return => {
                assert_eq!(other, other_before, "an answer of EL3 is the caller's only");
                let partitions = world == World::Secure && caller[0] == id(0x61, true);
                assert!(
                    partitions || caller[8..] == call[8..],
                    "x8-x17 of an answer"
                );
            }
            Action::Enter => {
                assert_eq!(caller, call, "a caller that waits keeps its registers");
                // An SMC32 call and every answer that EL3 writes end at x7.
                if !is_64 || other[0] & (1 << 30) == 0 {
                    assert_eq!(
                        other[8..],
                        other_before[8..],
                        "x8-x17 belong to no SMC32 call"
                    );
                }
                if other != other_before {
                    assert_eq!(other[0] >> 32, 0);
                    if other[0] & (1 << 30) == 0 {
                        assert!(
                            other[1..8].iter().all(|reg| reg >> 32 == 0),
                            "w0-w7: {other:x?}"
                        );
                    }
                }
            }
            Action::El3(Work::Group0Interrupt) => assert_eq!(caller[8..], call[8..]),
            Action::El3(Work::Aborted) => {
                assert_eq!(caller, call);
                assert_eq!(other[8..], other_before[8..]);
            }
            Action::El3(_) => {
                assert_eq!(caller, call);
                assert_eq!(other, other_before);
            }
        }
        let (sender, receiver) = (other[1] >> 16 & 0xFFFF, other[1] & 0xFFFF);
        let direct = matches!(other[0] as u32 & 0xBFFF_FFFF, 0x8400_006F | 0x8400_0070)
            || matches!(other[0] as u32, 0xC400_008D | 0xC400_008E);
        let plain = other[0] as u32 & 0xBFFF_FFF0 != 0x8400_0060
            && other[0] as u32 & 0xBFFF_FFFF != 0x8400_0070
            || other[2] & (1 << 31) == 0;
        if action == Action::Enter && direct && state != StateName::Interrupted {
            if world == World::Secure {
                assert!(
                    sender & 0x8000 != 0 && sender != 0xFFFF,
                    "the sender NS sees: {sender:x}"
                );
                assert!(
                    receiver & 0x8000 == 0,
                    "the receiver in the normal world: {receiver:x}"
                );
                let number = other[2] as u32 & 0xFF;
                assert!(
                    plain || matches!(number, 5 | 7),
                    "framework message {number} to NS"
                );
            } else if call[0] as u32 & !(1 << 16) != 0x8400_0063 {
                assert!(
                    sender & 0x8000 == 0,
                    "nobody in the normal world poses as {sender:x}"
                );
                assert!(receiver & 0x8000 != 0 && receiver != 0xFFFF);
                let number = other[2] as u32 & 0xFF;
                assert!(
                    plain || (matches!(number, 4 | 6) && sender == 0),
                    "{number} from NS"
                );
            }
        }
        if world == World::Normal {
            assert!(
                matches!(action, Action::Return | Action::Enter),
                "NS makes no work for EL3"
            );
        }
    }

    /// Fixed by the normal world's first call that is not FFA_VERSION; constant from then on.
    fn check_versions(&mut self, world: World, state: StateName, w0: u32) {
        let now = self.spmd.versions();
        if let Some(fixed) = self.fixed {
            assert_eq!(now, fixed, "the versions changed after they were fixed");
        } else if world == World::Normal
            && state == StateName::Running
            && w0 & !(1 << 16) != 0x8400_0063
        {
            self.fixed = Some(now);
        }
    }

    /// What bl31 does.
    fn act(&mut self, index: usize, from: World, state: StateName, action: Action) {
        let cpu = &mut self.cpus[index];
        let untouched = |cpu: &mut Cpu| {
            if let Some(regs) = cpu.untouched.take() {
                assert_eq!(
                    cpu.normal, regs,
                    "the normal world's registers as they were"
                );
            }
            cpu.running = Some(World::Normal);
        };
        match action {
            Action::Return => {}
            Action::Enter => {
                if state == StateName::Interrupted {
                    untouched(cpu);
                }
                assert!(
                    from == World::Normal || cpu.untouched.is_none(),
                    "the normal world is entered in the middle of {state:?}"
                );
                cpu.running = Some(from.other());
            }
            Action::El3(Work::SpmcReady) => {
                assert_eq!(state, StateName::Booting);
                untouched(cpu);
            }
            Action::El3(Work::SpmcFailed(_) | Work::SpmcCalledEarly(_)) => {
                assert_eq!(state, StateName::Booting);
                assert!(!cpu.core.has_spmc());
                untouched(cpu);
            }
            Action::El3(Work::Answered(answer)) => {
                assert!(
                    matches!(
                        state,
                        StateName::RequestedPower | StateName::RequestedMessage
                    ),
                    "{answer:?} in {state:?}"
                );
                untouched(cpu);
                let granted = matches!(answer, Answer::Done | Answer::Ignored(_) | Answer::Aborted);
                if std::mem::take(&mut cpu.turning_off) && granted {
                    let before = cpu.core.state();
                    cpu.core.turn_off();
                    cpu.running = None;
                    Self::edge(before, cpu.core.state(), "EL3");
                }
            }
            Action::El3(Work::ConsoleLog(log)) => {
                assert_eq!(from, World::Secure);
                log.lines(&mut cpu.core, &mut cpu.secure, |line| {
                    let text = line.to_string();
                    assert!(
                        text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                        "{text:?}"
                    );
                });
                assert_eq!(cpu.secure[..8], [id(0x61, false), 0, 0, 0, 0, 0, 0, 0]);
            }
            Action::El3(Work::Group0Interrupt) => assert_eq!(from, World::Secure),
            Action::El3(Work::Aborted) => {
                assert_eq!(cpu.core.state(), StateName::Dead);
                if state == StateName::Interrupted {
                    untouched(cpu);
                } else {
                    let version = state == StateName::RequestedVersion;
                    let w0 = if version {
                        error_code(-1)
                    } else {
                        id(0x60, false)
                    };
                    assert_eq!(cpu.normal[0], w0);
                }
                cpu.running = Some(World::Normal);
            }
            Action::El3(Work::Unclaimed) => panic!("a call claims no interrupt"),
        }
    }
}

/// Two equal systems, one with short cuts and one without. It makes no difference.
struct Twins([System; 2]);

impl Twins {
    fn new(version: Version, sel2: bool, doorbell: bool) -> Self {
        Self([true, false].map(|short_cuts| System::new(version, sel2, doorbell, short_cuts)))
    }

    fn apply(&mut self, event: &Event) {
        let Self([short, whole]) = self;
        short.apply(event);
        whole.apply(event);
        let by = &event.what;
        assert_eq!(short.spmd.versions(), whole.spmd.versions(), "{by:x?}");
        let (short, whole) = (&short.cpus[event.core], &whole.cpus[event.core]);
        assert_eq!(short.core.state(), whole.core.state(), "{by:x?}");
        assert_eq!(short.running, whole.running, "{by:x?}");
        assert_eq!(short.normal, whole.normal, "{by:x?}");
        assert_eq!(short.secure, whole.secure, "{by:x?}");
    }

    /// Compares what shows only later: how many wrong calls the SPMC has made, and the short cuts that are open.
    fn end(self) {
        let Self([short, whole]) = self;
        for (short, whole) in short.cpus.iter().zip(&whole.cpus) {
            assert_eq!(format!("{:?}", short.core), format!("{:?}", whole.core));
        }
    }
}

fn run(calls: u64) {
    const LENGTH: usize = 200;
    let start = CALLS.load(Relaxed);
    let config = Config {
        failure_persistence: None,
        cases: 64,
        ..Config::default()
    };
    let system = (
        prop::sample::select(VERSIONS.to_vec()),
        any::<bool>(),
        any::<bool>(),
    );
    let strategy = (system, prop::collection::vec(any::<u64>(), LENGTH));
    while CALLS.load(Relaxed) - start < calls {
        let mut runner = TestRunner::new(config.clone());
        runner
            .run(&strategy, |((version, sel2, doorbell), seeds)| {
                let mut twins = Twins::new(version, sel2, doorbell);
                for seed in seeds {
                    twins.apply(&Draw::event(seed));
                }
                twins.end();
                Ok(())
            })
            .unwrap_or_else(|failure| panic!("{failure}"));
    }
}

/// Has these events happen, each made from its number, in a system with the SPMC's version, level and doorbell by
/// `system`. For the coverage-guided fuzzer in tests/fuzz.
#[allow(dead_code, reason = "used there")]
pub(crate) fn happens(system: [u8; 3], events: &[[u8; 8]]) {
    let [version, sel2, doorbell] = system;
    let version = VERSIONS[usize::from(version) % VERSIONS.len()];
    let mut twins = Twins::new(version, sel2 & 1 != 0, doorbell & 1 != 0);
    for seed in events {
        twins.apply(&Draw::event(u64::from_le_bytes(*seed)));
    }
    twins.end();
}

/// The changes of state in docs/spmd.md: lines `From --> To: who …` of its drawing.
fn drawn() -> BTreeSet<(String, String, String)> {
    let text = include_str!("../../docs/spmd.md");
    let drawing = text
        .split("```mermaid")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("docs/spmd.md has a drawing");
    drawing
        .lines()
        .filter_map(|line| {
            let (from, rest) = line.trim().split_once(" --> ")?;
            let (to, label) = rest.split_once(": ")?;
            let who = label.split_whitespace().next()?;
            Some((from.into(), to.into(), who.into()))
        })
        .collect()
}

/// The changes of state that were made, as the drawing names them.
fn seen() -> BTreeSet<(String, String, String)> {
    let edges = EDGES.lock().unwrap();
    let named = |(from, to, by): &Edge| (format!("{from:?}"), format!("{to:?}"), (*by).to_owned());
    edges.iter().map(named).collect()
}

#[test]
fn whatever_is_called_the_invariants_hold_and_the_drawing_is_right() {
    let calls = match std::env::var("JANUS_SPMD_CALLS") {
        Ok(calls) => calls
            .parse()
            .expect("JANUS_SPMD_CALLS is a number of calls"),
        Err(_) => 200_000,
    };
    run(calls);
    let drawn = drawn();
    // The rarest changes may take a little longer to come by.
    for _ in 0..20 {
        if drawn.is_subset(&seen()) {
            break;
        }
        run(200_000);
    }
    let seen = seen();
    let undrawn: Vec<_> = seen.difference(&drawn).collect();
    let unseen: Vec<_> = drawn.difference(&seen).collect();
    assert!(
        undrawn.is_empty(),
        "done, but not drawn in docs/spmd.md: {undrawn:#?}"
    );
    assert!(
        unseen.is_empty(),
        "drawn in docs/spmd.md, but never seen: {unseen:#?}"
    );
    println!("{} calls, {} transitions", CALLS.load(Relaxed), seen.len());
}
