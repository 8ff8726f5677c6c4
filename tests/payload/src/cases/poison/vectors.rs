//! Poison cases for the FP, SVE and SME registers.
//!
//! The normal world fills them with each vector length, on all cores at once, and enters the secure world by a call or
//! by a secure interrupt. It must find them unchanged. An SPMC at S-EL1, or one whose manifest asks EL3 to switch
//! everything, checks its own registers likewise. An SPMC at S-EL2 would save what it uses itself. Here it uses
//! nothing, and waits with SVE and SME trapped for itself, which must not change the normal world's registers.

use super::vector_regs as v;
use crate::arch::{MAX_CORES, smc, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{config, cores, ffa, flag};
use crate::{ensure, ensure_eq, fail, mrs, skip};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("poison/fp-calls", calls)
        .secure(secure_side)
        .needs(Needs::JANUS),
    Case::new("poison/fp-interrupt", interrupts)
        .secure(secure_side)
        .needs(Needs::JANUS),
    Case::new("poison/sme", sme)
        .secure(secure_side)
        .needs(Needs::JANUS),
    Case::new("poison/sve-hint", hint)
        .secure(secure_side)
        .needs(Needs::JANUS),
];

// The operations of a direct request, in x3.
/// Get ready for the case.
const BEGIN: u64 = 0x2001;
/// Restore everything.
const END: u64 = 0x2002;
/// Check and fill. x4 is the seed of the normal world's registers.
const SWITCH: u64 = 0x2003;
/// Start the secure timer. x5 is the address of the flag to raise after its interrupt.
const ARM: u64 = 0x2004;

/// The values of ZCR.LEN: the longest, and shorter ones.
const LENGTHS: [u64; 4] = [0xf, 0x3, 0x1, 0x0];

/// Bit 16 of a function ID: the caller has no live SVE state.
const HINT: u64 = 1 << 16;

fn request(what: u64, seed: u64, address: u64) -> Regs {
    ffa::request(
        ffa::DIRECT_REQ | ffa::SMC64,
        &[ffa::route(0, ffa::SPMC), 0, what, seed, address],
    )
}

fn ask(what: u64) -> Outcome {
    answered(smc::call(request(what, 0, 0)))
}

fn answered(got: Regs) -> Outcome {
    ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP | ffa::SMC64,
        "answer of the SPMC"
    );
    Ok(())
}

/// Returns a seed that no other core, world or round uses.
fn seed(core: usize, round: u64, secure: bool) -> u64 {
    (core as u64 * 1000 + round) * 2 + u64::from(secure)
}

/// Runs `rounds` on all cores at once, with the SPMC ready for the case.
fn with_spmc(rounds: fn(usize) -> Outcome) -> Outcome {
    cores::on_each(|core| {
        ask(BEGIN)?;
        let outcome = rounds(core);
        if v::has().sme {
            v::set_svcr(0);
        }
        outcome.and(ask(END))
    })
}

fn intact(seed: u64, bytes: usize, after: &str) -> Outcome {
    v::check(seed, bytes).or_else(|wrong| fail!("after {after}: {wrong}"))
}

fn calls() -> Outcome {
    with_spmc(|core| {
        let sve = mrs!("id_aa64pfr0_el1") >> 32 & 0xf != 0;
        for round in 0..20 * config::rounds() {
            let seed = seed(core, round, false);
            v::open(LENGTHS[round as usize % LENGTHS.len()]);
            ensure!(v::has().sve || !sve, "SVE is closed to the normal world");
            v::fill(seed);
            let got = smc::call(request(SWITCH, seed, 0));
            intact(seed, usize::MAX, "a call")?;
            answered(got)?;
        }
        Ok(())
    })
}

fn interrupts() -> Outcome {
    with_spmc(|core| {
        for round in 0..12 * config::rounds() {
            let seed = seed(core, round, false);
            v::open(LENGTHS[round as usize % LENGTHS.len()]);
            let flag = flag::lower(core);
            v::fill(seed);
            let got = smc::call(request(ARM, seed, flag));
            let held = flag::wait_holding(core);
            intact(seed, usize::MAX, "a secure interrupt")?;
            answered(got)?;
            ensure!(
                held.is_ok(),
                "a general register changed in a secure interrupt"
            );
        }
        Ok(())
    })
}

/// Streaming mode and ZA are kept, each alone and both together.
fn sme() -> Outcome {
    v::open(LENGTHS[0]);
    if mrs!("id_aa64pfr1_el1") >> 24 & 0xf == 0 {
        skip!("the CPU has no SME");
    }
    ensure!(v::has().sme, "SME is closed to the normal world");
    with_spmc(|core| {
        for round in 0..12 * config::rounds() {
            let (seed, svcr) = (seed(core, round, false), 1 + round % 3);
            v::open(LENGTHS[round as usize % LENGTHS.len()]);
            v::set_svcr(svcr);
            v::fill(seed);
            if svcr & 2 != 0 {
                v::fill_za(seed);
            }
            let got = smc::call(request(SWITCH, seed, 0));
            ensure_eq!(v::svcr(), svcr, "SVCR after a call");
            intact(seed, usize::MAX, "a call with SME in use")?;
            if svcr & 2 != 0
                && let Err(wrong) = v::check_za(seed)
            {
                fail!("after a call: {wrong}");
            }
            answered(got)?;
        }
        Ok(())
    })
}

/// After a call with the SVE hint, the first 128 bits of the vectors are kept: they are FP state.
fn hint() -> Outcome {
    with_spmc(|core| {
        for round in 0..10 {
            let seed = seed(core, round, false);
            v::open(LENGTHS[0]);
            v::fill(seed);
            let call = request(SWITCH, seed, 0);
            let got = smc::call(call.with(0, call.x(0) | HINT));
            intact(seed, 16, "a call with the hint")?;
            answered(got)?;
        }
        Ok(())
    })
}

/// The round of the secure side, per core.
static ROUNDS: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];

/// Returns whether EL3 switches FP for this SPMC.
fn switched(s: &Secure) -> bool {
    !s.sel2 || config::spmc_leaves_all_to_el3()
}

fn check_and_fill(s: &Secure, others: u64, when: &str) {
    if !switched(s) {
        return;
    }
    let round = ROUNDS[s.core].load(SeqCst);
    if round > 0 {
        // EL3 keeps only the first 128 bits for the secure world.
        if let Err(wrong) = v::check(seed(s.core, round, true), 16) {
            s.fail(format_args!("when entered by {when}: {wrong}"));
        }
        if let Some(n) = v::shows(others) {
            s.fail(format_args!(
                "when entered by {when}: Z{n} is the normal world's"
            ));
        }
    }
    ROUNDS[s.core].store(round + 1, SeqCst);
    v::fill(seed(s.core, round + 1, true));
}

fn secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !(HINT as u32) != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    let message = message.with(0, message.x(0) & !HINT);
    let answer = ffa::response(&message, &[]);
    match message.x(3) {
        BEGIN => {
            ROUNDS[s.core].store(0, SeqCst);
            if switched(s) {
                v::open(0xf);
            } else {
                v::trap_sve();
            }
            Some(answer)
        }
        END => {
            v::open(0xf);
            Some(answer)
        }
        SWITCH => {
            check_and_fill(s, message.x(4), "a call");
            Some(answer)
        }
        ARM => {
            check_and_fill(s, message.x(4), "a call");
            timer::start_secure(300);
            let next = smc::call(answer);
            s.expect_eq(
                u64::from(next.function()),
                u64::from(ffa::INTERRUPT),
                "the SPMC's next message",
            );
            check_and_fill(s, message.x(4), "a secure interrupt");
            spmc::interrupt(s);
            flag::raise_at(message.x(5));
            Some(ffa::request(ffa::NORMAL_WORLD_RESUME, &[]))
        }
        _ => None,
    }
}
