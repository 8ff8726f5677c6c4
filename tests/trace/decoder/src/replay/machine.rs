//! The part of bl31 in a replay: which calls go to the library, and what it expects at the next exit.
//!
//! Only what the dispatcher decides is compared: FF-A calls of both worlds, secure interrupts, the messages
//! around PSCI calls. What other services answer is theirs. After a difference the replay goes on from what
//! was recorded, so that one difference is reported once.

use super::findings::Findings;
use crate::decode;
use crate::show;
use janus_psci::psci as id;
use janus_spmd::{
    Action, Answer, Core as SpmdCore, Regs, Request, Spmd, StateName, WarmBoot, Work, World,
};
use janus_trace_format::arch::{self, Cause};
use janus_trace_format::{Event, Way};
use std::collections::{BTreeMap, HashMap};

/// FFA_MSG_WAIT.
const MSG_WAIT: u64 = 0x8400_006b;
/// PSCI's DENIED.
const DENIED: u64 = -3_i64 as u64;

/// All cores and the dispatcher.
pub struct Machine {
    spmd: Spmd,
    cores: BTreeMap<u64, Core>,
    /// Whether any core has entered the SPMC yet: the first one is the boot core.
    booted: bool,
    /// Why calls were refused, by the event that made them.
    pub reasons: HashMap<u32, String>,
    /// The differences.
    pub findings: Findings,
}

/// What has to come next on a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// An exit to this world, with its registers as they are in [`Core::regs`].
    Resume(World),
    /// The secure world gets FFA_INTERRUPT, or the interrupt was EL3's.
    Interrupt,
    /// Anything: the dispatcher does not decide this, except that it may have to ask the SPMC.
    Other,
    /// A start of the normal world.
    NormalStart,
}

/// A PSCI call that the SPMC has to hear of.
#[derive(Clone, Copy, Debug)]
struct Power {
    function: u32,
    arguments: [u64; 3],
    /// The event that called.
    event: u32,
    time: u64,
    told: bool,
    refused: bool,
    back: bool,
}

struct Core {
    spmd: SpmdCore,
    /// x0 to x17 of the normal and of the secure world.
    regs: [Regs; 2],
    expect: Option<Expect>,
    /// The last entry.
    entry: Option<(u32, Event)>,
    power: Option<Power>,
    /// Where the worlds go on.
    resumes: [u64; 2],
}

impl Core {
    fn new() -> Core {
        Core {
            spmd: SpmdCore::new(),
            regs: [[0; 18]; 2],
            expect: None,
            entry: None,
            power: None,
            resumes: [0; 2],
        }
    }
}

fn world(event: &Event) -> World {
    match event.world() {
        arch::World::Secure => World::Secure,
        arch::World::Normal | arch::World::Realm => World::Normal,
    }
}

fn name(world: World) -> &'static str {
    match world {
        World::Normal => show::world(arch::World::Normal),
        World::Secure => show::world(arch::World::Secure),
    }
}

/// The PSCI functions of which Janus tells the SPMC, in either width.
fn is_power(function: u32) -> bool {
    matches!(
        function,
        id::PSCI_CPU_OFF
            | id::PSCI_CPU_FREEZE
            | id::PSCI_CPU_SUSPEND_32
            | id::PSCI_CPU_SUSPEND_64
            | id::PSCI_CPU_DEFAULT_SUSPEND_32
            | id::PSCI_CPU_DEFAULT_SUSPEND_64
            | id::PSCI_SYSTEM_SUSPEND_32
            | id::PSCI_SYSTEM_SUSPEND_64
            | id::PSCI_SYSTEM_OFF
            | id::PSCI_SYSTEM_RESET
            | id::PSCI_SYSTEM_RESET2_32
            | id::PSCI_SYSTEM_RESET2_64
            | janus_psci::PSCI_SYSTEM_OFF2_32
            | janus_psci::PSCI_SYSTEM_OFF2_64
    )
}

impl Power {
    fn turns_off(&self) -> bool {
        matches!(self.function, id::PSCI_CPU_OFF | id::PSCI_CPU_FREEZE)
    }

    fn ends_system(&self) -> bool {
        matches!(
            self.function,
            id::PSCI_SYSTEM_OFF
                | id::PSCI_SYSTEM_RESET
                | id::PSCI_SYSTEM_RESET2_32
                | id::PSCI_SYSTEM_RESET2_64
        )
    }

    fn request(&self) -> Request {
        if self.told {
            let system = matches!(
                self.function,
                id::PSCI_SYSTEM_SUSPEND_32 | id::PSCI_SYSTEM_SUSPEND_64
            );
            return Request::WarmBoot(if system {
                WarmBoot::SuspendToRam
            } else {
                WarmBoot::LowPower
            });
        }
        Request::Psci {
            function: self.function,
            arguments: if self.turns_off() {
                [0; 3]
            } else {
                self.arguments
            },
        }
    }
}

impl Machine {
    /// A machine whose cores are off.
    pub fn new(spmd: Spmd) -> Machine {
        Machine {
            spmd,
            cores: BTreeMap::new(),
            booted: false,
            reasons: HashMap::new(),
            findings: Findings::default(),
        }
    }

    /// Takes in the next event of the trace.
    pub fn event(&mut self, number: u32, event: &Event) {
        let mut core = self.cores.remove(&event.core).unwrap_or_else(Core::new);
        match event.way {
            Way::Entry { .. } => self.entry(&mut core, number, event),
            Way::Exit => self.exit(&mut core, number, event),
        }
        self.cores.insert(event.core, core);
    }

    /// Ends the trace: whatever is still expected will not come.
    pub fn end(&mut self) {
        let cores = std::mem::take(&mut self.cores);
        for core in cores.values() {
            if let Some(power) = core
                .power
                .filter(|power| !power.told && power.ends_system())
            {
                self.not_told(core, &power);
            }
        }
    }

    fn entry(&mut self, core: &mut Core, number: u32, event: &Event) {
        let from = world(event);
        core.regs[from as usize] = event.regs;
        core.resumes[from as usize] = event.elr;
        core.entry = Some((number, *event));
        core.expect = Some(match event.cause() {
            _ if event.is_from_el3() => Expect::Other,
            Some(Cause::Smc { immediate: 0, .. }) => self.call(core, from, number, event),
            Some(Cause::Irq | Cause::Fiq) if from == World::Normal => Expect::Interrupt,
            Some(Cause::Irq | Cause::Fiq | Cause::SError) => Expect::Resume(from),
            _ => Expect::Other,
        });
    }

    /// A call: what comes back, or who goes on.
    fn call(&mut self, core: &mut Core, from: World, number: u32, event: &Event) -> Expect {
        let function = event.regs[0] as u32;
        if !janus_spmd::is_ffa(function) {
            let [_, x1, x2, x3, ..] = event.regs;
            core.power = (from == World::Normal && is_power(function)).then_some(Power {
                function,
                arguments: [x1, x2, x3],
                event: number,
                time: event.all,
                told: false,
                refused: false,
                back: false,
            });
            return Expect::Other;
        }
        if let Some(refusal) = self.spmd.refusal(&core.spmd, from, &event.regs) {
            self.reasons.insert(number, refusal.why.to_string());
        }
        let [normal, secure] = &mut core.regs;
        let (caller, other) = match from {
            World::Normal => (normal, secure),
            World::Secure => (secure, normal),
        };
        let work = match self.spmd.call(&mut core.spmd, from, caller, other) {
            Action::Return => return Expect::Resume(from),
            Action::Enter => {
                return Expect::Resume(from.other());
            }
            Action::El3(work) => work,
        };
        match work {
            Work::SpmcReady | Work::SpmcFailed(_) | Work::SpmcCalledEarly(_) => Expect::NormalStart,
            Work::Answered(answer) => self.answered(core, answer),
            Work::ConsoleLog(log) => {
                log.lines(&mut core.spmd, &mut core.regs[1], |_| {});
                Expect::Resume(World::Secure)
            }
            Work::Group0Interrupt => Expect::Resume(World::Secure),
            Work::Aborted => Expect::Resume(World::Normal),
            Work::Unclaimed => Expect::Resume(from),
        }
    }

    /// The SPMC answered a power message.
    fn answered(&mut self, core: &mut Core, answer: Answer) -> Expect {
        let Some(power) = &mut core.power else {
            return Expect::Other;
        };
        if power.back {
            core.power = None;
            return Expect::NormalStart;
        }
        if let Answer::Refused(_) = answer {
            power.refused = true;
            core.regs[0][0] = DENIED;
            return Expect::Resume(World::Normal);
        }
        if power.turns_off() {
            core.spmd.turn_off();
        }
        Expect::Other
    }

    fn exit(&mut self, core: &mut Core, number: u32, exit: &Event) {
        let to = world(exit);
        let resumed = core.resumes[to as usize] == exit.elr;
        let expect = core.expect.take();
        match (expect, to) {
            // A core that comes up, or an SPMC that EL3 starts anew.
            (_, World::Secure) if !resumed => self.start(core, number, exit),
            (Some(Expect::Resume(expected)), _) if resumed || expected != to => {
                self.compare(core, expected, number, exit);
            }
            (Some(Expect::Interrupt), World::Secure) => {
                let action = self
                    .spmd
                    .secure_interrupt(&mut core.spmd, &mut core.regs[1]);
                if action == Action::Enter {
                    self.compare(core, World::Secure, number, exit);
                } else {
                    let example = format!("the SPMC's state is {:?}", core.spmd.state());
                    self.differs(
                        core,
                        number,
                        exit,
                        "an interrupt goes to the SPMC, Janus keeps it",
                        example,
                    );
                }
            }
            (Some(Expect::Interrupt), World::Normal) => {
                self.compare(core, World::Normal, number, exit)
            }
            (Some(Expect::Other), World::Secure) if decode::is_el3_request(&exit.regs) => {
                self.message(core, number, exit);
            }
            (_, World::Normal) => {
                let asleep = core.power.take_if(|power| !power.refused);
                if let Some(power) = asleep
                    && !resumed
                    && !power.told
                    && self.spmd.spmc().is_some()
                    && core.spmd.has_spmc()
                {
                    self.not_told(core, &power);
                }
            }
            _ => {}
        }
        core.regs[to as usize] = exit.regs;
    }

    /// EL3 enters the SPMC at an entry point.
    fn start(&mut self, core: &mut Core, number: u32, exit: &Event) {
        let primary = !std::mem::replace(&mut self.booted, true);
        if core.spmd.state() != StateName::Off {
            core.spmd.turn_off();
        }
        core.power = None;
        core.entry = None;
        if !core.spmd.begin_boot(&self.spmd, primary) {
            let example = format!("the state of the core is {:?}", core.spmd.state());
            self.differs(
                core,
                number,
                exit,
                "starts an SPMC where Janus has none",
                example,
            );
            return;
        }
        self.findings.compared += 1;
        let entry = self.spmd.entry(primary);
        if entry != exit.elr {
            let example = format!("Janus {entry:#x}, recorded {:#x}", exit.elr);
            self.differs(
                core,
                number,
                exit,
                "starts the SPMC at another entry point",
                example,
            );
        }
    }

    /// EL3 sends the SPMC something on its own account: it has to be what Janus would send.
    fn message(&mut self, core: &mut Core, number: u32, exit: &Event) {
        let Some(power) = &mut core.power else {
            // A logical partition's: no call asked for it, and only the image knows of it.
            return;
        };
        let request = power.request();
        (power.back, power.told) = (power.told, true);
        match self
            .spmd
            .request(&mut core.spmd, request, &mut core.regs[1])
        {
            Ok(()) => self.compare(core, World::Secure, number, exit),
            Err(why) => {
                let example = format!("{why:?}");
                self.differs(
                    core,
                    number,
                    exit,
                    "sends a message that Janus does not",
                    example,
                );
            }
        }
    }

    /// Holds an exit against the registers that the library left.
    fn compare(&mut self, core: &mut Core, expected: World, number: u32, exit: &Event) {
        self.findings.compared += 1;
        let to = world(exit);
        if to != expected {
            let what = format!("goes on in {}, Janus in {}", name(to), name(expected));
            let library = decode::call(&core.regs[expected as usize]);
            let example = format!("recorded {}; Janus {library}", decode::call(&exit.regs));
            self.differs(core, number, exit, &what, example);
            self.catch_up(core, to);
            return;
        }
        let library = &core.regs[to as usize];
        let other: Vec<usize> = (0..18).filter(|&n| library[n] != exit.regs[n]).collect();
        if let Some(&first) = other.first() {
            let what = format!("{} gets another {}", name(to), ranges(&other));
            let example = format!(
                "x{first} is {:#x}, with Janus {:#x}",
                exit.regs[first], library[first]
            );
            self.differs(core, number, exit, &what, example);
        }
    }

    /// Brings the dispatcher to where the recorded BL31 is: the SPMC runs, and has nothing to answer.
    fn catch_up(&mut self, core: &mut Core, _to: World) {
        if core.spmd.state() == StateName::Running {
            return;
        }
        core.spmd.turn_off();
        if core.spmd.begin_boot(&self.spmd, false) {
            let (mut caller, mut other) = ([0; 18], [0; 18]);
            caller[0] = MSG_WAIT;
            let _ = self
                .spmd
                .call(&mut core.spmd, World::Secure, &mut caller, &mut other);
        }
    }

    fn not_told(&mut self, core: &Core, power: &Power) {
        let mut regs = [0; 18];
        regs[0] = power.function.into();
        let kind = format!(
            "NS {}: the SPMC is not told, Janus tells it",
            decode::call(&regs).name
        );
        let example = format!("the SPMC's state is {:?}", core.spmd.state());
        self.findings.add(power.event, power.time, kind, example);
    }

    fn differs(&mut self, core: &Core, number: u32, exit: &Event, what: &str, example: String) {
        let (event, time, by) = match &core.entry {
            Some((event, entry)) => {
                let whose = name(world(entry));
                let by = match entry.cause() {
                    Some(Cause::Smc { .. }) => match core.power {
                        Some(power) if power.told => {
                            format!("{whose} {}", decode::function_name(power.function))
                        }
                        _ => format!("{whose} {}", decode::call(&entry.regs).name),
                    },
                    _ => format!("{whose} interrupt"),
                };
                (*event, entry.all, by)
            }
            None => (number, exit.all, "EL3".to_owned()),
        };
        self.findings
            .add(event, time, format!("{by}: {what}"), example);
    }
}

/// Register numbers as `x1-x3, x8-x17`. Which of x8 to x17 differ depends on what they happen to hold.
fn ranges(numbers: &[usize]) -> String {
    let mut text = String::new();
    let extended = numbers.iter().position(|n| *n >= 8);
    let mut rest = &numbers[..extended.unwrap_or(numbers.len())];
    while let Some((&first, _)) = rest.split_first() {
        let run = rest
            .iter()
            .zip(first..)
            .take_while(|(a, b)| *a == b)
            .count();
        if !text.is_empty() {
            text.push_str(", ");
        }
        match run {
            1 => text.push_str(&format!("x{first}")),
            _ => text.push_str(&format!("x{first}-x{}", first + run - 1)),
        }
        rest = &rest[run..];
    }
    if extended.is_some() {
        text.push_str(if text.is_empty() {
            "x8-x17"
        } else {
            ", x8-x17"
        });
    }
    text
}
