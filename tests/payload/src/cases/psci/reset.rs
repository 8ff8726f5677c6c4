//! SYSTEM_RESET and SYSTEM_RESET2: the machine starts anew, through BL1 and BL2.
//!
//! They run only in boots made for them (`filter=reset/`), on a machine whose memory outlives a
//! reset: how far a case has come is written there.

use crate::ensure;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::{cores, psci};

pub const CASES: &[Case] = &[Case::new("reset/system-reset", system_reset).needs(Needs::NO_FFA)];

/// Where the progress is kept: memory of the normal world that nothing is loaded to.
const PROGRESS: *mut u64 = 0x4900_0000 as *mut u64;
/// The first reset has been asked for.
const RESET: u64 = 0x7265_7365_7400_0001;
/// The second one has.
const RESET2: u64 = 0x7265_7365_7400_0002;

/// SYSTEM_RESET with all cores on, then SYSTEM_RESET2 (architectural warm reset), from a core that is
/// not the boot core where there is one.
fn system_reset() -> Outcome {
    // SAFETY: mapped, aligned, and nobody else's.
    let progress = unsafe { PROGRESS.read_volatile() };
    match progress {
        RESET => reset(RESET2, || psci::call(psci::PSCI_SYSTEM_RESET2_64, &[0, 0])),
        RESET2 => {
            keep(0);
            Ok(())
        }
        _ => reset(RESET, || psci::call(psci::PSCI_SYSTEM_RESET, &[])),
    }
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
