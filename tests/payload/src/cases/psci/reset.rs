//! Cases about SYSTEM_RESET and SYSTEM_RESET2: the machine starts anew, through BL1 and BL2.
//!
//! They run only in boots that are made for them (`filter=reset/`), on a machine whose memory survives a
//! reset. The progress of a case is kept there.

use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{config, cores, ffa, psci};
use crate::{ensure, ensure_eq, machine};

pub const CASES: &[Case] = &[Case::new("reset/system-reset", system_reset)
    .secure(note_message)
    .needs(Needs::NO_FFA)];

/// SMCCC's hint that the caller has no live SVE state. It is not part of the function's number.
const SVE_HINT: u32 = 1 << 16;

/// The address of the progress, in memory of the normal world to which nothing is loaded.
const PROGRESS: *mut u64 = machine::HERE.scratch as *mut u64;
/// The address at which the SPMC keeps w3 of the last power message that it got during a case.
const MESSAGE: *mut u64 = (machine::HERE.scratch + 8) as *mut u64;
/// The progress after the first reset was requested.
const RESET: u64 = 0x7265_7365_7400_0001;
/// The progress after the second reset was requested.
const RESET2: u64 = 0x7265_7365_7400_0002;

/// SYSTEM_RESET is called with all cores on, then SYSTEM_RESET2 (architectural warm reset), by a core that is
/// not the boot core if there is one. The SPMC is told of each by its function ID, without the SVE hint that the
/// call has.
fn system_reset() -> Outcome {
    // SAFETY: the address is mapped and aligned, and has no other use.
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

/// Checks that the SPMC's last power message was about `function`.
fn announced(function: u32) -> Outcome {
    if config::is_janus() {
        // SAFETY: the address is mapped and aligned, and the SPMC has written it before the reset.
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
        // SAFETY: the SPMC maps the normal world's memory, and this word has no other use.
        unsafe { MESSAGE.write_volatile(message.x(3)) };
    }
    None
}

fn keep(progress: u64) {
    // SAFETY: the address is mapped and aligned, and has no other use.
    unsafe { PROGRESS.write_volatile(progress) };
}

/// Notes `progress` and makes the call. The case goes on after the next boot.
fn reset(progress: u64, call: fn() -> i32) -> Outcome {
    keep(progress);
    let caller = cores::others().last().unwrap_or(cores::boot_core());
    cores::on(caller, |_| {
        let status = call();
        ensure!(false, "the reset came back with {status}");
        Ok(())
    })
}
