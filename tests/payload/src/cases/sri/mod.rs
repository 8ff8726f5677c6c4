//! The schedule receiver interrupt: an SGI of the normal world that tells it
//! that notifications are pending.

use crate::arch::{gic, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, irq};
use crate::{ensure, ensure_eq};

pub mod doorbell;
pub mod notifications;

pub const CASES: &[Case] = &[
    Case::new("sri/ready", ready).needs(Needs::JANUS.union(Needs::NO_FFA)),
    Case::new("sri/secure-sgis", secure_sgis).needs(Needs::NO_FFA),
    Case::new("sri/features", features).secure(features_secure),
    Case::new("sri/raise", raise)
        .secure(raise_secure)
        .needs(Needs::JANUS),
];

/// The INTID, unless the manifest has another.
pub const SRI: u32 = 8;

/// FFA_FEATURES's feature ID of it.
pub const FEATURE: u64 = 2;

/// The interrupt is there for the normal world on every core, from the start and after off and on:
/// visible in its view of the redistributor, enabled, at a priority that passes.
fn ready() -> Outcome {
    let check = |core: usize, when: &str| {
        ensure!(
            gic::is_enabled(core, SRI),
            "SGI {SRI} of core {core} is not enabled {when}"
        );
        let priority = gic::priority(core, SRI);
        ensure!(
            priority < 0xf0,
            "SGI {SRI} of core {core} has priority {priority:#x} {when}"
        );
        Ok(())
    };
    for core in 0..cores::count() {
        check(core, "at boot")?;
    }
    for core in cores::others() {
        gic::disable(core, SRI);
        cores::turn_off(core)?;
        cores::turn_on(core)?;
        check(core, "after CPU_ON")?;
    }
    Ok(())
}

/// SGIs 9 to 15 are not the normal world's: it sees nothing of them, and cannot send them.
fn secure_sgis() -> Outcome {
    cores::on_each(|core| {
        for intid in 9..16 {
            gic::enable(core, intid);
            ensure!(
                !gic::is_enabled(core, intid),
                "the normal world can enable SGI {intid}"
            );
            gic::send_sgi(core, intid);
        }
        // None of them may come: there is no handler.
        timer::delay(1_000);
        Ok(())
    })
}

/// What the SPMC answers to FFA_FEATURES(2) is what the normal world sees.
fn features() -> Outcome {
    cores::on_each(|_| {
        let got = ffa::call(ffa::FEATURES, &[FEATURE]);
        ensure_eq!(
            got.function(),
            ffa::SUCCESS,
            "FFA_FEATURES of the schedule receiver interrupt"
        );
        ensure_eq!(got.x(2), 13, "its ID as the SPMC of this case gave it");
        Ok(())
    })
}

fn features_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    let asked = message.function() == ffa::FEATURES && message.x(1) == FEATURE;
    asked.then(|| ffa::request(ffa::SUCCESS, &[0, 13]))
}

/// Installs a handler that counts, and makes sure that the interrupt can come.
fn install_counter() {
    irq::install(SRI, irq::count_only);
}

/// The SPMC raises it (ICC_ASGI1R_EL1) on its own core and on every other: it comes there, once.
fn raise() -> Outcome {
    install_counter();
    for from in 0..cores::count() {
        for to in 0..cores::count() {
            let before = irq::count(to, SRI);
            cores::on(from, |_| {
                let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, to as u64]);
                ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer of the SPMC");
                Ok(())
            })?;
            let came = timer::wait_until(5, || irq::count(to, SRI) == before + 1);
            ensure!(
                came,
                "the SPMC of core {from} raised it on core {to}: taken {} times",
                irq::count(to, SRI) - before
            );
        }
    }
    Ok(())
}

fn raise_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        gic::send_sgi_other_world(message.x(3) as usize, SRI);
    }
    None
}
