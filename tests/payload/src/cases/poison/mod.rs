//! Poison cases: each world fills every register that it can write, calls the other world, and must find its values
//! again, while the other world sees none of them.
//!
//! At each world switch of a case, the registers of both worlds are full of patterns that differ in each register, core
//! and round. A world that finds its own values has not seen those of the other.

use crate::arch::{MAX_CORES, smc, timer};
use crate::ensure;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{config, cores, ffa, flag, psci};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub mod bank;
pub mod closed;
pub mod critical;
pub mod cycles;
pub mod features;
pub mod power;
pub mod registers;
pub mod vector_regs;
pub mod vectors;

pub const CASES: &[Case] = &[
    Case::new("poison/calls", calls)
        .secure(secure_side)
        .needs(Needs::JANUS),
    Case::new("poison/critical", critical_calls)
        .secure(secure_side)
        .needs(Needs::JANUS),
    Case::new("poison/secure-interrupt", interrupts)
        .secure(secure_side)
        .needs(Needs::JANUS),
    Case::new("poison/own-services", own_services).needs(Needs::NO_FFA),
];

// The operations of a direct request, in x3. The normal world sends these two before its own registers are filled.
const PROBE: u64 = 0x1001;
const RESTORE: u64 = 0x1002;
/// Start the secure timer and fill. x4 is the address of the flag to raise after the interrupt.
const ARM: u64 = 0x1003;
/// Check, fill, and answer in the way that x4 says.
const SWITCH: u64 = 0x1004;
/// Answer with arbitrary values in the registers that the SPMC needs to run.
const CRITICAL: u64 = 0x1005;

fn request(what: u64, argument: u64) -> Regs {
    ffa::request(
        ffa::DIRECT_REQ | ffa::SMC64,
        &[ffa::route(0, ffa::SPMC), 0, what, argument],
    )
}

fn ask(what: u64, argument: u64) -> Outcome {
    let got = smc::call(request(what, argument));
    crate::ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP | ffa::SMC64,
        "answer of the SPMC"
    );
    Ok(())
}

/// Checks the normal world's registers after an operation, which `after` names.
fn intact(after: &str) -> Outcome {
    match bank::check(false) {
        Ok(()) => Ok(()),
        Err(wrong) => crate::fail!("after {after}: {wrong}"),
    }
}

/// Runs `rounds` on each core with interrupts masked. Both worlds' registers are probed before and restored afterwards.
fn poisoned(rounds: fn(usize) -> Outcome) -> Outcome {
    cores::on_each(|core| {
        crate::daif!(set "0xf");
        let outcome = ask(PROBE, 0).and_then(|()| {
            let count = bank::probe(false);
            if core == cores::boot_core() {
                crate::println!("poison: {count} registers of the normal world");
            }
            let outcome = if count < 50 {
                crate::fail!("only {count} registers could be filled")
            } else {
                rounds(core)
            };
            bank::restore();
            outcome.and(ask(RESTORE, 0))
        });
        crate::daif!(clear "0x7");
        outcome
    })
}

/// The calls by which the secure world answers a call of the normal world.
const WAYS: [u32; 6] = [
    ffa::DIRECT_RESP,
    ffa::SUCCESS,
    ffa::ERROR,
    ffa::YIELD,
    ffa::INTERRUPT,
    ffa::MSG_WAIT,
];

/// Each call that enters the secure world is answered in each way.
fn calls() -> Outcome {
    poisoned(|_| {
        let mut seed = 0;
        for _ in 0..config::rounds() {
            for way in WAYS {
                for function in [
                    ffa::DIRECT_REQ,
                    ffa::DIRECT_REQ | ffa::SMC64,
                    ffa::MEM_SHARE,
                    ffa::MEM_SHARE | ffa::SMC64,
                    ffa::RUN,
                    ffa::NOTIFICATION_INFO_GET | ffa::SMC64,
                ] {
                    let call = request(SWITCH, u64::from(way)).with(0, u64::from(function));
                    bank::fill(seed, false);
                    let got = smc::call(call);
                    intact(ffa::name(function))?;
                    let want = if way == ffa::DIRECT_RESP && function & ffa::SMC64 != 0 {
                        way | ffa::SMC64
                    } else {
                        way
                    };
                    crate::ensure_eq!(
                        got.function(),
                        want,
                        "the way back from {}",
                        ffa::name(function)
                    );
                    seed += 1;
                }
            }
        }
        Ok(())
    })
}

/// Calls with arbitrary values in the registers on which each payload depends, too.
fn critical_calls() -> Outcome {
    poisoned(|core| {
        for seed in 0..20 {
            bank::fill(seed, false);
            let (got, result) = critical::call(request(CRITICAL, seed), seed * 64 + core as u64);
            intact("a direct request")?;
            if let Err((name, now, was)) = result {
                crate::fail!("{name}_EL2 is {now:#x} after a direct request, was {was:#x}");
            }
            crate::ensure_eq!(
                got.function(),
                ffa::DIRECT_RESP | ffa::SMC64,
                "answer of the SPMC"
            );
        }
        Ok(())
    })
}

/// A secure interrupt comes while the normal world runs.
fn interrupts() -> Outcome {
    poisoned(|core| {
        for seed in 0..20 {
            let flag = flag::lower(core);
            bank::fill(seed, false);
            ask(ARM, flag)?;
            let held = flag::wait_holding(core);
            intact("a secure interrupt")?;
            ensure!(
                held.is_ok(),
                "a general register changed in a secure interrupt"
            );
        }
        Ok(())
    })
}

/// Calls that EL3 answers itself change no register.
fn own_services() -> Outcome {
    cores::on_each(|_| {
        crate::daif!(set "0xf");
        bank::probe(false);
        let mut outcome = Ok(());
        for (seed, id) in [
            psci::PSCI_VERSION,
            0x8000_0000,
            ffa::VERSION,
            ffa::ID_GET,
            0x8400_00ef,
            0xc200_1234,
        ]
        .into_iter()
        .enumerate()
        {
            bank::fill(seed as u64, false);
            ffa::call(id, &[0x1_0002]);
            outcome = outcome.and(intact("a call that EL3 answers"));
        }
        bank::restore();
        crate::daif!(clear "0x7");
        outcome
    })
}

/// The round of the secure side, per core. Each round has other patterns.
static SEEDS: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];

/// Checks the secure world's registers, then fills them anew.
fn check_and_fill(s: &Secure, when: &str) {
    if let Err(wrong) = bank::check(true) {
        s.fail(format_args!("when entered by {when}: {wrong}"));
    }
    bank::fill(SEEDS[s.core].fetch_add(1, SeqCst), true);
}

fn secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::INTERRUPT {
        return None;
    }
    let answer = ffa::response(message, &[]);
    match message.x(3) {
        PROBE => {
            let count = bank::probe(true);
            crate::println!(
                "spmc: core {}: poison: {count} registers of the secure world",
                s.core
            );
            Some(answer)
        }
        RESTORE => {
            bank::restore();
            Some(answer)
        }
        SWITCH => {
            check_and_fill(s, ffa::name(message.function()));
            let way = message.w(4);
            let direct = message.function() & !ffa::SMC64 == ffa::DIRECT_REQ;
            Some(if way != ffa::DIRECT_RESP {
                ffa::request(way, &[0, u64::from(ffa::RETRY as u32)])
            } else if direct {
                answer
            } else {
                ffa::request(
                    way | message.function() & ffa::SMC64,
                    &[ffa::route(ffa::SPMC, 0)],
                )
            })
        }
        CRITICAL => {
            check_and_fill(s, "a direct request");
            let seed = 0x1000 + message.x(4) * 64 + s.core as u64;
            let (next, result) = critical::call(answer, seed);
            if let Err((name, now, was)) = result {
                s.fail(format_args!(
                    "{name} of the SPMC's level is {now:#x} when entered again, was {was:#x}"
                ));
            }
            // The next request is of this kind, or ends the case.
            secure_side(s, &next)
        }
        ARM => {
            check_and_fill(s, "a direct request");
            timer::start_secure(300);
            let next = smc::call(answer);
            s.expect_eq(
                u64::from(next.function()),
                u64::from(ffa::INTERRUPT),
                "the SPMC's next message",
            );
            check_and_fill(s, "a secure interrupt");
            spmc::interrupt(s);
            flag::raise_at(message.x(4));
            Some(ffa::request(ffa::NORMAL_WORLD_RESUME, &[]))
        }
        _ => None,
    }
}
