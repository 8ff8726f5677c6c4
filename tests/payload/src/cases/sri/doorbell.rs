//! Cases about the doorbell: an SPMC that does not use Non-secure interrupts sends a Group 0 SGI to a core, and EL3
//! raises the schedule receiver interrupt there.
//!
//! They run in boots with `janus,doorbell-sgi = <15>` in the manifest, whose configuration has `spmc=doorbell`.

use super::{FEATURE, SRI};
use crate::arch::{gic, timer};
use crate::cases::psci::suspend::power_down_state;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, irq};
use crate::{ensure, ensure_eq, skip};

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
    Case::new("sri/doorbell-turning-off", turning_off)
        .secure(doorbell_secure)
        .needs(Needs::JANUS.union(Needs::CORES))
        .in_boot("spmc", "doorbell"),
    Case::new("sri/doorbell-suspend", suspend_rung)
        .secure(suspend_rung_secure)
        .needs(Needs::JANUS.union(Needs::CORES))
        .in_boot("spmc", "doorbell"),
    Case::new("sri/doorbell-suspend-asked", suspend_rung)
        .secure(suspend_asked_secure)
        .needs(Needs::JANUS.union(Needs::CORES))
        .in_boot("spmc", "doorbell"),
];

/// The doorbell's INTID, which is in the manifest of this boot.
const DOORBELL: u32 = 15;

/// EL3 answers FFA_FEATURES(2), because the SPMC's answer is NOT_SUPPORTED.
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

/// A doorbell from any core at any core raises one interrupt there.
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

/// Several doorbells before the next entry into the normal world become one interrupt.
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

/// Returns the number of interrupts on all cores.
fn all() -> u32 {
    (0..cores::count()).map(|n| irq::count(n, SRI)).sum()
}

/// A doorbell at a core that is off raises the interrupt on the core whose SPMC rang.
fn core_off() -> Outcome {
    irq::install(SRI, irq::count_only);
    for target in cores::others() {
        cores::turn_off(target)?;
        for asker in (0..cores::count()).filter(|&n| cores::is_on(n)) {
            let (before, everywhere) = (irq::count(asker, SRI), all());
            cores::on(asker, |_| ring(target, 3))?;
            comes(asker, before)?;
            ensure_eq!(all(), everywhere + 1, "interrupts on all cores");
        }
        cores::turn_on(target)?;
    }
    // No interrupt is left over for the cores that come on again.
    let before = all();
    cores::on_each(|core| ring(core, 0))?;
    ensure_eq!(all(), before, "interrupts with nobody ringing");
    Ok(())
}

/// A core turns off while another one rings there. One of the cores gets the interrupt.
fn turning_off() -> Outcome {
    irq::install(SRI, irq::count_only);
    let Some(asker) = cores::others().nth(1) else {
        skip!("needs three cores");
    };
    let target = cores::another();
    for round in 0..50 {
        let before = all();
        cores::beside(
            asker,
            |_| {
                timer::delay(round * 7 % 40);
                ring(target, 1)
            },
            || cores::turn_off(target),
        )?;
        let came = timer::wait_until(5, || all() > before);
        ensure!(
            came,
            "round {round}: the doorbell rang, and no interrupt came anywhere"
        );
        cores::turn_on(target)?;
    }
    Ok(())
}

/// The SPMC rings at its own core while it handles the power message of a suspend. The interrupt ends
/// the suspend, which nothing else would end.
fn suspend_rung() -> Outcome {
    irq::install(SRI, irq::count_only);
    for core in cores::others() {
        let before = irq::count(core, SRI);
        let back = cores::suspend(core, power_down_state(), |_| {})?;
        ensure_eq!(
            back,
            cores::CONTEXT | core as u64,
            "x0 of core {core} after its suspend"
        );
        comes(core, before)?;
    }
    Ok(())
}

fn is_power_message(message: &Regs) -> bool {
    let power = ffa::FRAMEWORK | ffa::message::POWER;
    message.function() & !ffa::SMC64 == ffa::DIRECT_REQ && message.x(2) == power
}

fn suspend_rung_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if is_power_message(message) {
        gic::send_sgi_group0(s.core, DOORBELL);
    }
    None
}

/// The SPMC rings at its own core while it handles the power message of a suspend, and has EL3 handle the
/// doorbell before it answers.
fn suspend_asked_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if is_power_message(message) {
        gic::send_sgi_group0(s.core, DOORBELL);
        timer::wait_until(1, || gic::pending_lines() != 0);
        let got = ffa::call(ffa::EL3_INTR_HANDLE, &[]);
        s.expect_eq(got.x(0), ffa::SUCCESS.into(), "FFA_EL3_INTR_HANDLE");
    }
    None
}
