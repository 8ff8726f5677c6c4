//! The handler of the event by which EL3 interrupts the normal world of a lab (plat/src/qemu/events.rs).
//!
//! It takes no lock, because it may have interrupted code that holds one. If it finds something wrong, it notes the
//! line of this file, and the case reports that.

use super::case::Outcome;
use super::regs::Regs;
use super::{cores, ffa, flag, psci};
use crate::arch::event::Frame;
use crate::arch::exceptions;
use crate::arch::{MAX_CORES, cpu, event, smc};
use crate::{ensure, ensure_eq, mrs};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

/// The call that registers a handler.
pub const REGISTER: u64 = 0xc300_0000;
/// The call that ends the registration.
pub const UNREGISTER: u64 = 0xc300_0001;
/// The call for the event's status.
pub const STATUS: u64 = 0xc300_0002;
/// The call that raises the event of a core.
pub const SIGNAL: u64 = 0xc300_0003;
/// The call for a register of what was interrupted.
pub const CONTEXT: u64 = 0xc300_0004;
/// The call that ends the handler.
pub const COMPLETE: u64 = 0xc300_0005;
/// The call that ends the handler as an exception.
pub const COMPLETE_AND_RESUME: u64 = 0xc300_0006;

/// The status INVALID_PARAMETERS.
pub const INVALID_PARAMETERS: u64 = -2_i64 as u64;
/// The status DENIED.
pub const DENIED: u64 = -3_i64 as u64;
/// The status PENDING.
pub const PENDING: u64 = -5_i64 as u64;

/// The event's status: a handler is registered.
pub const REGISTERED: u64 = 1;
/// The event's status: the handler runs.
pub const RUNS: u64 = 2;
/// The event's status: it has come, and the handler does not run for it yet.
pub const WAITS: u64 = 4;

/// What a handler does before it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Deed {
    /// Nothing but to raise the core's flag.
    Nothing,
    /// It ends by complete-and-resume; [`resumed`] raises the flag.
    Resume,
    /// It raises the event once more, and then does nothing.
    Again,
    /// It tries calls that are refused.
    Wrong,
    /// It makes calls of FF-A and PSCI.
    Calls,
    /// It turns the core off.
    Off,
    /// It makes the interrupted exception level illegal, and cannot end until that is legal again.
    TakeAway,
    /// It turns its registration off.
    Unregister,
}

/// What a core's handler has seen.
pub struct Seen {
    /// How often it has run.
    pub runs: AtomicU32,
    /// How often the core has gone on as after an exception.
    pub resumed: AtomicU32,
    /// The line of this file that found something wrong, or zero.
    fault: AtomicU32,
    deed: AtomicU64,
    /// The interrupted address and PSTATE.
    pub at: [AtomicU64; 2],
    /// x0 to x17 of the interrupted code.
    pub registers: [AtomicU64; 18],
}

static SEEN: [Seen; MAX_CORES] = [const {
    Seen {
        runs: AtomicU32::new(0),
        resumed: AtomicU32::new(0),
        fault: AtomicU32::new(0),
        deed: AtomicU64::new(0),
        at: [const { AtomicU64::new(0) }; 2],
        registers: [const { AtomicU64::new(0) }; 18],
    }
}; MAX_CORES];

/// A core's stack while its handler runs, and what EL3 passes to the handler.
#[repr(C, align(16))]
struct Own {
    stack: UnsafeCell<[u8; 0x1000]>,
    frame: UnsafeCell<Frame>,
}

// SAFETY: only the core itself uses its own, in its handler or while it has none.
unsafe impl Sync for Own {}

static OWN: [Own; MAX_CORES] = [const {
    Own {
        stack: UnsafeCell::new([0; 0x1000]),
        frame: UnsafeCell::new(Frame {
            stack: 0,
            plain: 0,
            at: [0; 2],
            plain_runs: 0,
            complete: COMPLETE,
        }),
    }
}; MAX_CORES];

/// Makes one of the calls.
pub fn call(function: u64, x1: u64) -> Regs {
    smc::call(Regs::new(&[function, x1]))
}

/// Returns what the handler of `core` has seen.
pub fn seen(core: usize) -> &'static Seen {
    &SEEN[core]
}

/// Sets what this core's handler does from now on.
pub fn set_deed(core: usize, deed: Deed) {
    SEEN[core].deed.store(deed as u64, SeqCst);
}

/// Registers the handler on this core, which does `deed`.
pub fn register(core: usize, deed: Deed) -> Outcome {
    register_with(core, deed, false)
}

/// Registers a handler on this core that only notes where the core was, without memory that needs the MMU.
pub fn register_plain(core: usize) -> Outcome {
    register_with(core, Deed::Nothing, true)
}

fn register_with(core: usize, deed: Deed, plain: bool) -> Outcome {
    let own = &OWN[core];
    // A case that failed may have left one.
    call(UNREGISTER, 0);
    // SAFETY: this core has no handler yet.
    let frame = unsafe { &mut *own.frame.get() };
    frame.stack = own.stack.get() as u64 + 0x1000;
    frame.plain = plain.into();
    SEEN[core].fault.store(0, SeqCst);
    set_deed(core, deed);
    let argument = own.frame.get() as u64;
    let got = smc::call(Regs::new(&[REGISTER, event::handler(), argument]));
    ensure_eq!(got.x(0), 0, "x0 of the registration");
    Ok(())
}

/// Returns how often the plain handler of `core` has run, and the address that it last interrupted.
pub fn plain(core: usize) -> (u64, u64) {
    // SAFETY: the handler does not run.
    let frame = unsafe { &*OWN[core].frame.get() };
    (frame.plain_runs, frame.at[0])
}

/// Ends the registration of this core, whose handler does not run. Fails if the handler has found something wrong.
pub fn unregister(core: usize) -> Outcome {
    ensure_eq!(call(STATUS, 0).x(1), REGISTERED, "status of the event");
    ensure_eq!(
        call(UNREGISTER, 0).x(0),
        0,
        "x0 of the end of the registration"
    );
    ensure_eq!(call(STATUS, 0).x(1), 0, "status of the event then");
    fine(core)
}

/// Fails if the handler of `core` has found something wrong.
pub fn fine(core: usize) -> Outcome {
    let line = SEEN[core].fault.load(SeqCst);
    ensure!(line == 0, "framework/event.rs:{line}: wrong in the handler");
    Ok(())
}

/// Raises the event of `core`.
pub fn signal(core: usize) -> Outcome {
    let got = call(SIGNAL, cpu::mpidr_of(core));
    ensure_eq!(got.x(0), 0, "x0 of the signal to core {core}");
    Ok(())
}

/// Notes the line if `right` does not hold.
#[track_caller]
fn expect(core: usize, right: bool) {
    let line = core::panic::Location::caller().line();
    if !right {
        let _ = SEEN[core].fault.compare_exchange(0, line, SeqCst, SeqCst);
    }
}

/// x0 and x1 of the call that ends a handler.
#[repr(C)]
pub struct End(u64, u64);

/// The handler.
#[unsafe(no_mangle)]
extern "C" fn payload_event(number: u64, frame: &Frame, at: u64, pstate: u64) -> End {
    let core = cpu::number();
    let seen = &SEEN[core];
    expect(core, number == 0);
    expect(core, core::ptr::from_ref(frame) == OWN[core].frame.get());
    expect(core, mrs!("DAIF") >> 6 == 0xf);
    expect(core, cpu::el() == 2);
    seen.at[0].store(at, SeqCst);
    seen.at[1].store(pstate, SeqCst);
    for (n, register) in seen.registers.iter().enumerate() {
        let got = call(CONTEXT, n as u64);
        expect(core, got.x(0) == 0);
        register.store(got.x(1), SeqCst);
    }
    expect(core, call(STATUS, 0).x(1) & RUNS != 0);
    seen.runs.fetch_add(1, SeqCst);
    let deed = seen.deed.load(SeqCst);
    let is = |wanted: Deed| deed == wanted as u64;
    if is(Deed::Resume) {
        return End(COMPLETE_AND_RESUME, event::resumed());
    }
    if is(Deed::Again) {
        seen.deed.store(Deed::Nothing as u64, SeqCst);
        expect(core, call(SIGNAL, cpu::mpidr_of(core)).x(0) == 0);
        expect(core, call(STATUS, 0).x(1) == REGISTERED | RUNS | WAITS);
        return End(COMPLETE, 0);
    }
    if is(Deed::Wrong) {
        for wrong in [event::resumed() + 1, event::resumed() + 2] {
            let got = call(COMPLETE_AND_RESUME, wrong);
            expect(core, got.x(0) == INVALID_PARAMETERS);
        }
        expect(core, call(CONTEXT, 18).x(0) == INVALID_PARAMETERS);
        expect(core, call(CONTEXT, u64::MAX).x(0) == INVALID_PARAMETERS);
        expect(core, call(REGISTER, event::handler()).x(0) == DENIED);
    }
    if is(Deed::Calls) {
        let word = 0x1234_0000 | core as u64;
        let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, 0x8006), 0, word]);
        expect(core, got.function() == ffa::DIRECT_RESP && got.x(3) == word);
        let got = psci::call(psci::PSCI_FEATURES, &[psci::PSCI_CPU_OFF.into()]);
        expect(core, got == 0);
    }
    if is(Deed::TakeAway) {
        event::set_tge(true);
        expect(core, call(COMPLETE, 0).x(0) == DENIED);
        expect(
            core,
            call(COMPLETE_AND_RESUME, event::resumed()).x(0) == DENIED,
        );
        event::set_tge(false);
    }
    if is(Deed::Unregister) {
        expect(core, call(UNREGISTER, 0).x(0) == PENDING);
        expect(core, call(UNREGISTER, 0).x(0) == DENIED);
        expect(core, call(REGISTER, event::handler()).x(0) == DENIED);
    }
    if is(Deed::Off) {
        cores::turn_off_here();
    }
    flag::raise(core);
    End(COMPLETE, 0)
}

/// Handles what looks like an exception: EL3 made this core go on so where the event had interrupted it. Afterwards the
/// interrupted code goes on.
pub fn resumed(frame: &exceptions::Frame) {
    let core = cpu::number();
    let seen = &SEEN[core];
    expect(core, frame.elr == seen.at[0].load(SeqCst));
    expect(core, frame.spsr == seen.at[1].load(SeqCst));
    expect(core, mrs!("DAIF") >> 6 == 0xf);
    for (n, register) in seen.registers.iter().enumerate() {
        expect(core, frame.x[n] == register.load(SeqCst));
    }
    seen.resumed.fetch_add(1, SeqCst);
    flag::raise(core);
}
