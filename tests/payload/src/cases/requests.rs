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
    case("platform/request-errors", errors).secure(serve),
    case("platform/router", router).secure(found),
    case("platform/discovery", discovery).secure(directory),
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
/// The partition answers FFA_ERROR with the status in bits 15 to 8.
const FAIL: u64 = DEED | 0x19;
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

/// An error of the partition's, whatever its status, is the answer, and nothing is left of the request.
fn errors() -> Outcome {
    cores::on_each(|core| {
        for sender in [WAITS, GIVES_WAY] {
            for status in [ffa::BUSY, ffa::INTERRUPTED, ffa::RETRY, ffa::DENIED, -77] {
                let got = ask(sender, FAIL | u64::from(status as u8) << 8);
                ensure_eq!(got.x(0), ANSWERED, "what came of the request");
                ensure_eq!(got.x(1) as u32, ffa::ERROR, "its answer");
                ensure_eq!(got.w(4) as i32, status, "w2 of it");
                own(core as u64)?;
                let got = ask(sender, LOOK);
                ensure_eq!(got.x(1) as u32, ffa::DIRECT_RESP, "the answer to the next");
            }
        }
        Ok(())
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

/// EL3's partitions, as the normal world should find them. All have the properties of one that sends both kinds of direct
/// requests, receives none, and runs in AArch64.
const PARTITIONS: [u64; 6] = [0xffc1, 0xffc2, 0xffc3, 0xffc4, 0xffc5, 0xffd0];
const SENDS: u64 = 0x502;
/// The SPMC's own partition, with the properties of one that receives direct requests.
const OWN: (u64, u64) = (0x8006, 0x101);

fn regs_info(uuid: [u64; 2], start: u64) -> Regs {
    let function = ffa::PARTITION_INFO_GET_REGS | ffa::SMC64;
    ffa::call(function, &[uuid[0], uuid[1], start])
}

/// Calls FFA_PARTITION_INFO_GET_REGS until all descriptors are there. Gives each one's three registers to `found`.
/// Returns false if the first call fails.
fn walk(
    uuid: [u64; 2],
    mut found: impl FnMut([u64; 3]),
) -> Result<bool, crate::framework::case::Why> {
    let mut start = 0;
    loop {
        let got = regs_info(uuid, start);
        if got.function() != ffa::SUCCESS | ffa::SMC64 {
            ensure_eq!(start, 0, "the index at which the walk failed");
            return Ok(false);
        }
        let (last, current) = (got.x(2) & 0xffff, got.x(2) >> 16 & 0xffff);
        ensure_eq!(got.x(2) >> 48, 24, "the size of a descriptor");
        ensure!(
            start <= current && current <= last,
            "indices {current} and {last} after {start}"
        );
        for n in 0..(current + 1 - start) as usize {
            found([got.x(3 + 3 * n), got.x(4 + 3 * n), got.x(5 + 3 * n)]);
        }
        if current == last {
            return Ok(true);
        }
        start = current + 1;
    }
}

/// The normal world finds EL3's partitions beside the SPMC's: all of them in one walk, and each by its UUID. The SPMC's
/// answers a request. EL3's receive none, as their properties say.
fn discovery() -> Outcome {
    let mut seen = [0_u32; 7];
    let all = walk([0; 2], |[id, ..]| {
        let of_el3 = PARTITIONS
            .iter()
            .position(|known| id == known | 1 << 16 | SENDS << 32);
        let of_spmc = id == OWN.0 | 1 << 16 | OWN.1 << 32;
        if let Some(n) = of_el3.or(of_spmc.then_some(6)) {
            seen[n] += 1;
        }
    })?;
    ensure!(all, "the walk over all partitions fails");
    for (n, times) in seen.into_iter().enumerate() {
        ensure_eq!(times, 1, "times that partition {n} was found");
    }
    let mut uuids = [[0; 2]; 8];
    let mut count = 0;
    walk([0; 2], |[_, low, high]| {
        uuids[count] = [low, high];
        count += 1;
    })?;
    ensure_eq!(count, 7, "partitions");
    for uuid in &uuids[..count] {
        let mut ids = 0;
        let found = walk(*uuid, |descriptor| {
            ids += 1;
            // With a UUID in the question there is none in the answer.
            if descriptor[1..] != [0, 0] {
                ids += 100;
            }
        })?;
        ensure!(found, "nobody has the UUID {:#x} {:#x}", uuid[0], uuid[1]);
        ensure_eq!(ids, 1, "partitions with that UUID");
    }
    ensure!(!walk([1, 2], |_| {})?, "a UUID that nobody has is found");
    own(1)
}

/// The SPMC's answer about all partitions: its own, and those that EL3 tells it of.
fn directory(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::PARTITION_INFO_GET_REGS | ffa::SMC64 {
        return None;
    }
    let uuid = [message.x(1), message.x(2)];
    let own = [OWN.0 | 1 << 16 | OWN.1 << 32, 0x1234, 0x5678];
    let mut all = [[0; 3]; 16];
    let mut count = 0;
    let mut add = |descriptor: [u64; 3]| {
        all[count] = descriptor;
        count += 1;
    };
    if uuid == [0; 2] {
        add(own);
    } else if uuid == own[1..] {
        add([own[0], 0, 0]);
    }
    if walk(uuid, add).is_err() {
        s.fail(format_args!("EL3's answer has wrong indices"));
    }
    if count == 0 {
        return Some(ffa::error(ffa::INVALID_PARAMETERS));
    }
    let start = message.x(3) & 0xffff;
    let here = all[..count].iter().skip(start as usize).take(5);
    let current = start + here.len() as u64 - 1;
    let mut answer = ffa::request(
        ffa::SUCCESS | ffa::SMC64,
        &[0, 24 << 48 | current << 16 | (count as u64 - 1)],
    );
    for (slot, value) in answer.0[3..].iter_mut().zip(here.flatten()) {
        *slot = *value;
    }
    Some(answer)
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

/// The SPMC dies over a request on one core: it is silent; it is silent over a Group 0 handler's request; it calls
/// FFA_ABORT although an interrupt may end the request. (Wrong calls until EL3 loses its patience are a host test of
/// `spmd`, in all states.) The partition is told. The core goes on without FF-A and can go off, and the other cores are not
/// affected.
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
        FAIL => Some(ffa::error(i32::from((word >> 8) as i8))),
        ABORT => {
            let got = ffa::call(ffa::ABORT, &[]);
            s.fail(format_args!("FFA_ABORT came back: {got}"));
            None
        }
        _ => None,
    }
}
