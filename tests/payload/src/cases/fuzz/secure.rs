//! The SPMC's side of the fuzzing: right and wrong answers, and calls of its own before them.

use super::random::Random;
use super::seed;
use crate::arch::{MAX_CORES, gic};
use crate::cases::poison::bank;
use crate::framework::ffa::{self, FRAMEWORK, message as number};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use spin::Mutex;

/// The state of the SPMC on a core.
struct Core {
    /// The message that is not answered yet, while the SPMC makes calls of its own.
    asked: Mutex<Option<Regs>>,
    /// The number of its own calls since the message.
    own: AtomicU64,
    /// The number of messages, from which each message's random numbers are made.
    messages: AtomicU64,
    /// Whether its system registers are filled.
    filled: AtomicBool,
}

static CORES: [Core; MAX_CORES] = [const {
    Core {
        asked: Mutex::new(None),
        own: AtomicU64::new(0),
        messages: AtomicU64::new(0),
        filled: AtomicBool::new(false),
    }
}; MAX_CORES];

/// The largest number of its own calls before an answer. (EL3 ends an SPMC that does not stop calling.)
const OWN: u64 = 3;
/// The SPMC of a core dies at one of this many messages of the SPMD.
const DEATH: u64 = 2000;
/// The number of messages between two lines about the progress.
const PROGRESS: u64 = 1 << 17;

/// The number of messages on all cores.
static ALL: AtomicU64 = AtomicU64::new(0);

/// Resets the state when the SPMC starts on this core.
pub fn came_on(core: usize) {
    CORES[core].filled.store(false, Relaxed);
    *CORES[core].asked.lock() = None;
}

pub fn answer(s: &Secure, message: &Regs) -> Option<Regs> {
    let core = &CORES[s.core];
    let n = core.messages.fetch_add(1, Relaxed);
    let all = ALL.fetch_add(1, Relaxed) + 1;
    if all.is_multiple_of(PROGRESS) {
        crate::println!("spmc: fuzz: {all} messages");
    }
    let mut random = Random::new(seed(), n, MAX_CORES + 1 + s.core);
    registers(s, core, &mut random, n);

    let mut asked = core.asked.lock();
    let is_answer = matches!(message.function() & !ffa::SMC64, ffa::SUCCESS | ffa::ERROR)
        || !(0x8400_0060..0x8400_00a0).contains(&(message.function() & !ffa::SMC64));
    let message = match *asked {
        Some(before) if is_answer => before,
        _ => {
            core.own.store(0, Relaxed);
            *asked = Some(*message);
            *message
        }
    };
    let may_call = core.own.fetch_add(1, Relaxed) < OWN;
    if may_call && random.once_in(8) {
        return Some(own_call(s, &mut random));
    }
    *asked = None;
    drop(asked);
    if message.function() & !ffa::SMC64 == ffa::DIRECT_REQ && message.x(2) & FRAMEWORK != 0 {
        return Some(framework(s, core, &mut random, &message));
    }
    if message.function() == ffa::INTERRUPT {
        spmc::interrupt(s);
        return Some(ffa::request(ffa::NORMAL_WORLD_RESUME, &[]));
    }
    if random.once_in(16) {
        interrupts(&mut random);
    }
    Some(match random.below(8) {
        0 => ffa::error(-(random.below(10) as i32)),
        1 => ffa::request(ffa::YIELD, &[random.value(), random.value()]),
        2 => ffa::request(ffa::INTERRUPT, &[random.value()]),
        3 => ffa::request(
            ffa::SUCCESS | (random.below(2) as u32) << 30,
            &[random.value(), random.value()],
        ),
        4 => ffa::request(ffa::MSG_WAIT, &[random.value()]),
        _ => spmc::echo(&message),
    })
}

/// Answers a message of the SPMD, in most cases with consent.
fn framework(s: &Secure, core: &Core, random: &mut Random, message: &Regs) -> Regs {
    if message.x(2) & 0xff == number::POWER && core.filled.swap(false, Relaxed) {
        // The core may go off, and then comes back with other values.
        bank::restore();
    }
    let usual = spmc::default_answer(s, message);
    // These answers end the SPMC on this core. That of core 0 must live, to report its findings.
    if s.core != 0 && random.once_in(DEATH) {
        return match random.below(4) {
            0 => usual.with(3, random.value()),
            1 => usual.with(1, ffa::route(random.value(), random.value())),
            2 => ffa::error(ffa::ABORTED),
            _ => spmc::stay_stuck(),
        };
    }
    // A refusal of a version with another code ends the SPMC, too.
    let refusal: &[i32] = if message.x(2) & 0xff == number::VERSION {
        &[ffa::NOT_SUPPORTED]
    } else {
        &[ffa::DENIED, ffa::INVALID_PARAMETERS, ffa::BUSY]
    };
    match random.below(16) {
        0 => usual.with(3, u64::from(random.one_of(refusal) as u32)),
        _ => usual,
    }
}

/// Returns a call that does not depend on the message.
fn own_call(s: &Secure, random: &mut Random) -> Regs {
    let call = random.call();
    match call.function() & 0xbf00_ffff {
        // These would print, change the entry point, or end the SPMC on all cores.
        ffa::CONSOLE_LOG | ffa::SECONDARY_EP_REGISTER | ffa::ABORT => {
            ffa::request(ffa::ID_GET, &[])
        }
        // This is no answer to a request of EL3: it ends the SPMC on this core.
        ffa::SUCCESS if s.core == 0 || !random.once_in(DEATH / 100) => {
            ffa::request(ffa::ID_GET, &[])
        }
        _ => call,
    }
}

/// Sends an SGI of any group to any core.
fn interrupts(random: &mut Random) {
    let to = random.below(8) as usize;
    let intid = random.below(16) as u32;
    match random.below(3) {
        0 => gic::send_sgi(to, intid),
        1 => gic::send_sgi_other_world(to, intid),
        _ => gic::send_sgi_group0(to, intid),
    }
}

/// From time to time, checks that the system registers are unchanged, and fills them anew.
fn registers(s: &Secure, core: &Core, random: &mut Random, n: u64) {
    if !random.once_in(64) {
        return;
    }
    if core.filled.swap(true, Relaxed) {
        if let Err(wrong) = bank::check(true) {
            s.fail(format_args!("seed {}, message {n}: {wrong}", seed()));
        }
    } else {
        bank::probe(true);
    }
    bank::fill(n, true);
}
