//! Cases about the schedule receiver interrupt, an SGI that tells the normal world that notifications are pending.

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

/// Its INTID, unless the manifest has another.
pub const SRI: u32 = 8;

/// Its feature ID for FFA_FEATURES.
pub const FEATURE: u64 = 2;

/// The normal world can get the interrupt on every core, from the start and after the core was off: it is
/// visible in its view of the redistributor, enabled, and has a priority that is not masked.
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

/// The normal world neither sees SGIs 9 to 15 nor can send them.
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
        // None of them may come. There is no handler for them, so that one would fail the case.
        timer::delay(1_000);
        Ok(())
    })
}

/// The normal world gets the SPMC's answer to FFA_FEATURES(2).
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

/// Installs a handler that counts.
fn install_counter() {
    irq::install(SRI, irq::count_only);
}

/// The SPMC raises the interrupt (ICC_ASGI1R_EL1) on its own core and on every other. It comes there once.
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
