//! Cases about an event that interrupts the normal world by a Group 0 interrupt, which is what SDEI needs of EL3. The
//! image is built with the features `calls` and `lab` (plat/src/qemu/events.rs).

use super::psci::suspend::suspend_once;
use crate::arch::event::{self as code, handler, resumed};
use crate::arch::{entry, gic, smc, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::event::{
    COMPLETE, COMPLETE_AND_RESUME, CONTEXT, DENIED, Deed, INVALID_PARAMETERS, REGISTER, REGISTERED,
    SIGNAL, STATUS, UNREGISTER, call, fine, plain, register, register_plain, seen, set_deed,
    signal, unregister,
};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{cores, ffa, flag, hypervisor};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    case("event/registers", registers),
    case("event/resume", resume),
    case("event/levels", levels),
    case("event/again", again),
    case("event/wrong", wrong),
    case("event/secure", hypervisor::ask_spmc).secure(secure_caller),
    case("event/call-waits", call_waits).secure(serve),
    case("event/request-waits", request_waits).secure(serve),
    case("event/secure-interrupt", secure_interrupt).secure(serve),
    case("event/off", off).needs(Needs::JANUS.union(Needs::CORES)),
    case("event/off-pending", off_pending)
        .secure(raise_at_power_down)
        .needs(Needs::JANUS.union(Needs::CORES)),
    case("event/suspend", suspend)
        .secure(raise_at_power_down)
        .needs(Needs::JANUS.union(Needs::CORES)),
    case("event/storm", storm).needs(Needs::JANUS.union(Needs::CORES)),
    case("event/dead-spmc", dead_spmc)
        .secure(serve)
        .needs(Needs::JANUS.union(Needs::CORES).union(Needs::LAST)),
];

const fn case(name: &'static str, normal: fn() -> Outcome) -> Case {
    Case::new(name, normal)
        .needs(Needs::JANUS)
        .in_boot("image", "lab")
}

/// The event's interrupt.
const INTERRUPT: u32 = 17;
/// NOT_SUPPORTED.
const NOT_SUPPORTED: u64 = u64::MAX;

/// Checks that the event's handler has run `times` more often than `before` on this core.
fn ran(core: usize, before: u32, times: u32) -> Outcome {
    let runs = || seen(core).runs.load(SeqCst);
    timer::wait_until(5, || runs() - before >= times);
    ensure_eq!(runs() - before, times, "times the handler ran");
    fine(core)
}

/// Makes every core wait by `wait`, with a handler that does `deed`. For one core after the other, another core raises
/// the event when the mark that `wait` gets is not zero.
fn interrupt_all(deed: Deed, wait: impl Fn(usize, &AtomicU64) -> Outcome + Sync) -> Outcome {
    static TURN: AtomicU64 = AtomicU64::new(0);
    static MARK: AtomicU64 = AtomicU64::new(0);
    let count = cores::count();
    if count < 2 {
        return Ok(());
    }
    TURN.store(0, SeqCst);
    MARK.store(0, SeqCst);
    cores::on_each(|core| {
        register(core, deed)?;
        for round in 0..8 * count {
            if round % count == core {
                flag::lower(core);
                let before = seen(core).runs.load(SeqCst);
                wait(core, &MARK)?;
                ran(core, before, 1)?;
                MARK.store(0, SeqCst);
                TURN.store(round as u64 + 1, SeqCst);
                continue;
            }
            let is = |turn: usize| TURN.load(SeqCst) == turn as u64;
            if (round + 1) % count == core {
                let waits = timer::wait_until(60, || is(round) && MARK.load(SeqCst) != 0);
                ensure!(waits, "the other core did not come to its wait");
                timer::delay(100);
                signal(round % count)?;
            }
            let over = timer::wait_until(60, || TURN.load(SeqCst) > round as u64);
            ensure!(over, "the turn of another core did not end");
        }
        unregister(core)
    })
}

fn hold(core: usize) -> Outcome {
    if let Err((name, value)) = flag::wait_holding(core) {
        crate::fail!("{name} is {value:#x} after the event");
    }
    Ok(())
}

/// A core that runs without a call is interrupted, whatever it masks, and goes on with all registers as they were.
fn registers() -> Outcome {
    interrupt_all(Deed::Nothing, |core, mark| {
        mark.store(1, SeqCst);
        crate::daif!(set "0xf");
        let held = hold(core);
        crate::daif!(clear "0x7");
        held
    })
}

/// The handler makes the normal world go on at another address, as after an exception.
fn resume() -> Outcome {
    interrupt_all(Deed::Resume, |core, mark| {
        mark.store(1, SeqCst);
        let before = seen(core).resumed.load(SeqCst);
        hold(core)?;
        let now = seen(core).resumed.load(SeqCst);
        ensure_eq!(now - before, 1, "times it went on as after an exception");
        Ok(())
    })
}

/// EL1, and AArch32 at EL0, are interrupted and go on. The handler, at EL2, can make the interrupted state illegal;
/// then EL3 refuses to go back.
fn levels() -> Outcome {
    interrupt_all(Deed::TakeAway, |core, mark| {
        crate::daif!(set "0x7");
        code::wait_at_el1(flag::address(core), mark);
        crate::daif!(clear "0x7");
        let [_, pstate] = seen(core).at.each_ref().map(|it| it.load(SeqCst));
        ensure_eq!(pstate & 0x1f, 5, "the level that was interrupted");
        Ok(())
    })?;
    interrupt_all(Deed::Calls, |core, mark| {
        crate::daif!(set "0x7");
        code::set_tge(true);
        code::wait_at_el0(flag::address(core), mark);
        code::set_tge(false);
        crate::daif!(clear "0x7");
        let [_, pstate] = seen(core).at.each_ref().map(|it| it.load(SeqCst));
        ensure_eq!(pstate & 0x1f, 0x10, "the state that was interrupted");
        Ok(())
    })
}

/// An event that comes while the handler runs is kept until it has ended, once, and then interrupts the same place.
fn again() -> Outcome {
    cores::on_each(|core| {
        register(core, Deed::Nothing)?;
        for deed in [Deed::Nothing, Deed::Again, Deed::Calls, Deed::Wrong] {
            let before = seen(core).runs.load(SeqCst);
            set_deed(core, deed);
            signal(core)?;
            ran(core, before, 1 + u32::from(deed == Deed::Again))?;
        }
        unregister(core)
    })
}

/// Calls that are refused.
fn wrong() -> Outcome {
    cores::on_each(|core| {
        let refused = |want: u64, function: u64, x1: u64| {
            let regs = Regs::filled(0, core, 7).with(0, function).with(1, x1);
            let got = smc::call(regs);
            ensure_eq!(got.x(0), want, "x0 of {function:#x}");
            for n in 1..18 {
                ensure_eq!(got.x(n), regs.x(n), "x{n} of {function:#x}");
            }
            Ok(())
        };
        for function in [COMPLETE, COMPLETE_AND_RESUME, CONTEXT, UNREGISTER] {
            refused(DENIED, function, 0)?;
        }
        refused(INVALID_PARAMETERS, COMPLETE_AND_RESUME, resumed() + 2)?;
        for unaligned in [1, 2, u64::MAX] {
            refused(INVALID_PARAMETERS, REGISTER, unaligned)?;
        }
        for nowhere in [1 << 40, 0xff, u64::MAX, 0x8000_0000] {
            refused(INVALID_PARAMETERS, SIGNAL, nowhere)?;
        }
        // An event for which no handler is registered.
        signal(core)?;
        ensure_eq!(call(STATUS, 0).x(1), 0, "status of the event");
        register(core, Deed::Unregister)?;
        refused(DENIED, REGISTER, handler())?;
        let before = seen(core).runs.load(SeqCst);
        signal(core)?;
        ran(core, before, 1)?;
        ensure_eq!(call(STATUS, 0).x(1), 0, "status of the event at last");
        // A call that does not exist, and the 32-bit form of one that does.
        refused(NOT_SUPPORTED, 0xc300_0007, 0)?;
        refused(NOT_SUPPORTED, 0x8300_0002, 0)
    })
}

/// The SPMC may make none of the calls.
fn secure_caller(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    for function in [
        REGISTER,
        UNREGISTER,
        STATUS,
        SIGNAL,
        CONTEXT,
        COMPLETE,
        COMPLETE_AND_RESUME,
    ] {
        s.expect_eq(
            call(function, 0).x(0),
            NOT_SUPPORTED,
            "x0 of the SPMC's call",
        );
    }
    None
}

/// What the SPMC is asked to do before it answers. Nobody else sends these words.
const DEED: u64 = 0xeeee_0000;
/// The event comes, and EL3 gets it by FFA_EL3_INTR_HANDLE.
const RAISE: u64 = DEED | 1;
/// The event comes, and EL3 gets it at once.
const WATCHED: u64 = DEED | 2;
/// The SPMC starts its timer: the event comes while it handles that interrupt.
const TIMER: u64 = DEED | 3;
/// The event comes, and the SPMC dies.
const DIE: u64 = DEED | 4;

/// The event comes while the SPMC serves a call: the handler runs when the answer is there, and finds it in the
/// registers that it has interrupted.
fn call_waits() -> Outcome {
    cores::on_each(|core| {
        register(core, Deed::Nothing)?;
        for round in 0..5 {
            let before = seen(core).runs.load(SeqCst);
            let word = RAISE | round << 32;
            let request = ffa::DIRECT_REQ | ffa::SMC64;
            let got = ffa::call(request, &[ffa::route(0, ffa::SPMC), 0, word]);
            ensure_eq!(got.function(), ffa::DIRECT_RESP | ffa::SMC64, "the answer");
            ensure_eq!(got.x(3), word + 1, "x3 of it");
            ran(core, before, 1)?;
            for (n, found) in seen(core).registers.iter().enumerate() {
                ensure_eq!(found.load(SeqCst), got.x(n), "x{n} that was interrupted");
            }
        }
        unregister(core)
    })
}

/// The event comes while the SPMC serves a request of an EL3 partition, for which the normal world waits.
fn request_waits() -> Outcome {
    const ASK_AS: u64 = 0xc200_0010;
    cores::on_each(|core| {
        register(core, Deed::Nothing)?;
        for _ in 0..5 {
            let before = seen(core).runs.load(SeqCst);
            let regs = Regs::filled(0, core, 8)
                .with(0, ASK_AS)
                .with(1, 0xffc1)
                .with(2, WATCHED);
            let got = smc::call(regs);
            ensure_eq!(got.x(0), 0, "what came of the request");
            ensure_eq!(got.x(3), WATCHED + 1, "its answer");
            ran(core, before, 1)?;
            for (n, found) in seen(core).registers.iter().enumerate() {
                ensure_eq!(found.load(SeqCst), got.x(n), "x{n} that was interrupted");
            }
        }
        unregister(core)
    })
}

/// The event comes while the SPMC handles a secure interrupt. The normal world made no call then.
fn secure_interrupt() -> Outcome {
    cores::on_each(|core| {
        register(core, Deed::Nothing)?;
        for _ in 0..5 {
            let before = seen(core).runs.load(SeqCst);
            flag::lower(core);
            let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, TIMER]);
            ensure_eq!(got.function(), ffa::DIRECT_RESP, "the answer");
            // The handler raises the flag.
            hold(core)?;
            ran(core, before, 1)?;
        }
        unregister(core)
    })
}

fn serve(s: &Secure, message: &Regs) -> Option<Regs> {
    static TIMED: [AtomicBool; crate::arch::MAX_CORES] =
        [const { AtomicBool::new(false) }; crate::arch::MAX_CORES];
    if message.function() == ffa::INTERRUPT {
        if TIMED[s.core].swap(false, SeqCst) {
            spmc::interrupt(s);
            raise(s);
        }
        return None;
    }
    let word = message.x(3);
    match word & 0xffff_ffff {
        RAISE => {
            raise(s);
            let mut answer = Regs::filled(0, s.core, word);
            answer.0[..8].copy_from_slice(&ffa::response(message, &[word + 1]).0[..8]);
            Some(answer)
        }
        WATCHED => {
            pend(s);
            let taken = timer::wait_until(20, || !gic::is_pending(s.core, INTERRUPT));
            s.expect(taken, "EL3 takes the event's interrupt");
            Some(ffa::response(message, &[word + 1]))
        }
        TIMER => {
            TIMED[s.core].store(true, SeqCst);
            timer::start_secure(300);
            Some(ffa::response(message, &[word]))
        }
        DIE => {
            raise(s);
            let got = ffa::call(ffa::ABORT, &[]);
            s.fail(format_args!("FFA_ABORT came back: {got}"));
            None
        }
        _ => None,
    }
}

fn pend(s: &Secure) {
    gic::set_pending(s.core, INTERRUPT, true);
}

/// The event comes, and the SPMC asks EL3 to handle it (FFA_EL3_INTR_HANDLE).
fn raise(s: &Secure) {
    pend(s);
    let seen = timer::wait_until(20, || gic::pending_lines() & 1 << 6 != 0);
    s.expect(seen, "the event's interrupt is signalled");
    let got = ffa::call(ffa::EL3_INTR_HANDLE, &[]);
    s.expect_eq(
        got.function().into(),
        ffa::SUCCESS.into(),
        "FFA_EL3_INTR_HANDLE",
    );
}

/// A core that turns off in the handler comes back without one, and the event works there again.
fn off() -> Outcome {
    for core in cores::others() {
        cores::on(core, |core| {
            register(core, Deed::Off)?;
            signal(core)?;
            timer::delay(5_000_000);
            crate::fail!("the handler did not turn the core off")
        })?;
        let is_off = || crate::framework::psci::affinity_info(core) == 1;
        ensure!(timer::wait_until(20, is_off), "core {core} is not off");
        // No handler is registered for it.
        signal(core)?;
        cores::turn_on(core)?;
        cores::on(core, |core| {
            ensure_eq!(call(STATUS, 0).x(1), 0, "status of the event");
            let before = seen(core).runs.load(SeqCst);
            register(core, Deed::Nothing)?;
            signal(core)?;
            ran(core, before, 1)?;
            unregister(core)
        })?;
    }
    Ok(())
}

/// The event comes while the SPMC answers the message about a power-down.
fn raise_at_power_down(s: &Secure, message: &Regs) -> Option<Regs> {
    let power = ffa::FRAMEWORK | ffa::message::POWER;
    if message.function() & !ffa::SMC64 == ffa::DIRECT_REQ && message.x(2) == power {
        raise(s);
    }
    None
}

/// A core that turns off takes the event with it, if that waits for the end of the call.
fn off_pending() -> Outcome {
    for core in cores::others() {
        cores::on(core, |core| register(core, Deed::Nothing))?;
        let before = seen(core).runs.load(SeqCst);
        cores::turn_off(core)?;
        cores::turn_on(core)?;
        cores::on(core, |core| {
            ensure_eq!(call(STATUS, 0).x(1), 0, "status of the event");
            ran(core, before, 0)
        })?;
    }
    Ok(())
}

/// An event that comes while the SPMC answers the power message ends the suspend before the core sleeps: nothing would
/// wake it for the event.
fn suspend() -> Outcome {
    for core in cores::others() {
        cores::on(core, register_plain)?;
        let (before, _) = plain(core);
        let back = suspend_once(core)?;
        ensure_eq!(back, 0, "x0 of the CPU_SUSPEND that ends early");
        cores::on(core, |core| {
            let (runs, at) = plain(core);
            ensure_eq!(runs - before, 1, "times the handler ran");
            ensure!(
                at != entry::secondary_entry(),
                "the core started at its entry point"
            );
            unregister(core)
        })?;
    }
    Ok(())
}

/// Every core raises its own event and that of another core, and makes calls: some that EL3 answers, some that the SPMC
/// answers, and some that need both. One core goes off and on meanwhile.
fn storm() -> Outcome {
    let churned = cores::another();
    for round in 0..3 {
        cores::on_each(|core| {
            register(
                core,
                if round == 1 {
                    Deed::Calls
                } else {
                    Deed::Nothing
                },
            )?;
            let before = seen(core).runs.load(SeqCst);
            for word in 0..40 {
                let word = word << 8 | core as u64;
                signal((core + 1) % cores::count())?;
                let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, 0x8006), 0, word]);
                ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer to a request");
                ensure_eq!(got.x(3), word, "its echo");
                signal(core)?;
                let got = smc::call(Regs::filled(0, core, word).with(0, 0x8000_0000));
                ensure_eq!(got.x(0), 0x1_0005, "SMCCC_VERSION");
                let got = call(0xc200_0004, word);
                ensure_eq!(got.x(0), 0, "a request of EL3's");
                ensure_eq!(got.x(1), word, "its answer");
            }
            ensure!(
                seen(core).runs.load(SeqCst) - before >= 40,
                "each of its own events came"
            );
            DONE.wait(cores::count())?;
            unregister(core)
        })?;
        if round < 2 {
            cores::turn_off(churned)?;
            cores::turn_on(churned)?;
        }
    }
    Ok(())
}

static DONE: cores::Barrier = cores::Barrier::new();

/// The event comes while the SPMC serves a call over which it dies: the handler runs when the caller has been told, and
/// the event works without an SPMC.
fn dead_spmc() -> Outcome {
    let core = cores::another();
    cores::on(core, |core| {
        register(core, Deed::Nothing)?;
        let before = seen(core).runs.load(SeqCst);
        let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, DIE]);
        ensure_eq!(got.function(), ffa::ERROR, "the SPMC's end");
        ran(core, before, 1)?;
        let found = seen(core).registers[0].load(SeqCst);
        ensure_eq!(found, ffa::ERROR.into(), "x0 that was interrupted");
        signal(core)?;
        ran(core, before, 2)?;
        ensure_eq!(call(STATUS, 0).x(1), REGISTERED, "status of the event");
        unregister(core)
    })
}
