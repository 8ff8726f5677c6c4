//! Cases about secure interrupts while the normal world runs, Group 0 interrupts, and what the SPMC may do meanwhile.

use crate::arch::{gic, smc, timer};
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{cores, ffa, flag};

pub const CASES: &[Case] = &[
    Case::new("ffa/secure-interrupt", secure_interrupt).secure(secure_interrupt_secure),
    Case::new("ffa/secure-interrupt-calls", secure_interrupt)
        .secure(calls_secure)
        .needs(Needs::JANUS.union(Needs::V1_2)),
    Case::new("ffa/resume-unasked", ask)
        .secure(resume_unasked_secure)
        .needs(Needs::JANUS),
    Case::new("ffa/group0-secure", ask)
        .secure(group0_secure_secure)
        .needs(Needs::JANUS.union(Needs::V1_2)),
    Case::new("ffa/group0-storm", group0_storm)
        .secure(group0_storm_secure)
        .needs(Needs::JANUS),
    Case::new("ffa/group0-normal", group0_normal)
        .secure(group0_normal_secure)
        .needs(Needs::JANUS.union(Needs::V1_2)),
];

/// The SPMC starts its timer and answers. The normal world waits with a value in every register
/// until the SPMC has had its interrupt, and finds all registers unchanged.
fn secure_interrupt() -> Outcome {
    cores::on_each(|core| {
        for round in 0..20 {
            let request = ffa::request(
                ffa::DIRECT_REQ | ffa::SMC64,
                &[ffa::route(0, ffa::SPMC), 0, flag::lower(core)],
            );
            let got = smc::call(request);
            ensure_eq!(
                got.function(),
                ffa::DIRECT_RESP | ffa::SMC64,
                "answer to the request"
            );
            if let Err((name, value)) = flag::wait_holding(core) {
                crate::fail!("round {round}: {name} is {value:#x} after a secure interrupt");
            }
        }
        Ok(())
    })
}

/// Starts the timer, answers, and returns the message by which the SPMC was next entered.
fn await_interrupt(s: &Secure, message: &Regs) -> Regs {
    timer::start_secure(300);
    let mut answer = Regs::filled(0, s.core, 3);
    answer.0[..8].copy_from_slice(&ffa::response(message, &[]).0[..8]);
    // The call that returns is a 32-bit one: x8-x17 keep the SPMC's values.
    let next = smc::call(answer);
    s.expect_eq(
        u64::from(next.function()),
        u64::from(ffa::INTERRUPT),
        "the SPMC's next message",
    );
    for n in 1..8 {
        s.expect_eq(next.x(n), 0, "w1-w7 of FFA_INTERRUPT");
    }
    for n in 8..18 {
        s.expect_eq(next.x(n), answer.x(n), "x8-x17 with FFA_INTERRUPT");
    }
    next
}

/// Handles the timer's interrupt.
fn handle(s: &Secure) {
    let intid = spmc::interrupt(s);
    s.expect_eq(
        u64::from(intid),
        u64::from(timer::secure_intid()),
        "INTID of the secure interrupt",
    );
}

fn secure_interrupt_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    await_interrupt(s, message);
    handle(s);
    flag::raise_at(message.x(3));
    // Each register of the call that resumes the normal world has another value. The normal world must see none.
    Some(Regs::filled(ffa::NORMAL_WORLD_RESUME, s.core, 4))
}

/// During the interrupt, calls of the SPMC to EL3 work, and calls that would go to the normal world are DENIED.
fn calls_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    await_interrupt(s, message);
    s.expect_eq(
        ffa::call(ffa::ID_GET, &[]).x(2),
        ffa::SPMC,
        "FFA_ID_GET during an interrupt",
    );
    s.expect_eq(
        ffa::call(ffa::SPM_ID_GET, &[]).x(2),
        ffa::SPMD,
        "FFA_SPM_ID_GET during an interrupt",
    );
    let version = ffa::call(ffa::VERSION, &[u64::from(spmc::version())]);
    s.expect(
        version.function() as i32 > 0,
        "FFA_VERSION during an interrupt",
    );
    let features = ffa::call(ffa::FEATURES, &[u64::from(ffa::ID_GET)]);
    s.expect_eq(
        features.x(0),
        u64::from(ffa::SUCCESS),
        "FFA_FEATURES during an interrupt",
    );
    let away = ffa::route(ffa::SPMC, 0);
    for (function, arguments) in [
        (ffa::MSG_WAIT, &[][..]),
        (ffa::YIELD, &[0x8000_0000]),
        (ffa::INTERRUPT, &[]),
        (ffa::SUCCESS, &[]),
        (ffa::ERROR, &[0, 0xffff_ffff]),
        (ffa::DIRECT_RESP, &[away, 0]),
        (ffa::DIRECT_RESP | ffa::SMC64, &[away, 0]),
        (ffa::MEM_SHARE, &[1, 1]),
    ] {
        let got = ffa::call(function, arguments);
        if got.0[..8] != ffa::error(ffa::DENIED).0[..8] {
            s.fail(format_args!(
                "{} during a secure interrupt: {got}, should be FFA_ERROR DENIED",
                ffa::name(function)
            ));
        }
    }
    handle(s);
    flag::raise_at(message.x(3));
    Some(ffa::request(ffa::NORMAL_WORLD_RESUME, &[]))
}

/// Sends a request on every core, on which the SPMC does the work of the case.
fn ask() -> Outcome {
    cores::on_each(|_| {
        let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
        ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer to the request");
        Ok(())
    })
}

/// FFA_NORMAL_WORLD_RESUME is DENIED if no interrupt has preempted the normal world.
fn resume_unasked_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        let got = ffa::call(ffa::NORMAL_WORLD_RESUME, &[]);
        s.expect(
            got.0[..8] == ffa::error(ffa::DENIED).0[..8],
            "FFA_NORMAL_WORLD_RESUME unasked is not DENIED",
        );
    }
    None
}

/// An SGI that the SPMC makes Group 0 for these cases.
const GROUP0_SGI: u32 = 14;
/// Bit of ISR_EL1: an FIQ is pending.
const FIQ: u64 = 1 << 6;

/// A Group 0 interrupt comes while the SPMC runs. The SPMC sees an FIQ and asks EL3 to handle it, after which it is
/// gone.
fn group0_secure_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    gic::enable_group0(s.core, GROUP0_SGI);
    for _ in 0..3 {
        s.expect_eq(gic::pending_lines() & FIQ, 0, "FIQ pending before");
        gic::send_sgi_group0(s.core, GROUP0_SGI);
        s.expect(
            timer::wait_until(5, || gic::pending_lines() & FIQ != 0),
            "the Group 0 interrupt does not show",
        );
        let got = ffa::call(ffa::EL3_INTR_HANDLE, &[]);
        s.expect_eq(got.x(0), u64::from(ffa::SUCCESS), "FFA_EL3_INTR_HANDLE");
        s.expect_eq(
            gic::pending_lines() & FIQ,
            0,
            "FIQ pending after FFA_EL3_INTR_HANDLE",
        );
    }
    // If no interrupt is pending, the call does no harm.
    let got = ffa::call(ffa::EL3_INTR_HANDLE, &[]);
    s.expect(
        got.function() == ffa::SUCCESS || got.function() == ffa::ERROR,
        "FFA_EL3_INTR_HANDLE with nothing pending",
    );
    gic::disable(s.core, GROUP0_SGI);
    None
}

/// A level-sensitive Group 0 interrupt without a handler stays asserted. Both worlds go on, and EL3 disables it.
/// It is the SPMC's timer, which the SPMC has put into Group 0.
fn group0_storm() -> Outcome {
    let request = |what: u64| ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, what]);
    ensure_eq!(
        request(1).function(),
        ffa::DIRECT_RESP,
        "answer to the start"
    );
    let off = timer::wait_until(30, || request(2).x(3) == 0);
    ensure_eq!(request(3).function(), ffa::DIRECT_RESP, "answer to the end");
    crate::ensure!(off, "the interrupt that nobody handles stays enabled");
    Ok(())
}

fn group0_storm_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    let intid = timer::secure_intid();
    match message.x(3) {
        1 => {
            gic::enable_group0(s.core, intid);
            timer::start_secure(1_000);
            None
        }
        2 => Some(ffa::response(
            message,
            &[gic::is_enabled(s.core, intid).into()],
        )),
        _ => {
            timer::stop_secure();
            gic::disable(s.core, intid);
            gic::enable_secure_group1(s.core, intid);
            None
        }
    }
}

/// A Group 0 interrupt comes while the normal world runs with a value in every register. It goes
/// on as if nothing had happened. The SPMC of this core sends the interrupt to every core. Each core waits until
/// the SPMC of another core reports that it is no longer pending there.
fn group0_normal() -> Outcome {
    let request = |what: u64, address: u64| {
        let got = ffa::call(
            ffa::DIRECT_REQ | ffa::SMC64,
            &[ffa::route(0, ffa::SPMC), 0, what, address],
        );
        ensure_eq!(
            got.function(),
            ffa::DIRECT_RESP | ffa::SMC64,
            "answer to the request"
        );
        Ok(())
    };
    cores::on_each(|_| request(1, 0))?;
    for target in cores::others() {
        flag::lower(target);
        cores::beside(
            target,
            |core| match flag::wait_holding(core) {
                Ok(()) => Ok(()),
                Err((name, value)) => {
                    crate::fail!("{name} is {value:#x} after a Group 0 interrupt")
                }
            },
            || {
                timer::delay(2_000);
                request(2, target as u64)?;
                timer::delay(2_000);
                flag::raise(target);
                request(3, target as u64)
            },
        )?;
    }
    cores::on_each(|_| request(4, 0))
}

fn group0_normal_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    let target = message.x(4) as usize;
    match message.x(3) {
        1 => gic::enable_group0(s.core, GROUP0_SGI),
        2 => gic::send_sgi_group0(target, GROUP0_SGI),
        3 => {
            let gone = timer::wait_until(5, || !gic::is_pending(target, GROUP0_SGI));
            s.expect(
                gone,
                "the Group 0 interrupt is still pending on the core that ran the normal world",
            );
        }
        _ => gic::disable(s.core, GROUP0_SGI),
    }
    None
}
