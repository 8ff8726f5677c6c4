//! From entries and exits to calls: who asked whom, what came back, and what happened in between.
//!
//! Each core is followed separately. An entry opens a [`Step`]; the exit that follows shows what it was: an
//! answer if the same world goes on behind its call, a call passed on if the other world gets it, a message
//! of EL3's own if that world gets something else. What the SPMC calls while it has something to answer is
//! nested below that, and its own answer is no step but the end of one.

use crate::decode::{is_el3_request, is_interrupt};
use crate::file::Trace;
use janus_trace_format::arch::{Cause, World};
use janus_trace_format::{Event, Way};
use std::collections::{BTreeMap, BTreeSet};

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call of this world.
    Call(World),
    /// A message of EL3's own to this world.
    Message(World),
    /// An interrupt that came to EL3 while this world ran.
    Interrupt(World),
    /// Another exception of this world, of this class.
    Trap(World, u8),
    /// An SError that came to EL3 while this world ran.
    SError(World),
    /// EL3 starts this world at an entry point.
    Start(World),
    /// EL3 took an exception from itself.
    Fault,
}

/// One line of what happened.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The kind of step.
    pub kind: Kind,
    /// The number of the core, in the order of their affinities.
    pub core: u16,
    /// How deep it is nested.
    pub depth: u16,
    /// The event that begins it: the caller's registers, or what EL3 sends.
    pub event: u32,
    /// The event that ends it: what the caller gets, or what the receiver answered. None: it has no end.
    pub end: Option<u32>,
    /// The call of the SPMC by which it answered, where the normal world got its answer from there.
    pub by: Option<u32>,
    /// The step that it happened in.
    pub parent: Option<u32>,
    /// Whether the other world handled it.
    pub passed_on: bool,
    /// Whether other steps happened within it.
    pub nests: bool,
    /// Instructions at EL3.
    pub el3: u64,
    /// Instructions in the secure world.
    pub secure: u64,
}

/// All steps in the order in which they began, and the cores' affinities.
#[derive(Debug, Default)]
pub struct Flow {
    /// The steps.
    pub steps: Vec<Step>,
    /// The cores.
    pub cores: Vec<u64>,
}

/// What is known of a core while its events are read.
#[derive(Default)]
struct Core {
    number: u16,
    /// Steps that are not ended, the innermost last: each waits for the secure world.
    open: Vec<u32>,
    /// The last entry, until the exit comes: its number and itself.
    entered: Option<(u32, Event)>,
    /// The count at the last exit.
    left: Option<u64>,
    /// Where each world goes on.
    resumes: [Option<u64>; 3],
}

fn index(world: World) -> usize {
    match world {
        World::Normal => 0,
        World::Secure => 1,
        World::Realm => 2,
    }
}

fn kind(entry: &Event) -> Kind {
    let world = entry.world();
    match entry.cause() {
        _ if entry.is_from_el3() => Kind::Fault,
        Some(Cause::Irq | Cause::Fiq) => Kind::Interrupt(world),
        Some(Cause::SError) => Kind::SError(world),
        Some(Cause::Trap(class)) => Kind::Trap(world, class),
        Some(Cause::Smc { .. }) | None => Kind::Call(world),
    }
}

impl Flow {
    /// Follows all cores of a trace.
    pub fn of(trace: &Trace) -> Flow {
        let mut flow = Flow::default();
        let affinities: BTreeSet<u64> = trace.events().map(|(_, event)| event.core).collect();
        flow.cores = affinities.into_iter().collect();
        let mut cores: BTreeMap<u64, Core> = BTreeMap::new();
        for (number, affinity) in flow.cores.iter().enumerate() {
            let number = number as u16;
            cores.insert(
                *affinity,
                Core {
                    number,
                    ..Core::default()
                },
            );
        }
        for (number, event) in trace.events() {
            let core = cores.get_mut(&event.core).expect("all were looked for");
            match event.way {
                Way::Entry { .. } => flow.entry(core, number, event),
                Way::Exit => flow.exit(core, number, &event),
            }
        }
        // Steps that EL3 has not come back from.
        for core in cores.values_mut() {
            flow.no_end(core);
        }
        flow.sort();
        flow
    }

    /// Steps were added when it was clear what they are: brings them into the order of their beginnings.
    fn sort(&mut self) {
        let mut order: Vec<u32> = (0..self.steps.len() as u32).collect();
        order.sort_by_key(|&number| self.steps[number as usize].event);
        let mut place = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            place[from as usize] = to as u32;
        }
        let old = std::mem::take(&mut self.steps);
        self.steps = order.iter().map(|&from| old[from as usize]).collect();
        for step in &mut self.steps {
            step.parent = step.parent.map(|parent| place[parent as usize]);
        }
    }

    fn add(&mut self, core: &Core, kind: Kind, event: u32) -> u32 {
        let number = self.steps.len() as u32;
        let parent = core.open.last().copied();
        let depth = match parent {
            Some(parent) => {
                let parent = self.step(parent);
                parent.nests = true;
                parent.depth + 1
            }
            None => 0,
        };
        self.steps.push(Step {
            kind,
            core: core.number,
            depth,
            event,
            end: None,
            by: None,
            parent,
            passed_on: false,
            nests: false,
            el3: 0,
            secure: 0,
        });
        number
    }

    fn step(&mut self, number: u32) -> &mut Step {
        &mut self.steps[number as usize]
    }

    fn entry(&mut self, core: &mut Core, number: u32, event: Event) {
        // Exits between two entries are only missing where EL3 crashed, or the file is damaged.
        self.no_end(core);
        let world = event.world();
        if let (World::Secure, Some(left)) = (world, core.left) {
            let spent = event.own.saturating_sub(left);
            for open in &core.open {
                self.steps[*open as usize].secure += spent;
            }
        }
        if event.is_from_el3() {
            self.add(core, Kind::Fault, number);
            return;
        }
        core.resumes[index(world)] = Some(event.elr);
        core.entered = Some((number, event));
    }

    /// The last entry, if it is still there, has no exit. It may be the answer to a message all the same.
    fn no_end(&mut self, core: &mut Core) {
        let Some((number, event)) = core.entered.take() else {
            return;
        };
        let kind = kind(&event);
        let asked = core.open.last().map(|&open| self.step(open).kind);
        if kind == Kind::Call(World::Secure) && matches!(asked, Some(Kind::Message(_))) {
            self.answered(core, number, None);
        } else {
            self.add(core, kind, number);
        }
    }

    fn exit(&mut self, core: &mut Core, number: u32, exit: &Event) {
        let to = exit.world();
        core.left = Some(exit.own);
        let resumed = core.resumes[index(to)] == Some(exit.elr);
        let Some((entry_number, entry)) = core.entered else {
            return self.start(core, to, number);
        };
        let (from, kind) = (entry.world(), kind(&entry));
        let call = matches!(kind, Kind::Call(_));
        let spent = exit.own.saturating_sub(entry.own);
        for open in &core.open {
            self.steps[*open as usize].el3 += spent;
        }
        // A request of EL3's own never looks like an answer.
        let asks = to == World::Secure && call && is_el3_request(&exit.regs);
        match (from, to) {
            (World::Secure, World::Secure) if asks => {
                core.entered = None;
                self.answered(core, entry_number, None);
                self.message(core, to, number);
            }
            _ if from == to && (resumed || !call) => {
                core.entered = None;
                let step = self.add(core, kind, entry_number);
                let step = self.step(step);
                (step.end, step.el3) = (Some(number), spent);
            }
            // The core was off, or slept: it does not go on behind its call.
            _ if from == to => {
                self.no_end(core);
                self.start(core, to, number);
            }
            (_, World::Secure) => {
                core.entered = None;
                let step = self.add(core, kind, entry_number);
                let same = match kind {
                    Kind::Interrupt(_) => is_interrupt(&exit.regs),
                    _ => entry.regs[0] as u8 == exit.regs[0] as u8 && !asks,
                };
                let step_ref = self.step(step);
                (step_ref.el3, step_ref.passed_on) = (spent, same);
                core.open.push(step);
                if !resumed {
                    self.start_below(core, to, number);
                } else if !same {
                    self.message(core, to, number);
                }
            }
            // The SPMC is up, or its core was off meanwhile: the normal world starts.
            (World::Secure, _) if !resumed => {
                core.entered = None;
                self.answered(core, entry_number, None);
                self.start(core, to, number);
            }
            _ => {
                core.entered = None;
                self.answered(core, entry_number, Some(number));
            }
        }
    }

    /// The SPMC answered with the call `by` what it was asked last. `exit`: what the normal world got
    /// thereupon, if it did.
    fn answered(&mut self, core: &mut Core, by: u32, exit: Option<u32>) {
        let Some(&open) = core.open.last() else {
            // The beginning of the trace is missing.
            let step = self.add(core, Kind::Call(World::Secure), by);
            self.step(step).end = exit;
            return;
        };
        if matches!(self.step(open).kind, Kind::Message(_) | Kind::Start(_)) {
            core.open.pop();
            self.step(open).end = Some(by);
        } else {
            self.step(open).by = Some(by);
        }
        if let Some(exit) = exit
            && let Some(caller) = core.open.pop()
        {
            self.step(caller).end = Some(exit);
        }
    }

    fn message(&mut self, core: &mut Core, to: World, event: u32) {
        let step = self.add(core, Kind::Message(to), event);
        core.open.push(step);
    }

    /// EL3 starts `to` on this core, and nothing that was under way goes on.
    fn start(&mut self, core: &mut Core, to: World, event: u32) {
        core.open.clear();
        self.start_below(core, to, event);
    }

    fn start_below(&mut self, core: &mut Core, to: World, event: u32) {
        let step = self.add(core, Kind::Start(to), event);
        if to == World::Secure {
            core.open.push(step);
        }
    }
}
