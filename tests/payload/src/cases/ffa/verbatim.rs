//! Cases about values that EL3 must not interpret: IDs of FFA_YIELD and FFA_RUN, error codes, notification flags, the
//! SVE hint.

use crate::arch::smc;
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa};

pub const CASES: &[Case] = &[
    Case::new("ffa/yield-run", yield_run).secure(yield_run_secure),
    Case::new("ffa/preempted", preempted).secure(preempted_secure),
    Case::new("ffa/error-codes", error_codes).secure(error_codes_secure),
    Case::new("ffa/notification-flags", notification_flags).secure(reflect),
    Case::new("ffa/sve-hint", sve_hint)
        .secure(sve_hint_secure)
        .needs(Needs::JANUS),
];

/// w1-w3 of the FFA_YIELD of this case: a partition and vCPU, and a timeout.
const YIELD: [u64; 3] = [0x8003_0002, 0x89ab_cdef, 0x0123_4567];
/// w1 of the FFA_RUN that follows.
const RUN_TARGET: u64 = 0x8003_0002;

/// The SPMC yields twice during a request, is run again each time, and then responds.
fn yield_run() -> Outcome {
    cores::on_each(|core| {
        let mut got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, 0x77]);
        for _ in 0..2 {
            ensure_eq!(got.function(), ffa::YIELD, "answer to the request");
            for n in 1..4 {
                ensure_eq!(got.x(n), YIELD[n - 1], "w{n} of FFA_YIELD");
            }
            got = smc::call(Regs::filled(ffa::RUN, core, 1).with(1, RUN_TARGET));
        }
        ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer after FFA_RUN");
        ensure_eq!(got.x(3), 0x77, "w3 of the response");
        Ok(())
    })
}

fn yield_run_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    for _ in 0..2 {
        let got = smc::call(ffa::request(ffa::YIELD, &YIELD));
        let sent = Regs::filled(ffa::RUN, s.core, 1).with(1, RUN_TARGET);
        for n in 0..8 {
            s.expect_eq(
                u64::from(got.w(n)),
                u64::from(sent.w(n)),
                "a register of FFA_RUN",
            );
        }
    }
    Some(ffa::response(message, &[message.x(3)]))
}

/// The SPMC is preempted (FFA_INTERRUPT) and run again. Each request is made on another core.
fn preempted() -> Outcome {
    for core in 0..cores::count() {
        let mut got = Regs::default();
        got.0[0] = 0;
        cores::on(core, |_| {
            let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, 0x99]);
            ensure_eq!(got.function(), ffa::INTERRUPT, "answer to the request");
            ensure_eq!(got.x(1), RUN_TARGET, "w1 of FFA_INTERRUPT");
            ensure_eq!(got.x(2), 0x1234_5678, "w2 of FFA_INTERRUPT");
            Ok(())
        })?;
        cores::on((core + 1) % cores::count(), |_| {
            let got = ffa::call(ffa::RUN, &[RUN_TARGET]);
            ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer to FFA_RUN");
            ensure_eq!(got.x(1), ffa::route(ffa::SPMC, 0), "w1 of the response");
            ensure_eq!(got.x(3), 0x99, "w3 of the response");
            Ok(())
        })?;
    }
    Ok(())
}

fn preempted_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        ffa::DIRECT_REQ => Some(ffa::request(ffa::INTERRUPT, &[RUN_TARGET, 0x1234_5678])),
        ffa::RUN => Some(ffa::request(
            ffa::DIRECT_RESP,
            &[ffa::route(ffa::SPMC, 0), 0, 0x99],
        )),
        _ => None,
    }
}

/// Values of w2 of FFA_ERROR: known codes, unknown codes, and values that are not negative.
const CODES: [u32; 8] = [
    0,
    1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0xffff_fff7,
    0xffff_fff0,
    0xffff_ff9c,
];

/// Every error code crosses unchanged, with the other registers.
fn error_codes() -> Outcome {
    cores::on_each(|core| {
        for (i, code) in CODES.into_iter().enumerate() {
            let got = ffa::call(ffa::MEM_RECLAIM, &[i as u64]);
            let sent = Regs::filled(ffa::ERROR, core, 2).with(2, u64::from(code));
            for n in 0..8 {
                ensure_eq!(got.w(n), sent.w(n), "w{n} of FFA_ERROR {code:#x}");
            }
        }
        Ok(())
    })
}

fn error_codes_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    let code = CODES.get(message.x(1) as usize)?;
    (message.function() == ffa::MEM_RECLAIM)
        .then(|| Regs::filled(ffa::ERROR, s.core, 2).with(2, u64::from(*code)))
}

/// Flags of FFA_NOTIFICATION_SET, GET and BIND that no version defines cross unchanged: the SPMC decides about them.
fn notification_flags() -> Outcome {
    cores::on_each(|_| {
        for function in [
            ffa::NOTIFICATION_SET,
            ffa::NOTIFICATION_GET,
            ffa::NOTIFICATION_BIND,
            ffa::NOTIFICATION_UNBIND,
        ] {
            for bit in 0..32 {
                let got = ffa::call(
                    function,
                    &[ffa::route(ffa::SPMC, 1), 1 << bit, 0xffff_0000, 0x0000_ffff],
                );
                ensure_eq!(
                    got.function(),
                    ffa::SUCCESS,
                    "{} with w2 = {:#x}",
                    ffa::name(function),
                    1u64 << bit
                );
                ensure_eq!(
                    got.x(2),
                    1 << bit,
                    "w2 of {} as the SPMC saw it",
                    ffa::name(function)
                );
                ensure_eq!(
                    got.x(3),
                    0xffff_0000,
                    "w3 of {} as the SPMC saw it",
                    ffa::name(function)
                );
            }
        }
        Ok(())
    })
}

/// Answers FFA_SUCCESS with the registers of the message.
fn reflect(_: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        ffa::NOTIFICATION_BIND..=ffa::NOTIFICATION_GET => {
            Some(message.with(0, u64::from(ffa::SUCCESS)))
        }
        _ => None,
    }
}

/// Bit 16 of the function ID: the caller has no live SVE state.
const HINT: u32 = 1 << 16;

/// The hint is not part of the function's number. An SPMC at S-EL2 sees it.
fn sve_hint() -> Outcome {
    cores::on_each(|_| {
        let got = ffa::call(
            ffa::DIRECT_REQ | HINT,
            &[ffa::route(0, ffa::SPMC), 0, 0x1612],
        );
        ensure_eq!(
            got.function(),
            ffa::DIRECT_RESP,
            "answer to a direct request with the hint"
        );
        ensure_eq!(got.x(3), 0x1612, "w3 of the response");
        let id = ffa::call(ffa::ID_GET | HINT, &[]);
        ensure_eq!(id.function(), ffa::SUCCESS, "FFA_ID_GET with the hint");
        let version = ffa::call(0x8400_0000 | HINT, &[]).function();
        ensure_eq!(
            version,
            ffa::call(0x8400_0000, &[]).function(),
            "PSCI_VERSION with the hint"
        );
        Ok(())
    })
}

fn sve_hint_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !HINT != ffa::DIRECT_REQ {
        return None;
    }
    s.expect_eq(
        u64::from(message.function() & HINT != 0),
        u64::from(s.sel2),
        "the hint in w0",
    );
    Some(ffa::response(
        &message.with(0, u64::from(ffa::DIRECT_REQ)),
        &[message.x(3)],
    ))
}
