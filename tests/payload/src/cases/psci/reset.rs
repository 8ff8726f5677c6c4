//! SYSTEM_RESET and SYSTEM_RESET2: the machine starts anew, through BL1 and BL2.
//!
//! They run only in boots made for them (`filter=reset/`), on a machine whose memory outlives a
//! reset: how far a case has come is written there.

use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{config, cores, ffa, psci};
use crate::{ensure, ensure_eq, machine};

pub const CASES: &[Case] = &[Case::new("reset/system-reset", system_reset)
    .secure(note_message)
    .needs(Needs::NO_FFA)];

/// SMCCC's hint that the caller has no live SVE state: no part of a function ID.
const SVE_HINT: u32 = 1 << 16;

/// Where the progress is kept: memory of the normal world that nothing is loaded to.
const PROGRESS: *mut u64 = machine::HERE.scratch as *mut u64;
/// Where the SPMC keeps w3 of the last power message, which it gets during a case.
const MESSAGE: *mut u64 = (machine::HERE.scratch + 8) as *mut u64;
/// The first reset has been asked for.
const RESET: u64 = 0x7265_7365_7400_0001;
/// The second one has.
const RESET2: u64 = 0x7265_7365_7400_0002;

/// SYSTEM_RESET with all cores on, then SYSTEM_RESET2 (architectural warm reset), from a core that is
/// not the boot core where there is one. The SPMC hears of each by its function ID, though the call
/// carries the SVE hint.
fn system_reset() -> Outcome {
    // SAFETY: mapped, aligned, and nobody else's.
    let progress = unsafe { PROGRESS.read_volatile() };
    match progress {
        RESET => {
            announced(psci::PSCI_SYSTEM_RESET)?;
            reset(RESET2, || {
                psci::call(psci::PSCI_SYSTEM_RESET2_64 | SVE_HINT, &[0, 0])
            })
        }
        RESET2 => {
            keep(0);
            announced(psci::PSCI_SYSTEM_RESET2_64)
        }
        _ => reset(RESET, || {
            psci::call(psci::PSCI_SYSTEM_RESET | SVE_HINT, &[])
        }),
    }
}

/// The SPMC's last power message was about `function`.
fn announced(function: u32) -> Outcome {
    if config::is_janus() {
        // SAFETY: mapped, aligned, and the SPMC has written it before the reset.
        let message = unsafe { MESSAGE.read_volatile() };
        ensure_eq!(
            message,
            u64::from(function),
            "w3 of the SPMC's power message"
        );
    }
    Ok(())
}

fn note_message(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !ffa::SMC64 == ffa::DIRECT_REQ && message.x(2) & ffa::FRAMEWORK != 0 {
        // SAFETY: the SPMC maps the normal world's memory, and nobody else uses this word.
        unsafe { MESSAGE.write_volatile(message.x(3)) };
    }
    None
}

fn keep(progress: u64) {
    // SAFETY: as above.
    unsafe { PROGRESS.write_volatile(progress) };
}

/// Notes `progress` and calls; the case goes on after the next boot.
fn reset(progress: u64, call: fn() -> i32) -> Outcome {
    keep(progress);
    let caller = cores::others().last().unwrap_or(cores::boot_core());
    cores::on(caller, |_| {
        let status = call();
        ensure!(false, "the reset came back with {status}");
        Ok(())
    })
}
