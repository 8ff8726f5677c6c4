//! Cases with an SPMC like Hafnium v2.4 to v2.6, which leaves EL1, EL2 and FP state to EL3
//! ([`crate::framework::old_spmc`]): each world keeps its registers, and does not see those of the other.
//!
//! That SPMC checks its own registers at each entry. The cases here check those of the normal world, in all
//! ways in which one world enters the other.

use super::poison::{bank, vector_regs as v};
use super::psci::suspend::{power_down_state, suspend_and_wake};
use crate::arch::{MAX_CORES, cpu, gic, smc, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{cores, ffa, flag, old_spmc, psci};
use crate::{ensure, ensure_eq, fail, machine};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

macro_rules! cases {
    ($($name:literal = $normal:ident $($needs:expr)?;)*) => {
        pub const CASES: &[Case] = &[$(
            Case::new(concat!("old-spmc/", $name), $normal)
                .secure(secure_side)
                .needs(Needs::JANUS $(.union($needs))?)
                .in_boot("spmc", "old"),
        )*];
    };
}

cases! {
    "first-entry" = first_entry;
    "calls" = calls;
    "secure-interrupt" = secure_interrupt;
    "preempted" = preempted;
    "standby" = standby;
    "off-on" = off_on Needs::CORES;
    "suspend" = suspend Needs::CORES;
}

// The operations of a direct request, in x3.
/// Answer in the way that x4 says.
const ANSWER: u64 = 0x6001;
/// Start the secure timer. x4 is the address of the flag to raise when its interrupt has come.
const ARM: u64 = 0x6002;
/// Call FFA_INTERRUPT when an interrupt of the normal world is pending.
const PREEMPT: u64 = 0x6003;

const REQ: u32 = ffa::DIRECT_REQ | ffa::SMC64;
const RESP: u32 = ffa::DIRECT_RESP | ffa::SMC64;
/// The partition as FFA_INTERRUPT and FFA_RUN name it.
const TARGET: u64 = 0x8001_0000;
/// An SGI of the normal world.
const SGI: u32 = 3;

fn request(what: u64, argument: u64) -> Regs {
    ffa::request(REQ, &[ffa::route(0, ffa::SPMC), 0, what, argument])
}

/// Checks that this core starts with no register value of the partition, nor of this world from before.
fn fresh(core: usize) -> Outcome {
    crate::daif!(set "0xf");
    v::open(0);
    bank::probe(false);
    let shown = (bank::shows(true), bank::shows(false));
    let q = old_spmc::fp_seeds(core).find_map(v::shows_q);
    let own = (0..FP_ROUNDS).find_map(|round| v::shows_q(fp_seed(core, round)));
    crate::daif!(clear "0x7");
    match shown {
        (Some(name), _) => fail!("{name} is the partition's"),
        (_, Some(name)) => fail!("{name} is what this core had in it before it was off"),
        _ => {}
    }
    if let Some(n) = q {
        fail!("Q{n} is the partition's");
    }
    if let Some(n) = own {
        fail!("Q{n} is what this core had in it before it was off");
    }
    Ok(())
}

const FP_ROUNDS: u64 = 64;

fn fp_seed(core: usize, round: u64) -> u64 {
    0x20_0000 + core as u64 * FP_ROUNDS + round % FP_ROUNDS
}

/// Fills the normal world's registers.
fn fill(core: usize, round: u64) {
    // This comes first, because it sets the vector length.
    bank::fill(round, false);
    v::fill(fp_seed(core, round));
}

/// Checks that the normal world's registers are as [`fill`] left them.
fn whole(core: usize, round: u64, after: &str) -> Outcome {
    match bank::check(false).and_then(|()| v::check(fp_seed(core, round), usize::MAX)) {
        Ok(()) => Ok(()),
        Err(wrong) => fail!("after {after}: {wrong}"),
    }
}

/// Runs `rounds` on all cores at once with interrupts masked, and restores the normal world's registers afterwards.
fn filled(rounds: fn(usize) -> Outcome) -> Outcome {
    cores::on_each(|core| {
        crate::daif!(set "0xf");
        v::open(0xf);
        bank::probe(false);
        let outcome = rounds(core);
        bank::restore();
        crate::daif!(clear "0x7");
        outcome
    })
}

/// The normal world starts without values of the partition on every core, although they were in all registers when the
/// SPMC ended its boot.
fn first_entry() -> Outcome {
    cores::on_each(fresh)
}

fn calls() -> Outcome {
    filled(|core| {
        let mut round = 0;
        for way in [
            ffa::DIRECT_RESP,
            ffa::SUCCESS,
            ffa::ERROR,
            ffa::YIELD,
            ffa::INTERRUPT,
            ffa::MSG_WAIT,
        ] {
            for function in [
                ffa::DIRECT_REQ,
                REQ,
                ffa::MEM_SHARE,
                ffa::RUN,
                ffa::NOTIFICATION_INFO_GET | ffa::SMC64,
            ] {
                fill(core, round);
                let got = smc::call(request(ANSWER, u64::from(way)).with(0, u64::from(function)));
                whole(core, round, ffa::name(function))?;
                ensure_eq!(
                    got.function() & !ffa::SMC64,
                    way,
                    "the way back from {}",
                    ffa::name(function)
                );
                round += 1;
            }
        }
        Ok(())
    })
}

fn secure_interrupt() -> Outcome {
    filled(|core| {
        for round in 0..12 {
            let flag = flag::lower(core);
            fill(core, round);
            let got = smc::call(request(ARM, flag));
            let held = flag::wait_holding(core);
            whole(core, round, "a secure interrupt")?;
            ensure_eq!(got.function(), RESP, "answer of the SPMC");
            ensure!(
                held.is_ok(),
                "a general register changed in a secure interrupt"
            );
        }
        Ok(())
    })
}

/// An interrupt of the normal world interrupts a call (FFA_INTERRUPT), and FFA_RUN continues it.
fn preempted() -> Outcome {
    filled(|core| {
        gic::enable(core, SGI);
        let outcome = (0..6).try_for_each(|round| preempt(core, round));
        // Needed if a round has failed half-way.
        gic::set_pending(core, SGI, false);
        gic::disable(core, SGI);
        outcome
    })
}

fn preempt(core: usize, round: u64) -> Outcome {
    fill(core, round);
    gic::send_sgi(core, SGI);
    let got = smc::call(request(PREEMPT, 0));
    whole(core, round, "a call that was preempted")?;
    ensure_eq!(
        got.function(),
        ffa::INTERRUPT,
        "answer to a call with an interrupt pending"
    );
    let taken = gic::acknowledge();
    gic::end(taken);
    ensure_eq!(taken, SGI, "the interrupt");
    // Checking FFR changes P0, so all is filled anew.
    fill(core, round + 6);
    let got = ffa::call(ffa::RUN, &[TARGET]);
    whole(core, round + 6, "FFA_RUN")?;
    ensure_eq!(got.function(), RESP, "answer when the call goes on");
    Ok(())
}

/// Standby keeps all registers.
fn standby() -> Outcome {
    filled(|core| {
        gic::enable(core, SGI);
        fill(core, 1);
        gic::send_sgi(core, SGI);
        let status = psci::call(
            psci::PSCI_CPU_SUSPEND_64,
            &[u64::from(machine::HERE.standby), 0, 0],
        );
        let outcome = whole(core, 1, "a standby");
        let taken = gic::acknowledge();
        gic::end(taken);
        gic::disable(core, SGI);
        ensure_eq!(status, psci::error::SUCCESS, "CPU_SUSPEND to standby");
        ensure_eq!(taken, SGI, "the interrupt that ended the standby");
        outcome
    })
}

/// Fills the registers of a core that is about to go off.
fn leave_full(core: usize) -> Outcome {
    crate::daif!(set "0xf");
    v::open(0xf);
    bank::probe(false);
    fill(core, 2);
    Ok(())
}

/// After CPU_OFF and CPU_ON, the core starts with no values of either world, and its SPMC starts anew. The core that
/// turns it on keeps its registers.
fn off_on() -> Outcome {
    for core in cores::others() {
        cores::on(core, leave_full)?;
        crate::daif!(set "0xf");
        v::open(0xf);
        bank::probe(false);
        let me = cpu::number();
        fill(me, 3);
        let outcome = cores::turn_off(core).and_then(|()| cores::turn_on(core));
        let kept = whole(me, 3, "CPU_ON of another core");
        bank::restore();
        crate::daif!(clear "0x7");
        outcome.and(kept)?;
        cores::on(core, fresh)?;
        cores::on(core, |_| {
            answered(ffa::call(REQ, &[ffa::route(0, ffa::SPMC)]))
        })?;
    }
    Ok(())
}

/// After a power-down suspend, the normal world starts anew, and the partition finds its registers. (The SPMC checks
/// that at the warm boot message, and at the next request.)
fn suspend() -> Outcome {
    ensure!(power_down_state() != 0, "no power-down state");
    for core in cores::others() {
        for _ in 0..3 {
            cores::on(core, leave_full)?;
            suspend_and_wake(core)?;
            cores::on(core, fresh)?;
            cores::on(core, |_| {
                answered(ffa::call(REQ, &[ffa::route(0, ffa::SPMC)]))
            })?;
        }
    }
    Ok(())
}

fn answered(got: Regs) -> Outcome {
    ensure_eq!(got.function(), RESP, "answer of the SPMC");
    Ok(())
}

fn secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    match (message.function(), message.x(3)) {
        (ffa::INTERRUPT, _) => {
            spmc::interrupt(s);
            let flag = TOLD[s.core].swap(0, SeqCst);
            if flag != 0 {
                flag::raise_at(flag);
            }
            Some(ffa::request(ffa::NORMAL_WORLD_RESUME, &[]))
        }
        (REQ, ARM) => {
            TOLD[s.core].store(message.x(4), SeqCst);
            timer::start_secure(300);
            Some(ffa::response(message, &[]))
        }
        (REQ, PREEMPT) => {
            WAITING[s.core].store(message.x(1), SeqCst);
            // An interrupt of the other world is an FIQ here.
            let seen = timer::wait_until(5, || gic::pending_lines() & (1 << 6) != 0);
            s.expect(seen, "the normal world's interrupt is not pending");
            Some(ffa::request(ffa::INTERRUPT, &[TARGET]))
        }
        (ffa::RUN, _) if WAITING[s.core].load(SeqCst) != 0 => {
            let to = WAITING[s.core].swap(0, SeqCst);
            Some(ffa::response(&ffa::request(REQ, &[to]), &[]))
        }
        (_, ANSWER) => {
            let way = message.w(4);
            Some(
                if way == ffa::DIRECT_RESP && message.function() & !ffa::SMC64 == ffa::DIRECT_REQ {
                    ffa::response(message, &[])
                } else if way == ffa::DIRECT_RESP {
                    ffa::request(
                        way | message.function() & ffa::SMC64,
                        &[ffa::route(ffa::SPMC, 0)],
                    )
                } else {
                    ffa::request(way, &[0, u64::from(ffa::RETRY as u32)])
                },
            )
        }
        _ => None,
    }
}

/// The address of the flag to raise after the secure interrupt, per core; 0: none.
static TOLD: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];
/// w1 of the call that was preempted, per core.
static WAITING: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];
