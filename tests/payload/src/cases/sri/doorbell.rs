//! The doorbell: an SPMC that does not touch non-secure interrupts raises a
//! Group 0 SGI on the core it wants, and EL3 raises the schedule receiver
//! interrupt there.
//!
//! Needs a manifest with `janus,doorbell-sgi = <15>`, and says so in the
//! configuration with `spmc=doorbell`.

use super::{FEATURE, SRI};
use crate::arch::{gic, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, irq};
use crate::{ensure, ensure_eq};

pub const CASES: &[Case] = &[
    Case::new("sri/doorbell-features", features)
        .needs(Needs::JANUS)
        .in_boot("spmc", "doorbell"),
    Case::new("sri/doorbell", doorbell)
        .secure(doorbell_secure)
        .needs(Needs::JANUS)
        .in_boot("spmc", "doorbell"),
    Case::new("sri/doorbell-together", together)
        .secure(doorbell_secure)
        .needs(Needs::JANUS)
        .in_boot("spmc", "doorbell"),
    Case::new("sri/doorbell-core-off", core_off)
        .secure(doorbell_secure)
        .needs(Needs::JANUS.union(Needs::CORES))
        .in_boot("spmc", "doorbell"),
];

/// The doorbell's INTID, as in the manifest of this boot.
const DOORBELL: u32 = 15;

/// The SPMC says NOT_SUPPORTED (its default), so EL3 answers.
fn features() -> Outcome {
    cores::on_each(|_| {
        let got = ffa::call(ffa::FEATURES, &[FEATURE]);
        ensure_eq!(
            got.function(),
            ffa::SUCCESS,
            "FFA_FEATURES of the schedule receiver interrupt"
        );
        ensure_eq!(got.x(2), u64::from(SRI), "its ID");
        Ok(())
    })
}

/// Asks the SPMC of this core to ring on core `to`, `times` times.
fn ring(to: usize, times: u64) -> Outcome {
    let got = ffa::call(
        ffa::DIRECT_REQ,
        &[ffa::route(0, ffa::SPMC), 0, to as u64, times],
    );
    ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer of the SPMC");
    Ok(())
}

fn doorbell_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        for _ in 0..message.x(4) {
            gic::send_sgi_group0(message.x(3) as usize, DOORBELL);
        }
    }
    None
}

fn comes(core: usize, before: u32) -> Outcome {
    let came = timer::wait_until(5, || irq::count(core, SRI) > before);
    ensure!(
        came,
        "the doorbell of core {core} rang, and no interrupt came"
    );
    timer::delay(500);
    ensure_eq!(
        irq::count(core, SRI),
        before + 1,
        "interrupts taken on core {core}"
    );
    Ok(())
}

/// From every core to every core: it comes there, once.
fn doorbell() -> Outcome {
    irq::install(SRI, irq::count_only);
    for from in 0..cores::count() {
        for to in 0..cores::count() {
            let before = irq::count(to, SRI);
            cores::on(from, |_| ring(to, 1))?;
            comes(to, before)?;
        }
    }
    Ok(())
}

/// Several before the next entry into the normal world become one.
fn together() -> Outcome {
    irq::install(SRI, irq::count_only);
    cores::on_each(|core| {
        for _ in 0..10 {
            let before = irq::count(core, SRI);
            ring(core, 5)?;
            comes(core, before)?;
        }
        Ok(())
    })
}

/// For a core that is off it goes to the one that asked; nothing is lost for one that comes on.
fn core_off() -> Outcome {
    irq::install(SRI, irq::count_only);
    let me = cores::boot_core();
    for target in cores::others() {
        cores::turn_off(target)?;
        let all = || (0..cores::count()).map(|n| irq::count(n, SRI)).sum::<u32>();
        let before = all();
        ring(target, 1)?;
        let came = timer::wait_until(2, || all() > before);
        if !came {
            // Not lost either if it comes as soon as the core does.
            cores::turn_on(target)?;
            let came = timer::wait_until(5, || all() > before);
            ensure!(
                came,
                "a doorbell for core {target}, which was off, is lost (asked on core {me})"
            );
        } else {
            cores::turn_on(target)?;
        }
    }
    Ok(())
}
