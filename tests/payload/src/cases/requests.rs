//! Requests of EL3 partitions: interrupts that come meanwhile, the bound of their time, and an SPMC that dies over one.
//! The image is built with the feature `calls` (plat/src/qemu/calls.rs).

use super::platform::{HANDLED, RAISE, call, case};
use crate::arch::{cpu, gic, timer};
use crate::cases::psci::suspend::suspend_and_wake;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{cores, ffa, irq};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    case("platform/request-held", held).secure(serve),
    case("platform/request-gives-way", gives_way).secure(serve),
    case("platform/request-secure-interrupts", secure_interrupts).secure(serve),
    case("platform/router", router).secure(found),
    case("platform/request-storm", storm)
        .secure(serve)
        .needs(Needs::JANUS.union(Needs::CORES)),
    case("platform/request-silence", silence)
        .secure(serve)
        .needs(Needs::JANUS.union(Needs::CORES).union(Needs::LAST)),
];

/// The platform's calls, as plat/src/qemu/calls.rs has them.
const ASK_AS: u64 = 0xc200_0010;
const RUN_AS: u64 = 0xc200_0011;
const HANDLER_ASKS: u64 = 0xc200_0012;

/// EL3 partitions: one that waits for long, one whose requests end at an interrupt, and two that do not wait for long.
const WAITS: u64 = 0xffc1;
const GIVES_WAY: u64 = 0xffc2;
const IMPATIENT: u64 = 0xffc3;
const IMPATIENT_GIVES_WAY: u64 = 0xffc4;

/// The result of a request: an answer, or the SPMC died.
const ANSWERED: u64 = 0;
const DIED: u64 = 3;

/// What the partition is asked to do. Nobody else sends these words.
const DEED: u64 = 0xdeed_0000;
const LOOK: u64 = DEED | 0x10;
const GIVE_WAY: u64 = DEED | 0x11;
const YIELD: u64 = DEED | 0x12;
const INTERRUPTS: u64 = DEED | 0x13;
const BE_SILENT: u64 = DEED | 0x14;
const ABORT: u64 = DEED | 0x15;
const COUNT_TIMERS: u64 = DEED | 0x17;
/// A request of the normal world's own: its word comes back.
const ECHO: u64 = 0x20;

/// The lines of ISR_EL1.
const FIQ: u64 = 1 << 6;
const IRQ: u64 = 1 << 7;

fn ask(sender: u64, word: u64) -> Regs {
    call(&[ASK_AS, sender, word])
}

/// Makes a request while the normal world's timer is about to fire, or has just fired. Returns how often it had fired
/// before.
fn ask_with_timer(core: usize, sender: u64, word: u64) -> (Regs, u32) {
    // The timer does not fire before the call.
    crate::daif!(set "0x2");
    let before = start_timer(core, 1000);
    let got = ask(sender, word);
    crate::daif!(clear "0x2");
    (got, before)
}

/// A direct request of the normal world's own.
fn own(word: u64) -> Outcome {
    let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, 0x8006), 0, ECHO, word]);
    ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP,
        "answer to its own request"
    );
    ensure_eq!(got.x(4), word, "its echo");
    Ok(())
}

fn stop_timer(_: usize, _: u32) {
    timer::stop_el2();
}

/// Sets the normal world's timer, to fire on this core `microseconds` from now.
fn start_timer(core: usize, microseconds: u64) -> u32 {
    irq::install(timer::EL2_INTID, stop_timer);
    gic::enable(core, timer::EL2_INTID);
    let before = irq::count(core, timer::EL2_INTID);
    timer::start_el2(microseconds);
    before
}

/// Checks that the normal world's interrupt has come once.
fn came(core: usize, before: u32) -> Outcome {
    let count = || irq::count(core, timer::EL2_INTID);
    let came = timer::wait_until(5, || count() > before);
    gic::disable(core, timer::EL2_INTID);
    ensure!(came, "the normal world's interrupt did not come");
    ensure_eq!(count(), before + 1, "times it came");
    Ok(())
}

/// An interrupt of the normal world waits until the partition has its answer. The secure world does not see it.
fn held() -> Outcome {
    cores::on_each(|core| {
        for word in 0..5 {
            let (got, before) = ask_with_timer(core, WAITS, LOOK | word << 8);
            ensure_eq!(got.x(0), ANSWERED, "what came of the request");
            ensure_eq!(got.x(1) as u32, ffa::DIRECT_RESP, "its answer");
            ensure_eq!(got.x(3), 0, "interrupts that the secure world saw");
            came(core, before)?;
            own(word)?;
        }
        Ok(())
    })
}

/// For a partition with `Interrupts::End` the SPMC gives way to an interrupt of the normal world. The normal world handles
/// it, makes requests of its own, and then lets the partition go on until it has the answer.
fn gives_way() -> Outcome {
    cores::on_each(|core| {
        for (word, function) in [(GIVE_WAY, ffa::INTERRUPT), (YIELD, ffa::YIELD)] {
            let (got, before) = ask_with_timer(core, GIVES_WAY, word);
            ensure_eq!(got.x(0), ANSWERED, "what came of the request");
            ensure_eq!(got.x(1) as u32, function, "its answer");
            ensure_eq!(got.x(2), target(core), "w1 of it");
            came(core, before)?;
            own(word)?;
            let got = call(&[RUN_AS, GIVES_WAY, got.x(2)]);
            ensure_eq!(got.x(0), ANSWERED, "what came of the rest");
            ensure_eq!(got.x(1) as u32, ffa::DIRECT_RESP, "the answer at last");
            ensure_eq!(got.x(3), word + 1, "w3 of it");
            own(word)?;
        }
        // The SPMC may also serve the request to its end.
        let (got, before) = ask_with_timer(core, GIVES_WAY, LOOK);
        ensure_eq!(got.x(1) as u32, ffa::DIRECT_RESP, "the answer");
        came(core, before)
    })
}

/// The partition that gives way.
const fn target(core: usize) -> u64 {
    0x8006 << 16 | core as u64
}

/// During a request the SPMC takes its own interrupts. EL3 takes Group 0 interrupts, which the SPMC does not see, and
/// their handler cannot make requests then. The SPMC's timer fires at the time to which the SPMC has set it, before or
/// during the request; at S-EL1, where EL3 borrows that timer, it fires when the request is over.
fn secure_interrupts() -> Outcome {
    cores::on_each(|core| {
        let timers = spmc_timers(core)?;
        let got = ask(WAITS, INTERRUPTS);
        ensure_eq!(got.x(0), ANSWERED, "what came of the request");
        ensure_eq!(got.x(3), INTERRUPTS, "its answer");
        let more = || spmc_timers(core).is_ok_and(|now| now > timers);
        ensure!(timer::wait_until(5, more), "the SPMC's timer did not come");
        own(core as u64)
    })
}

/// Returns how many interrupts of its timer the SPMC has had on this core.
fn spmc_timers(core: usize) -> Result<u64, crate::framework::case::Why> {
    let got = ffa::call(
        ffa::DIRECT_REQ,
        &[ffa::route(0, ffa::SPMC), 0, COUNT_TIMERS],
    );
    ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer of core {core}");
    Ok(got.x(4))
}

/// The example of docs/partitions.md: on every core a call is routed to the secure partition that implements a protocol.
/// It is NOT_SUPPORTED while no partition does.
fn router() -> Outcome {
    const ROUTE: u64 = 0xc200_0013;
    ensure_eq!(call(&[ROUTE, 1]).x(0), u64::MAX, "x0 while nobody is found");
    let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, SHOW]);
    ensure_eq!(got.function(), ffa::DIRECT_RESP, "the SPMC's answer");
    cores::on_each(|core| {
        let word = 1 << 40 | core as u64;
        let got = call(&[ROUTE, word]);
        ensure_eq!(got.x(0), 0, "x0");
        ensure_eq!(got.x(1), word + 1, "the partition's answer");
        own(core as u64)
    })
}

/// Makes the SPMC list a partition with the example's protocol from now on.
const SHOW: u64 = DEED | 0x18;
static SHOWN: AtomicBool = AtomicBool::new(false);

fn found(s: &Secure, message: &Regs) -> Option<Regs> {
    let protocol = [0x4f9a_27d1_0b6c_8e53, 0x91e6_3c08_d4a7_f25b];
    let regs = ffa::PARTITION_INFO_GET_REGS | ffa::SMC64;
    if message.function() == regs && SHOWN.load(SeqCst) {
        s.expect(message.0[1..3] == protocol, "the protocol asked for");
        // One descriptor of 24 bytes: ID, one execution context, receives direct requests.
        let descriptor = 0x8006 | 1 << 16 | 0x101 << 32;
        let success = ffa::SUCCESS | ffa::SMC64;
        return Some(ffa::request(success, &[0, 24 << 48, descriptor]));
    }
    if message.x(1) == ffa::route(0xffd0, 0x8006) {
        return Some(ffa::response(message, &[message.x(3) + 1]));
    }
    if message.function() == ffa::DIRECT_REQ && message.x(3) == SHOW {
        SHOWN.store(true, SeqCst);
        return Some(ffa::response(message, &[SHOW]));
    }
    None
}

/// The platform's Group 0 interrupt comes again and again on every core, and its handler asks a partition. Meanwhile there
/// are requests of a call, requests of the normal world, and CPU_OFF and CPU_ON of one core.
fn storm() -> Outcome {
    let churned = cores::another();
    for round in 0..3 {
        cores::on_each(|core| {
            for word in 0..20 {
                let word = word << 8 | core as u64;
                call(&[RAISE, 0]);
                let got = ask(WAITS, ECHO | word << 16);
                ensure_eq!(got.x(0), ANSWERED, "what came of the request");
                own(word)?;
                call(&[RAISE, word & 1]);
                own(word + 1)?;
            }
            Ok(())
        })?;
        if round < 2 {
            cores::turn_off(churned)?;
            cores::turn_on(churned)?;
        }
    }
    Ok(())
}

/// The SPMC dies over a request on one core, in each way: it is silent; it is silent although an interrupt of the normal
/// world may end the request; it calls FFA_ABORT; it makes wrong calls for ever. The partition is told. The core goes on
/// without FF-A and can go off, and the other cores are not affected.
fn silence() -> Outcome {
    let mut victims = cores::others();
    let mut victim = || victims.next();
    let mut gone = 0_u64;
    let ways: [fn(usize) -> Outcome; 3] = [
        |_| {
            ensure_eq!(ask(IMPATIENT, BE_SILENT).x(0), DIED, "a silent SPMC");
            Ok(())
        },
        // A Group 0 handler makes the request: its own active interrupt does not hold back the watch's.
        |_| {
            call(&[HANDLER_ASKS, IMPATIENT, BE_SILENT]);
            let before = call(&[HANDLED]).x(0);
            call(&[RAISE, 0]);
            let handled = timer::wait_until(20, || call(&[HANDLED]).x(0) > before);
            ensure!(handled, "the interrupt was not handled");
            ensure_eq!(call(&[HANDLED]).x(1), DIED, "its handler's request");
            Ok(())
        },
        |_| {
            ensure_eq!(ask(IMPATIENT_GIVES_WAY, ABORT).x(0), DIED, "FFA_ABORT");
            Ok(())
        },
    ];
    for (n, way) in ways.into_iter().enumerate() {
        let Some(core) = victim() else { break };
        gone |= 1 << core;
        cores::on(core, |core| {
            way(core)?;
            let before = start_timer(core, 100);
            came(core, before)?;
            let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
            ffa::expect_error(&got, ffa::NOT_SUPPORTED, "FF-A after it")?;
            ensure_eq!(ask(WAITS, LOOK).x(0), 2, "a request after it");
            Ok(())
        })?;
        if n == 0 {
            suspend_and_wake(core)?;
        }
        cores::turn_off(core)?;
        cores::turn_on(core)?;
        cores::on(core, |_| {
            let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
            ffa::expect_error(&got, ffa::NOT_SUPPORTED, "FF-A after CPU_ON")
        })?;
    }
    for core in (0..cores::count()).filter(|core| gone & 1 << core == 0) {
        cores::on(core, |core| {
            own(core as u64)?;
            let got = ask(WAITS, LOOK);
            ensure_eq!(got.x(0), ANSWERED, "a request where the SPMC lives");
            Ok(())
        })?;
    }
    Ok(())
}

/// Secure SGI that nobody else uses.
const SECURE_SGI: u32 = 9;
/// The platform's Group 0 interrupt.
const GROUP0: u32 = 18;

fn serve(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    let word = message.x(3);
    match word & 0xffff_00ff {
        LOOK => {
            let end = timer::now() + timer::ticks(3000);
            let mut seen = 0;
            while timer::now() < end {
                seen |= gic::pending_lines() & (FIQ | IRQ);
            }
            let gives_way = message.x(1) >> 16 == GIVES_WAY;
            Some(ffa::response(message, &[if gives_way { 0 } else { seen }]))
        }
        GIVE_WAY | YIELD => {
            let seen = timer::wait_until(20, || gic::pending_lines() & FIQ != 0);
            s.expect(seen, "the normal world's interrupt is seen");
            let function = match word {
                GIVE_WAY => ffa::INTERRUPT,
                _ => ffa::YIELD,
            };
            let mut got = ffa::call(function, &[target(s.core)]);
            while got.function() != ffa::RUN {
                let answer = serve(s, &got).unwrap_or_else(|| spmc::default_answer(s, &got));
                got = crate::arch::smc::call(answer);
            }
            s.expect_eq(got.x(1), target(s.core), "w1 of FFA_RUN");
            for n in 2..18 {
                s.expect_eq(got.x(n), 0, "another register of FFA_RUN");
            }
            Some(ffa::response(message, &[word + 1]))
        }
        INTERRUPTS => {
            gic::send_sgi(s.core, SECURE_SGI);
            s.expect(
                timer::wait_until(20, || gic::pending_lines() & IRQ != 0),
                "its own interrupt is seen",
            );
            s.expect_eq(gic::acknowledge().into(), SECURE_SGI.into(), "its INTID");
            gic::end(SECURE_SGI);
            let before = call(&[HANDLED]).x(0);
            gic::set_pending(s.core, GROUP0, true);
            s.expect(
                timer::wait_until(20, || call(&[HANDLED]).x(0) > before),
                "the Group 0 interrupt is EL3's",
            );
            s.expect_eq(call(&[HANDLED]).x(1), 1, "its handler asks: busy");
            timer::start_secure(500);
            let due = timer::now() + timer::ticks(2000);
            while timer::now() < due {
                if cpu::el() == 2 && gic::pending_lines() & IRQ != 0 {
                    spmc::interrupt(s);
                }
            }
            Some(ffa::response(message, &[INTERRUPTS]))
        }
        COUNT_TIMERS => Some(ffa::response(
            message,
            &[COUNT_TIMERS, spmc::timer_interrupts(s.core).into()],
        )),
        BE_SILENT => loop {
            core::hint::spin_loop();
        },
        ABORT => {
            let got = ffa::call(ffa::ABORT, &[]);
            s.fail(format_args!("FFA_ABORT came back: {got}"));
            None
        }
        _ => None,
    }
}
