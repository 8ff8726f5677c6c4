//! Cases about interrupt state that a world leaves on a core: it has no effect after the core was off, while it sleeps,
//! or while it is parked.

use super::suspend::suspend_and_wake;
use crate::arch::{gic, timer};
use crate::framework::case::{Case, Needs, Outcome, Why};
use crate::framework::ffa::{FRAMEWORK, message as number};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, irq, psci};
use crate::{ensure, ensure_eq, mrs, msr};

const JANUS_CORES: Needs = Needs::JANUS.union(Needs::CORES);

pub const CASES: &[Case] = &[
    Case::new("psci/off-while-active", off_while_active)
        .secure(active_secure)
        .needs(JANUS_CORES),
    Case::new("psci/off-timer-pending", off_timer_pending)
        .secure(timer_pending_secure)
        .needs(JANUS_CORES),
    Case::new("psci/off-while-active-group0", off_while_active_group0)
        .secure(active_secure)
        .needs(JANUS_CORES),
    Case::new("psci/off-while-active-normal", off_while_active_normal)
        .needs(JANUS_CORES.union(Needs::NO_FFA)),
    Case::new(
        "psci/suspend-while-active-normal",
        suspend_while_active_normal,
    )
    .needs(JANUS_CORES.union(Needs::NO_FFA)),
    Case::new("psci/suspend-while-active", suspend_secure_mask)
        .secure(suspend_while_active_secure)
        .needs(JANUS_CORES),
    Case::new("psci/suspend-secure-mask", suspend_secure_mask)
        .secure(suspend_secure_mask_secure)
        .needs(JANUS_CORES),
    Case::new("psci/parked-stray-sgi", parked_stray_sgi)
        .secure(parked_stray_sgi_secure)
        .needs(JANUS_CORES),
];

/// A Secure Group 1 SGI that has no other use.
const SECURE_SGI: u32 = 9;
/// An SGI that is put into Group 0 for a case.
const GROUP0_SGI: u32 = 11;
/// An SGI of the normal world.
const NORMAL_SGI: u32 = 3;
/// Another SGI of the normal world.
const OTHER_SGI: u32 = 4;

/// The operations that the SPMC is asked to do on its core.
const TAKE: u64 = 1;
const TAKE_GROUP0: u64 = 2;
const TAKE_AND_END: u64 = 3;

/// Has the SPMC of this core do operation `what`. Returns w3 of its answer.
fn ask(what: u64, argument: u64) -> Result<u64, Why> {
    let got = ffa::call(
        ffa::DIRECT_REQ | ffa::SMC64,
        &[ffa::route(0, ffa::SPMC), 0, what, argument],
    );
    ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP | ffa::SMC64,
        "answer of the SPMC"
    );
    Ok(got.x(3))
}

/// A core goes off while its SPMC has acknowledged an interrupt and not ended it. The core can come on again,
/// and its SPMC gets that interrupt again.
fn off_while_active() -> Outcome {
    off_and_on_after(TAKE)
}

/// A core goes off while its SPMC has acknowledged a Group 0 interrupt and not ended it. The core can come on again.
fn off_while_active_group0() -> Outcome {
    off_and_on_after(TAKE_GROUP0)
}

fn off_and_on_after(what: u64) -> Outcome {
    for core in cores::others() {
        cores::on(core, |_| ask(what, 0).map(|_| ()))?;
        cores::turn_off(core)?;
        cores::turn_on(core)?;
        cores::on(core, |_| ask(TAKE_AND_END, 0).map(|_| ()))?;
    }
    Ok(())
}

fn active_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    let intid = if message.x(3) == TAKE_GROUP0 {
        gic::enable_group0(s.core, GROUP0_SGI);
        gic::send_sgi_group0(s.core, GROUP0_SGI);
        timer::wait_until(1, || gic::pending_lines() != 0);
        let intid = gic::acknowledge_group0();
        s.expect_eq(intid.into(), GROUP0_SGI.into(), "INTID of Group 0");
        return None;
    } else {
        s.expect_eq(gic::running_priority(), 0xff, "ICC_RPR_EL1");
        gic::send_sgi(s.core, SECURE_SGI);
        timer::wait_until(1, || gic::pending_lines() != 0);
        gic::acknowledge()
    };
    s.expect_eq(intid.into(), SECURE_SGI.into(), "INTID of secure Group 1");
    if message.x(3) == TAKE_AND_END {
        gic::end(intid);
    }
    None
}

/// A core goes off while the interrupt of its SPMC's timer is pending. The core stays off, and its SPMC later starts
/// without that interrupt.
fn off_timer_pending() -> Outcome {
    for core in cores::others() {
        cores::turn_off(core)?;
        timer::delay(20_000);
        ensure_eq!(psci::affinity_info(core), 1, "AFFINITY_INFO of core {core}");
        cores::turn_on(core)?;
        cores::on(core, |_| ask(0, 0).map(|_| ()))?;
    }
    Ok(())
}

fn timer_pending_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::INTERRUPT {
        s.fail(format_args!("the interrupt came though the core was off"));
    }
    if message.function() & !ffa::SMC64 != ffa::DIRECT_REQ {
        return None;
    }
    if message.x(2) & FRAMEWORK == 0 {
        s.expect_eq(
            timer::secure_control(),
            0,
            "the secure timer's control after CPU_ON",
        );
        s.expect_eq(gic::pending_lines(), 0, "ISR_EL1 after CPU_ON");
    } else if message.x(2) & 0xff == number::POWER {
        timer::start_secure(0);
        let pending = timer::wait_until(1, || gic::pending_lines() != 0);
        s.expect(pending, "the secure timer's interrupt is not pending");
    }
    None
}

/// Acknowledges an SGI in the normal world of this core, and does not end it.
fn take_and_keep(core: usize) {
    crate::daif!(set "0x7");
    gic::enable(core, NORMAL_SGI);
    gic::send_sgi(core, NORMAL_SGI);
    timer::wait_until(1, || gic::pending_lines() != 0);
    gic::acknowledge();
    // Set other registers that a core's reset sets: EOImode and the binary point.
    msr!("S3_0_C12_C12_4", 0b10); // ICC_CTLR_EL1.EOImode
    msr!("S3_0_C12_C12_3", 7); // ICC_BPR1_EL1
}

/// Checks that the normal world of this core has started as after a reset, and gets interrupts.
fn takes_interrupts(core: usize, sgi: u32) -> Outcome {
    ensure_eq!(gic::running_priority(), 0xff, "ICC_RPR_EL1 of core {core}");
    ensure_eq!(
        mrs!("S3_0_C12_C12_4") & 0b11,
        0,
        "ICC_CTLR_EL1 of core {core}"
    );
    ensure!(mrs!("S3_0_C12_C12_3") < 7, "ICC_BPR1_EL1 of core {core}");
    irq::install(sgi, irq::count_only);
    let before = irq::count(core, sgi);
    gic::enable(core, sgi);
    gic::send_sgi(core, sgi);
    let came = timer::wait_until(5, || irq::count(core, sgi) > before);
    gic::disable(core, sgi);
    ensure!(came, "SGI {sgi} does not come to core {core}");
    Ok(())
}

/// A core goes off while an interrupt of its normal world is active. It starts again without it.
fn off_while_active_normal() -> Outcome {
    for core in cores::others() {
        cores::on(core, |n| {
            take_and_keep(n);
            Ok(())
        })?;
        cores::turn_off(core)?;
        cores::turn_on(core)?;
        cores::on(core, |n| takes_interrupts(n, NORMAL_SGI))?;
    }
    Ok(())
}

/// A core suspends to a power-down state while an interrupt of its normal world is active. It wakes, and the CPU
/// interface is as after a reset. The redistributor keeps its power, so that the interrupt stays active there. Other
/// interrupts come.
fn suspend_while_active_normal() -> Outcome {
    for core in cores::others() {
        cores::on(core, |n| {
            take_and_keep(n);
            Ok(())
        })?;
        suspend_and_wake(core)?;
        cores::on(core, |n| takes_interrupts(n, OTHER_SGI))?;
    }
    Ok(())
}

/// The SPMC sets a priority mask and, at S-EL2, stops the hypervisor's timer before it answers the power message of a
/// suspend. Neither affects the normal world, which is woken by that timer. The SPMC finds its mask again.
fn suspend_secure_mask() -> Outcome {
    cores::others().try_for_each(suspend_and_wake)
}

/// The SPMC acknowledges an interrupt when it is asked about a suspend, and ends it after the warm boot. Meanwhile it
/// masks no interrupt of the normal world, and stays active for the SPMC.
fn suspend_while_active_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !ffa::SMC64 != ffa::DIRECT_REQ || message.x(2) & FRAMEWORK == 0 {
        return None;
    }
    match message.x(2) & 0xff {
        number::POWER => {
            gic::send_sgi(s.core, SECURE_SGI);
            timer::wait_until(1, || gic::pending_lines() != 0);
            let intid = gic::acknowledge();
            s.expect_eq(intid.into(), SECURE_SGI.into(), "INTID of secure Group 1");
        }
        number::WARM_BOOT => {
            s.expect(
                gic::running_priority() < 0x80,
                "the interrupt is still the SPMC's",
            );
            gic::end(SECURE_SGI);
            s.expect_eq(
                gic::running_priority(),
                0xff,
                "ICC_RPR_EL1 after it has ended",
            );
        }
        _ => {}
    }
    None
}

fn suspend_secure_mask_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !ffa::SMC64 != ffa::DIRECT_REQ || message.x(2) & FRAMEWORK == 0 {
        return None;
    }
    match message.x(2) & 0xff {
        number::POWER => {
            gic::set_mask(0x80);
            if s.sel2 {
                timer::stop_el2();
            }
        }
        number::WARM_BOOT => {
            s.expect_eq(gic::mask(), 0x80, "ICC_PMR_EL1 after the suspend");
            gic::set_mask(0xff);
        }
        _ => {}
    }
    None
}

/// A stray SGI wakes a core that is off. It is acknowledged, and the core goes on sleeping.
fn parked_stray_sgi() -> Outcome {
    let Some(target) = cores::others().next() else {
        return Ok(());
    };
    cores::turn_off(target)?;
    for _ in 0..3 {
        let gone = ask(0, target as u64)?;
        ensure_eq!(gone, 1, "the SGI is acknowledged at a core that is off");
    }
    cores::turn_on(target)?;
    cores::on(target, |_| ask(0, u64::MAX).map(|_| ()))
}

fn parked_stray_sgi_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 || message.x(4) == u64::MAX {
        return None;
    }
    let target = message.x(4) as usize;
    // One of these wakes a parked core. Which one depends on the manifest.
    for intid in [13, 14, 15] {
        gic::send_sgi_group0(target, intid);
    }
    let gone = || !gic::is_enabled(target, 15) || !gic::is_pending(target, 15);
    let gone = timer::wait_until(5, gone);
    Some(ffa::response(message, &[gone.into()]))
}
