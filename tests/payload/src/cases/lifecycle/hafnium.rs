//! Cases with an SPMC like Hafnium: it keeps state in registers across its calls, a preempted vCPU goes on on any core
//! on which the normal world runs it, and an interrupt of the normal world gives that world its core back.

use crate::arch::{MAX_CORES, entry, gic, smc, timer};
use crate::cases::psci::suspend::suspend_and_wake;
use crate::framework::case::{Case, Needs, Outcome, Why};
use crate::framework::regs::Regs;
use crate::framework::spmc::{LEFT_OVER, Secure};
use crate::framework::{cores, ffa, irq};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("lifecycle/hafnium-boot-state", boot_state).secure(boot_state_secure),
    Case::new("lifecycle/hafnium-registers", registers).secure(registers_secure),
    Case::new("lifecycle/hafnium-migrating-vcpu", migrate).secure(migrate_secure),
    Case::new("lifecycle/hafnium-preempted", preempted).secure(preempted_secure),
    Case::new("lifecycle/hafnium-preempted-suspend", preempted_suspend)
        .secure(preempted_suspend_secure)
        .needs(Needs::CORES.union(Needs::JANUS)),
    Case::new("lifecycle/hafnium-managed-exit", managed_exit).secure(managed_exit_secure),
];

const REQ: u32 = ffa::DIRECT_REQ | ffa::SMC64;
const RESP: u32 = ffa::DIRECT_RESP | ffa::SMC64;

/// The SPMC ends its boot with the last partition's values in its registers. The boot succeeds all the same, the normal
/// world does not see these values, and the SPMC answers.
fn boot_state() -> Outcome {
    cores::on_each(|_| {
        for (number, value) in entry::my_boot_state().x.into_iter().enumerate() {
            ensure!(
                value & LEFT_OVER != LEFT_OVER,
                "x{number} at the normal world's start is {value:#x}, a partition's"
            );
        }
        let got = ffa::call(REQ, &[ffa::route(0, ffa::SPMC), 0, 7]);
        ensure_eq!(got.function(), RESP, "answer");
        ensure_eq!(got.x(3), 7, "w3 of the answer");
        Ok(())
    })
}

fn boot_state_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    (message.function() == REQ).then(|| ffa::response(message, &[message.x(3)]))
}

/// The SPMC keeps the sum of a chain of messages in x19 across its calls.
fn registers() -> Outcome {
    cores::on_each(|core| {
        let mut sum = 0u64;
        for i in 0..50 {
            let value = (core as u64 + 1) << 32 | i * i;
            sum = sum.wrapping_add(value);
            let got = ffa::call(REQ, &[ffa::route(0, ffa::SPMC), 0, value]);
            ensure_eq!(got.function(), RESP, "answer");
            ensure_eq!(got.x(3), sum, "the sum that the SPMC keeps in x19");
        }
        // The last message: the SPMC resets its sum.
        let got = ffa::call(REQ, &[ffa::route(0, ffa::SPMC), 0, u64::MAX]);
        ensure_eq!(got.function(), RESP, "answer to the last message");
        Ok(())
    })
}

fn registers_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != REQ {
        return None;
    }
    // Hafnium's loop for the other world keeps its state in callee-saved registers.
    let mut all = [0u64; 31];
    all[19] = message.x(3);
    let mut answer = ffa::response(message, &[all[19]]);
    loop {
        all[..18].copy_from_slice(&answer.0);
        smc::call_all(&mut all);
        let mut next = Regs::default();
        next.0.copy_from_slice(&all[..18]);
        if next.function() != REQ || next.x(3) == u64::MAX {
            return crate::framework::spmc::other(&next);
        }
        all[19] = all[19].wrapping_add(next.x(3));
        answer = ffa::response(&next, &[all[19]]);
    }
}

/// The progress of the partition's vCPU, saved by the SPMC when it is preempted.
static VCPU: AtomicU64 = AtomicU64::new(0);
/// The vCPU as FFA_INTERRUPT and FFA_RUN name it.
const TARGET: u64 = 0x8003_0000;
const STEPS: u64 = 12;

/// A request is begun on one core and preempted at each step. Each step is run on the next core. The answer comes on
/// the core of the last step.
fn migrate() -> Outcome {
    let done = AtomicU64::new(0);
    for step in 0..=STEPS {
        cores::on(step as usize % cores::count(), |_| {
            let got = if step == 0 {
                ffa::call(REQ, &[ffa::route(0, 0x8003), 0, 1000])
            } else {
                ffa::call(ffa::RUN, &[TARGET])
            };
            if step < STEPS {
                ensure_eq!(got.function(), ffa::INTERRUPT, "step {step}");
                ensure_eq!(got.x(1), TARGET, "w1 of FFA_INTERRUPT");
            } else {
                ensure_eq!(got.function(), RESP, "the last step");
                ensure_eq!(got.x(1), ffa::route(0x8003, 0), "w1 of the response");
                done.store(got.x(3), SeqCst);
            }
            Ok(())
        })?;
    }
    ensure_eq!(done.load(SeqCst), 1000 + STEPS, "what the vCPU counted");
    Ok(())
}

fn migrate_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        REQ => VCPU.store(message.x(3), SeqCst),
        ffa::RUN => drop(VCPU.fetch_add(1, SeqCst)),
        _ => return None,
    }
    let counted = VCPU.load(SeqCst);
    Some(if counted < 1000 + STEPS {
        ffa::request(ffa::INTERRUPT, &[TARGET])
    } else {
        ffa::request(RESP, &[ffa::route(0x8003, 0), 0, counted])
    })
}

static TIMER: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];

/// An interrupt of the normal world comes while the secure world works. The SPMC sees it, without EL3, and gives the
/// core back. The handler runs, and FFA_RUN continues the work.
fn preempted() -> Outcome {
    interrupted(|round, handled| {
        let mut got = ffa::call(REQ, &[ffa::route(0, ffa::SPMC), 0, round]);
        let preempted = got.function() == ffa::INTERRUPT;
        if preempted {
            handled()?;
            got = ffa::call(ffa::RUN, &[TARGET]);
        }
        ensure_eq!(got.function(), RESP, "answer in round {round}");
        ensure_eq!(got.x(3), round, "what the SPMC was asked");
        Ok(preempted)
    })
}

/// Runs ten rounds on each core. In each, the hypervisor's timer is about to interrupt the secure
/// world. `call(round, handled)` makes a call and returns whether it was interrupted. If so, it
/// calls `handled`, which checks that the handler has run. If the interrupt comes before the call,
/// the round is repeated.
fn interrupted(call: impl Fn(u64, &dyn Fn() -> Outcome) -> Result<bool, Why> + Sync) -> Outcome {
    irq::install(timer::EL2_INTID, |core, _| {
        timer::stop_el2();
        TIMER[core].fetch_add(1, SeqCst);
    });
    cores::on_each(|core| {
        gic::enable(core, timer::EL2_INTID);
        let mut interrupted = 0;
        for round in 0..10 {
            let before = TIMER[core].load(SeqCst);
            let handled = || {
                timer::wait_until(5, || TIMER[core].load(SeqCst) > before);
                ensure_eq!(
                    TIMER[core].load(SeqCst),
                    before + 1,
                    "timer interrupts taken after round {round}"
                );
                Ok(())
            };
            timer::start_el2(5_000);
            interrupted += u32::from(call(round, &handled)?);
        }
        gic::disable(core, timer::EL2_INTID);
        ensure!(
            interrupted > 0,
            "the secure world never saw an interrupt of the normal world"
        );
        Ok(())
    })
}

fn preempted_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != REQ {
        return None;
    }
    // An interrupt of the other world is an FIQ here.
    let seen = timer::wait_until(5, || gic::pending_lines() & (1 << 6) != 0);
    if seen {
        let next = smc::call(ffa::request(ffa::INTERRUPT, &[TARGET]));
        s.expect_eq(
            u64::from(next.function()),
            u64::from(ffa::RUN),
            "the SPMC's next message after FFA_INTERRUPT",
        );
        s.expect_eq(
            gic::pending_lines() & (1 << 6),
            0,
            "the normal world's interrupt after it had the core",
        );
    }
    Some(ffa::response(message, &[message.x(3)]))
}

/// A call is preempted, and the core sleeps before it continues the call: in standby and in power-down states, several
/// times.
fn preempted_suspend() -> Outcome {
    for core in cores::others() {
        for round in 0..3 {
            cores::on(core, |_| {
                let got = ffa::call(REQ, &[ffa::route(0, 0x8003), 0, 500 + round]);
                ensure_eq!(got.function(), ffa::INTERRUPT, "answer that is preempted");
                ensure_eq!(got.x(1), TARGET, "w1 of FFA_INTERRUPT");
                Ok(())
            })?;
            suspend_and_wake(core)?;
            cores::on(core, |_| {
                let got = ffa::call(ffa::RUN, &[TARGET]);
                ensure_eq!(got.function(), RESP, "answer to FFA_RUN after a suspend");
                ensure_eq!(got.x(1), ffa::route(0x8003, 0), "w1 of the response");
                ensure_eq!(got.x(3), 501 + round, "what the vCPU counted");
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn preempted_suspend_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        REQ if message.x(2) == 0 => {
            VCPU.store(message.x(3), SeqCst);
            Some(ffa::request(ffa::INTERRUPT, &[TARGET]))
        }
        ffa::RUN => {
            let counted = VCPU.fetch_add(1, SeqCst) + 1;
            Some(ffa::request(RESP, &[ffa::route(0x8003, 0), 0, counted]))
        }
        _ => None,
    }
}

/// The ID of the partition with managed exit.
const MANAGED: u64 = 0x8004;
/// The value in w3 of its response that says that it has stopped half-way, and has kept its state itself.
const STOPPED: u64 = 1;

/// A partition with managed exit is told of the normal world's interrupt. It interrupts its work and
/// answers at once. The handler runs, and a second request continues the work.
fn managed_exit() -> Outcome {
    interrupted(|round, handled| {
        let to = ffa::route(0, MANAGED);
        let mut got = ffa::call(REQ, &[to, 0, round]);
        ensure_eq!(got.function(), RESP, "answer in round {round}");
        let stopped = got.x(4) == STOPPED;
        if stopped {
            handled()?;
            got = ffa::call(REQ, &[to, 0, round]);
            ensure_eq!(
                got.function(),
                RESP,
                "answer to the resumption in round {round}"
            );
            ensure_eq!(got.x(4), 0, "w4 of the response, after the resumption");
        }
        ensure_eq!(got.x(1), ffa::route(MANAGED, 0), "w1 of the response");
        ensure_eq!(got.x(3), round, "what the partition was asked");
        Ok(stopped)
    })
}

/// Whether the partition has stopped half-way, per core.
static HALF_WAY: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];

fn managed_exit_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != REQ {
        return None;
    }
    let half_way = &HALF_WAY[crate::arch::cpu::number()];
    let goes_on = half_way.swap(0, SeqCst) != 0;
    let told = !goes_on && timer::wait_until(5, || gic::pending_lines() & (1 << 6) != 0);
    half_way.store(told.into(), SeqCst);
    let state = if told { STOPPED } else { 0 };
    Some(ffa::response(message, &[message.x(3), state]))
}
