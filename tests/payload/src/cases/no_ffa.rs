//! Cases for boots without a usable SPMC: there is no image, the manifest is invalid, or the SPMC fails. The normal
//! world has all its cores and PSCI, and no FF-A.
//!
//! They run only in boots that are made for them (`filter=noffa/`).

use super::psci::suspend;
use crate::arch::smc;
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::{cores, ffa};

pub const CASES: &[Case] = &[
    Case::new("noffa/not-supported", not_supported).needs(Needs::NO_FFA),
    Case::new("noffa/off-on", off_on).needs(Needs::NO_FFA.union(Needs::CORES)),
    Case::new("noffa/interrupts", suspend::standby).needs(Needs::NO_FFA),
];

/// Every FF-A function is NOT_SUPPORTED on every core. FFA_VERSION says so in w0 alone, the others by FFA_ERROR.
fn not_supported() -> Outcome {
    cores::on_each(|core| {
        for number in 0x60..0xf0 {
            for id in [0x8400_0000 | number, 0xc400_0000 | number] {
                let sent = Regs::filled(id, core, 9);
                let got = smc::call(sent);
                let error =
                    got.0[..8] == ffa::error(ffa::NOT_SUPPORTED).0[..8] && id != ffa::VERSION;
                if !error {
                    ensure_eq!(
                        got.function(),
                        ffa::NOT_SUPPORTED as u32,
                        "w0 of {} ({id:#x})",
                        ffa::name(id)
                    );
                }
                for n in 8..18 {
                    ensure_eq!(
                        got.x(n),
                        sent.x(n),
                        "x{n} after {} ({id:#x})",
                        ffa::name(id)
                    );
                }
            }
        }
        Ok(())
    })
}

/// Cores can be turned off and on.
fn off_on() -> Outcome {
    for core in cores::others() {
        cores::turn_off(core)?;
        cores::turn_on(core)?;
    }
    Ok(())
}
