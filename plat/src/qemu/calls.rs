//! SMCs, a Group 0 interrupt and a logical partition of a platform's own, for tests (feature `calls`): nothing in the
//! product's image has any of them.
//!
//! The interrupt is a PPI without a device, which a call makes pending. Its handler and a call talk to a partition.
//! Another call returns the result.

use super::{Qemu, pend, router};
use crate::{
    Call, Callers, El3, Forms, Function, Group0, Handler, Kind, Next, Owner, Platform, Service,
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use janus_drivers::gic::SecureInterrupt;
use janus_spmd::{
    Body, Event, Interrupts, LogicalPartition, Message, Messenger, NotAvailable, Regs, Request,
    Run, Start, World,
};

/// The interrupt: QEMU's machine has no device on it.
const INTERRUPT: u32 = 18;

/// Its row in the table of secure interrupts.
pub const SECURE: SecureInterrupt = pend::secure(INTERRUPT);

pub const GROUP0: Group0 = Group0 {
    intid: INTERRUPT,
    handle,
};

/// The calls.
pub const SERVICE: Service = Service {
    owner: Owner::Sip,
    uuid: 0x0f7c_52b8_3e14_4d69_9b20_c5d1_7a8e_4396,
    revision: [2, 1],
    functions: &[
        call(1, Forms::Both, Callers::Both, who),
        call(2, Forms::Smc64, Callers::Both, raise_interrupt),
        call(3, Forms::Smc64, Callers::Both, handled),
        call(4, Forms::Smc64, Callers::Both, ask_partition),
        call(5, Forms::Smc64, Callers::Normal, go_on),
        call(6, Forms::Smc32, Callers::Secure, who),
        Function {
            kind: Kind::Yielding,
            ..call(7, Forms::Smc64, Callers::Both, who)
        },
        call(8, Forms::Smc64, Callers::Normal, seen),
        call(9, Forms::Smc64, Callers::Normal, last_power_down),
        call(0x10, Forms::Smc64, Callers::Normal, ask_as),
        call(0x11, Forms::Smc64, Callers::Normal, run_as),
        call(0x12, Forms::Smc64, Callers::Normal, handler_asks),
        call(0x13, Forms::Smc64, Callers::Normal, router::route),
    ],
};

const fn call(
    number: u16,
    forms: Forms,
    callers: Callers,
    handle: fn(&mut dyn El3, &Call),
) -> Function {
    Function {
        number,
        kind: Kind::Fast,
        forms,
        callers,
        handle: Handler::El3(handle),
    }
}

pub const PARTITIONS: [&dyn LogicalPartition; 6] = [
    &Caller,
    &router::ROUTER,
    // Its requests end where the SPMC gives way to an interrupt.
    &Asks {
        id: 0xffc2,
        patience_ms: 30_000,
        interrupts: Interrupts::End,
    },
    // It does not wait for long.
    &Asks {
        id: 0xffc3,
        patience_ms: 300,
        interrupts: Interrupts::Wait,
    },
    &Asks {
        id: 0xffc4,
        patience_ms: 300,
        interrupts: Interrupts::End,
    },
    &Early,
];

/// A partition that starts before the normal world's version is fixed, if that takes longer than a millisecond.
struct Early;

impl LogicalPartition for Early {
    fn id(&self) -> u16 {
        0xffc5
    }

    fn uuid(&self) -> [u64; 2] {
        [0x4c7a_9b11_5d6e_4f02, 0xffc5]
    }

    fn patience_ms(&self) -> u32 {
        30_000
    }

    fn starts(&self) -> Start {
        Start::VersionFixedOrAfter(1)
    }

    fn start(&self, messenger: &mut dyn Messenger) {
        count(EARLY);
        Caller.ask(messenger);
    }
}

/// A partition that only asks when a call says so.
struct Asks {
    id: u16,
    patience_ms: u32,
    interrupts: Interrupts,
}

impl LogicalPartition for Asks {
    fn id(&self) -> u16 {
        self.id
    }

    fn uuid(&self) -> [u64; 2] {
        [0x4c7a_9b11_5d6e_4f02, self.id.into()]
    }

    fn patience_ms(&self) -> u32 {
        self.patience_ms
    }

    fn interrupts(&self) -> Interrupts {
        self.interrupts
    }

    fn start(&self, _: &mut dyn Messenger) {}
}

/// The EL3 logical partition that sends the requests.
struct Caller;

impl LogicalPartition for Caller {
    fn id(&self) -> u16 {
        0xffc1
    }

    fn uuid(&self) -> [u64; 2] {
        [0x4c7a_9b11_5d6e_4f02, 0x8a53_10fe_77c4_21b9]
    }

    // Longer than a loaded host keeps this machine from running.
    fn patience_ms(&self) -> u32 {
        30_000
    }

    fn start(&self, messenger: &mut dyn Messenger) {
        count(STARTS);
        self.ask(messenger);
    }

    fn event(&self, event: Event, messenger: &mut dyn Messenger) {
        count(match event {
            Event::CoreOn => CAME_ON,
            Event::PowerDown(function) => {
                FUNCTION.store(function.into(), Relaxed);
                GOES_DOWN
            }
            _ => KEEPS,
        });
        self.ask(messenger);
    }
}

impl Caller {
    /// Asks the partition, and counts the requests without the right answer.
    fn ask(&self, messenger: &mut dyn Messenger) {
        let answer = messenger.ask(Request::Message(Message {
            sender: self.id(),
            receiver: ASKED,
            body: Body::Req64([1 << 40, 0, 0, 0, 0]),
        }));
        if answer.is_ok_and(|answer| answer[3] == 1 << 40) {
            return;
        }
        count(IN_VAIN);
    }
}

/// What the partition has seen, on all cores.
static SEEN: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];
const STARTS: usize = 0;
const CAME_ON: usize = 1;
const GOES_DOWN: usize = 2;
const KEEPS: usize = 3;
const IN_VAIN: usize = 4;
/// Starts of [`Early`].
const EARLY: usize = 5;
/// The last power-down's function.
static FUNCTION: AtomicU64 = AtomicU64::new(0);

fn count(what: usize) {
    SEEN[what].fetch_add(1, Relaxed);
}

/// What the partition has seen.
fn seen(el3: &mut dyn El3, call: &Call) {
    let seen = SEEN.each_ref().map(|of| of.load(Relaxed));
    call.answer(el3, &seen);
}

/// The function of the last power-down.
fn last_power_down(el3: &mut dyn El3, call: &Call) {
    call.answer(el3, &[FUNCTION.load(Relaxed)]);
}

/// The partition that is asked; the test SPMC answers for it, and repeats what it was sent.
const ASKED: u16 = 0x8006;

/// Asks that partition. Returns what came of it and its answer.
fn ask(el3: &mut dyn El3, word: u64) -> [u64; 2] {
    let answer = send(el3, Caller.id(), word);
    [answer[0], answer[3]]
}

/// Asks that partition for the logical partition `sender`. See [`outcome`].
fn send(el3: &mut dyn El3, sender: u16, word: u64) -> [u64; 5] {
    outcome(el3.ask(Request::Message(Message {
        sender,
        receiver: ASKED,
        body: Body::Req32([word as u32, 0, 0, 0, 0]),
    })))
}

/// 0 and w0, w1, w3 and w2 of the answer; or 1 if the SPMC waits for EL3, 3 if it died, 2 if nobody could be asked.
fn outcome(answer: Result<Regs, NotAvailable>) -> [u64; 5] {
    match answer {
        Ok(answer) => [0, answer[0], answer[1], answer[3], answer[2]],
        Err(NotAvailable::Busy) => [1, 0, 0, 0, 0],
        Err(NotAvailable::Died) => [3, 0, 0, 0, 0],
        Err(_) => [2, 0, 0, 0, 0],
    }
}

/// Asks for the logical partition x1, with the word x2.
fn ask_as(el3: &mut dyn El3, call: &Call) {
    let (sender, word) = (call.parameter(el3, 1) as u16, call.parameter(el3, 2));
    let answer = send(el3, sender, word);
    call.answer(el3, &answer);
}

/// The rest of such a request; x2: w1 of FFA_INTERRUPT.
fn run_as(el3: &mut dyn El3, call: &Call) {
    let (sender, vcpu) = (call.parameter(el3, 1) as u16, call.parameter(el3, 2) as u16);
    let answer = el3.ask(Request::Run(Run {
        sender,
        receiver: ASKED,
        vcpu,
        req2: false,
    }));
    call.answer(el3, &outcome(answer));
}

/// The next handler asks for the logical partition x1, with the word x2.
fn handler_asks(el3: &mut dyn El3, call: &Call) {
    for (n, slot) in ASKS.iter().enumerate() {
        slot.store(call.parameter(el3, n.wrapping_add(1)), Relaxed);
    }
    call.answer(el3, &[0]);
}

/// For whom the next handler asks, and with what; zero: for the usual one.
static ASKS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// How often the interrupt was handled, on all cores.
static HANDLED: AtomicU64 = AtomicU64::new(0);
/// The result of the last handler's request.
static ANSWER: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Whether the SPMC runs after the next handler.
static SPMC_NEXT: AtomicU64 = AtomicU64::new(0);

fn handle(el3: &mut dyn El3) -> Next {
    let count = HANDLED.fetch_add(1, Relaxed).wrapping_add(1);
    let answer = match ASKS.each_ref().map(|slot| slot.swap(0, Relaxed)) {
        [0, _] => ask(el3, count | 0x100),
        [sender, word] => {
            let answer = send(el3, sender as u16, word);
            [answer[0], answer[3]]
        }
    };
    for (slot, value) in ANSWER.iter().zip(answer) {
        slot.store(value, Relaxed);
    }
    if SPMC_NEXT.swap(0, Relaxed) == 1 {
        Next::Spmc
    } else {
        Next::Resume
    }
}

/// Who calls, where, and with what.
fn who(el3: &mut dyn El3, call: &Call) {
    let secure = call.from == World::Secure;
    let answer = [secure as u64, el3.index() as u64, call.parameter(el3, 1)];
    call.answer(el3, &answer);
}

/// Raises the interrupt here; x1: whether the SPMC runs next.
fn raise_interrupt(el3: &mut dyn El3, call: &Call) {
    SPMC_NEXT.store(call.parameter(el3, 1), Relaxed);
    pend::at(Qemu::mpidr(el3.index()), INTERRUPT);
    call.answer(el3, &[0; 3]);
}

/// What the handler did.
fn handled(el3: &mut dyn El3, call: &Call) {
    let answer = [
        HANDLED.load(Relaxed),
        ANSWER[0].load(Relaxed),
        ANSWER[1].load(Relaxed),
    ];
    call.answer(el3, &answer);
}

/// Asks the partition x1.
fn ask_partition(el3: &mut dyn El3, call: &Call) {
    let word = call.parameter(el3, 1);
    let [came_to, said] = ask(el3, word);
    call.answer(el3, &[came_to, said, 0]);
}

/// Makes the normal world continue x1 bytes further on, with the PSTATE x2, or its own if that is 0. x0 says whether
/// it can.
fn go_on(el3: &mut dyn El3, call: &Call) {
    let (elr, spsr) = el3.normal_state();
    let further = call.parameter(el3, 1);
    let spsr = match call.parameter(el3, 2) {
        0 => spsr,
        other => other,
    };
    let set = el3.set_normal_state(elr.wrapping_add(further), spsr);
    call.answer(el3, &[set.is_err() as u64, 0, 0]);
}
