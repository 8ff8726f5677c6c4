//! Cases about power messages from the SPMD to the SPMC, and the effects of its answers.

use crate::arch::timer;
use crate::framework::case::{Case, Needs, Outcome, Why};
use crate::framework::ffa::{FRAMEWORK, message as number};
use crate::framework::psci;
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::text::Text;
use crate::framework::{config, cores, ffa};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("ffa/power-off-message", off_and_on)
        .secure(power_off_secure)
        .needs(Needs::CORES),
    Case::new("ffa/power-off-refused", refused)
        .secure(refused_secure)
        .needs(Needs::CORES.union(Needs::JANUS)),
    Case::new("ffa/power-off-beside-lines", beside_lines)
        .secure(beside_lines_secure)
        .needs(Needs::CORES.union(Needs::JANUS)),
    Case::new("ffa/power-off-error", off_and_on)
        .secure(error_secure)
        .needs(Needs::CORES),
];

/// The messages that the SPMC has counted in this case.
static MESSAGES: AtomicU64 = AtomicU64::new(0);

/// The value that asks the SPMC for its count, and resets it.
const COUNT: u64 = 0xc0;

/// Each core goes off and on. The SPMC gets a message for each, and FF-A works again afterwards.
fn off_and_on() -> Outcome {
    for core in cores::others() {
        let before = count()?;
        cores::turn_off(core)?;
        ensure_eq!(
            count()?,
            before + 1,
            "power messages for the CPU_OFF of core {core}"
        );
        cores::turn_on(core)?;
        cores::on(core, |_| count().map(|_| ()))?;
    }
    Ok(())
}

fn count() -> Result<u64, crate::framework::case::Why> {
    let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, COUNT]);
    ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP,
        "answer to a direct request"
    );
    Ok(got.x(3))
}

/// Checks a power message against the contract and returns the answer, or None if it is another message.
fn power_message(s: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        ffa::DIRECT_REQ if message.x(2) & FRAMEWORK == 0 => {
            Some(ffa::response(message, &[MESSAGES.load(SeqCst)]))
        }
        ffa::DIRECT_REQ => {
            MESSAGES.fetch_add(1, SeqCst);
            s.expect_eq(
                message.x(1),
                ffa::route(ffa::SPMD, ffa::SPMC),
                "w1 of the power message",
            );
            s.expect_eq(
                message.x(2),
                FRAMEWORK | number::POWER,
                "w2 of the power message",
            );
            s.expect_eq(
                message.x(3),
                u64::from(psci::PSCI_CPU_OFF),
                "w3 of the power message",
            );
            // A 32-bit call includes w4-w7, which are zero here, but not x8-x17.
            for n in 4..8 {
                s.expect_eq(message.x(n), 0, "w4-w7 of the power message");
            }
            None
        }
        _ => None,
    }
}

fn power_off_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    power_message(s, message)
}

/// If the SPMC refuses, CPU_OFF returns DENIED, and everything goes on.
fn refused() -> Outcome {
    for core in cores::others() {
        for _ in 0..3 {
            match cores::try_turn_off(core)? {
                Some(status) => ensure_eq!(
                    status,
                    psci::error::DENIED,
                    "CPU_OFF, which the SPMC refuses"
                ),
                None => crate::fail!("core {core} went off though the SPMC refused"),
            }
            ensure_eq!(
                psci::affinity_info(core),
                0,
                "AFFINITY_INFO of a core that did not go off"
            );
            cores::on(core, |_| count().map(|_| ()))?;
        }
    }
    Ok(())
}

fn refused_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    let answer = power_message(s, message);
    if answer.is_none() && message.function() == ffa::DIRECT_REQ {
        return Some(ffa::framework_response(
            message,
            number::POWER_RESPONSE,
            psci::error::DENIED,
        ));
    }
    answer
}

/// The number of refused CPU_OFFs in [`beside_lines`].
const REFUSED: u64 = 20;
/// The most lines of each other core during one of them, on average. Behind a fair lock it waits for one or two of each;
/// the rest is for a host that runs something else meanwhile.
const LINES: u64 = 10;

/// EL3 prints a line about each refused CPU_OFF. The core does not wait until cores that print all the time pause.
fn beside_lines() -> Outcome {
    let printing = AtomicBool::new(true);
    let (printed, during) = (AtomicU64::new(0), AtomicU64::new(0));
    let longest = AtomicU64::new(0);
    cores::on_each(|core| {
        let mut result = Ok(());
        if core == cores::boot_core() {
            for _ in 0..REFUSED {
                // In the middle of the others' printing.
                let start = printed.load(SeqCst);
                timer::wait_until(1, || printed.load(SeqCst) > start);
                let before = printed.load(SeqCst);
                let start = timer::now();
                let status = psci::call(psci::PSCI_CPU_OFF, &[]);
                longest.fetch_max(timer::now() - start, SeqCst);
                during.fetch_add(printed.load(SeqCst) - before, SeqCst);
                if status != psci::error::DENIED {
                    result = Err(Why::Failed(Text::of(format_args!("CPU_OFF: {status}"))));
                }
            }
            printing.store(false, SeqCst);
        }
        while core != cores::boot_core() && printing.load(SeqCst) {
            // The SPMC prints one line.
            ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
            printed.fetch_add(1, SeqCst);
        }
        result
    })?;
    let average = during.load(SeqCst) / REFUSED;
    crate::println!(
        "a refused CPU_OFF beside {} cores that print: {average} lines of theirs on average, {} us at most",
        cores::count() - 1,
        longest.load(SeqCst) / timer::ticks(1).max(1)
    );
    ensure!(
        average < LINES * (cores::count() as u64 - 1),
        "{average} lines of other cores during one refused CPU_OFF"
    );
    Ok(())
}

fn beside_lines_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ && message.x(2) & FRAMEWORK == 0 {
        let line = u64::from_le_bytes(*b"a line.\n");
        ffa::call(ffa::CONSOLE_LOG | ffa::SMC64, &[8, line]);
        return None;
    }
    refused_secure(s, message)
}

/// FFA_ERROR as the answer is taken as consent: the SPMC does not know the message.
fn error_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    let answer = power_message(s, message);
    if answer.is_none() && message.function() == ffa::DIRECT_REQ {
        let code = if config::is_janus() {
            -77
        } else {
            ffa::NOT_SUPPORTED
        };
        return Some(ffa::error(code));
    }
    answer
}
