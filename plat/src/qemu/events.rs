//! An event that interrupts the normal world, for a lab (feature `lab`): what SDEI (DEN0054) needs of EL3, and not SDEI.
//!
//! Each core has one event. Its normal world registers a handler. A Group 0 interrupt, which a call makes pending, has
//! the normal world of that core run the handler, whatever it did and masked; the handler ends by a call. docs/smccc.md
//! has the calls.

use super::{Qemu, pend};
use crate::{
    Call, Callers, El3, Forms, Function, Group0, Handler, Kind, Next, Owner, Platform, Service,
};
use janus_drivers::gic::SecureInterrupt;
use janus_spmd::World;
use spin::Mutex;

/// The interrupt: QEMU's machine has no device on it.
const INTERRUPT: u32 = 17;

/// Its row in the table of secure interrupts.
pub const SECURE: SecureInterrupt = pend::secure(INTERRUPT);

pub const GROUP0: Group0 = Group0 {
    intid: INTERRUPT,
    handle,
};

/// The calls.
pub const SERVICE: Service = Service {
    owner: Owner::Oem,
    uuid: 0x3d5c_91f4_7a08_4be2_86d9_c2f3_0e64_51ab,
    revision: [1, 0],
    functions: &[
        call(0, register),
        call(1, unregister),
        call(2, status),
        call(3, signal),
        call(4, context),
        call(5, complete),
        call(6, complete_and_resume),
    ],
};

const fn call(number: u16, handle: fn(&mut dyn El3, &Call)) -> Function {
    Function {
        number,
        kind: Kind::Fast,
        forms: Forms::Smc64,
        callers: Callers::Normal,
        handle: Handler::El3(handle),
    }
}

/// SDEI's status codes.
#[derive(Clone, Copy)]
enum Status {
    Success = 0,
    InvalidParameters = -2,
    Denied = -3,
    Pending = -5,
}

/// The registers that a handler may change: EL3 gives them back.
const REGISTERS: usize = 18;

/// A core's event.
struct Event {
    /// The handler's address and its argument, while one is registered.
    handler: Option<(u64, u64)>,
    /// While a handler runs: where the normal world was, with x0 to x17.
    interrupted: Option<Interrupted>,
    /// The interrupt has come, and no handler runs for it yet.
    pending: bool,
}

#[derive(Clone, Copy)]
struct Interrupted {
    /// The address and PSTATE.
    state: (u64, u64),
    registers: [u64; REGISTERS],
}

impl Event {
    const NONE: Self = Self {
        handler: None,
        interrupted: None,
        pending: false,
    };
}

/// Each core uses its own only.
static EVENTS: [Mutex<Event>; Qemu::MAX_CORES] =
    [const { Mutex::new(Event::NONE) }; Qemu::MAX_CORES];

/// Does something with the event of the core that calls.
fn with<T>(index: usize, act: impl FnOnce(&mut Event) -> T) -> Option<T> {
    EVENTS.get(index).map(|event| act(&mut event.lock()))
}

/// A core turns off: its normal world starts anew, and has no handler.
pub fn forget(index: usize) {
    with(index, |event| *event = Event::NONE);
}

/// The interrupt has come; or the normal world, which waited for the secure world then, runs next.
fn handle(el3: &mut dyn El3) -> Next {
    let next = with(el3.index(), |event| {
        event.pending = true;
        deliver(el3, event)
    });
    next.unwrap_or(Next::Resume)
}

/// Has the normal world run the handler, if the event is pending and the handler does not run.
fn deliver(el3: &mut dyn El3, event: &mut Event) -> Next {
    let Some((address, argument)) = event.handler else {
        event.pending = false;
        return Next::Resume;
    };
    if !event.pending || event.interrupted.is_some() {
        return Next::Resume;
    }
    let Ok(state) = el3.take_exception(address, false) else {
        // The normal world waits for an answer, which will be in its registers.
        return Next::Later;
    };
    event.pending = false;
    let registers = el3.registers(World::Normal);
    let mut saved = [0; REGISTERS];
    saved.copy_from_slice(&registers[..REGISTERS]);
    event.interrupted = Some(Interrupted {
        state,
        registers: saved,
    });
    registers[..4].copy_from_slice(&[0, argument, state.0, state.1]);
    Next::Resume
}

fn answer(el3: &mut dyn El3, call: &Call, status: Status) {
    call.answer(el3, &[status as i64 as u64]);
}

/// Answers with what `act` says of the core's event, and the caller's exception level.
fn with_caller(
    el3: &mut dyn El3,
    call: &Call,
    act: impl FnOnce(&mut dyn El3, &mut Event) -> Status,
) {
    let status = with(el3.index(), |event| act(el3, event));
    answer(el3, call, status.unwrap_or(Status::Denied));
}

/// Returns whether the caller runs at the level that handlers run at.
fn at_highest_level(el3: &mut dyn El3) -> bool {
    let (_, pstate) = el3.normal_state();
    pstate >> 2 & 7 == u64::from(el3.normal_level())
}

/// x1: the handler's address; x2: its argument.
fn register(el3: &mut dyn El3, call: &Call) {
    let (address, argument) = (call.parameter(el3, 1), call.parameter(el3, 2));
    with_caller(el3, call, |el3, event| {
        if !address.is_multiple_of(4) {
            Status::InvalidParameters
        } else if event.handler.is_some() || event.interrupted.is_some() || !at_highest_level(el3) {
            Status::Denied
        } else {
            event.handler = Some((address, argument));
            Status::Success
        }
    });
}

fn unregister(el3: &mut dyn El3, call: &Call) {
    with_caller(el3, call, |el3, event| {
        if event.handler.is_none() || !at_highest_level(el3) {
            return Status::Denied;
        }
        event.handler = None;
        event.pending = false;
        match event.interrupted {
            Some(_) => Status::Pending,
            None => Status::Success,
        }
    });
}

/// x1 of the answer, bit 0: a handler is registered; 1: it runs; 2: the event is pending.
fn status(el3: &mut dyn El3, call: &Call) {
    let bits = with(el3.index(), |event| {
        u64::from(event.handler.is_some())
            | u64::from(event.interrupted.is_some()) << 1
            | u64::from(event.pending) << 2
    });
    call.answer(el3, &[0, bits.unwrap_or_default()]);
}

/// x1: the affinity of the core whose event it raises.
fn signal(el3: &mut dyn El3, call: &Call) {
    let status = if pend::at(call.parameter(el3, 1), INTERRUPT) {
        Status::Success
    } else {
        Status::InvalidParameters
    };
    answer(el3, call, status);
}

/// x1: a number, 0 to 17. x1 of the answer: that register of the interrupted normal world.
fn context(el3: &mut dyn El3, call: &Call) {
    let number = call.parameter(el3, 1);
    let interrupted = with(el3.index(), |event| event.interrupted).flatten();
    let Some(interrupted) = interrupted else {
        return answer(el3, call, Status::Denied);
    };
    let register = usize::try_from(number)
        .ok()
        .and_then(|number| interrupted.registers.get(number));
    match register {
        Some(value) => call.answer(el3, &[0, *value]),
        None => answer(el3, call, Status::InvalidParameters),
    }
}

/// The handler has ended: the normal world goes on where it was.
fn complete(el3: &mut dyn El3, call: &Call) {
    end(el3, call, |el3, (address, pstate)| {
        el3.set_normal_state(address, pstate)
    });
}

/// The handler has ended: the normal world goes on at x1, as after an exception where it was.
fn complete_and_resume(el3: &mut dyn El3, call: &Call) {
    let resume_at = call.parameter(el3, 1);
    if !resume_at.is_multiple_of(4) {
        return answer(el3, call, Status::InvalidParameters);
    }
    end(el3, call, |el3, (address, pstate)| {
        el3.set_normal_state(address, pstate)?;
        el3.take_exception(resume_at, true).map(|_| ())
    });
}

/// Ends the handler: `go_on` says where the normal world goes on, whose registers are as they were. Refused if no
/// handler runs, or if the handler has taken away the state in which it was.
fn end(
    el3: &mut dyn El3,
    call: &Call,
    go_on: impl FnOnce(&mut dyn El3, (u64, u64)) -> Result<(), crate::Unfit>,
) {
    let refused = with(el3.index(), |event| {
        let Some(interrupted) = event.interrupted else {
            return true;
        };
        if !at_highest_level(el3) || go_on(el3, interrupted.state).is_err() {
            return true;
        }
        el3.registers(World::Normal)[..REGISTERS].copy_from_slice(&interrupted.registers);
        event.interrupted = None;
        // The next one, if it has come meanwhile.
        let _ = deliver(el3, event);
        false
    });
    if refused != Some(false) {
        answer(el3, call, Status::Denied);
    }
}
