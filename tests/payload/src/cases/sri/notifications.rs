//! Cases about notifications: the normal world receives them as Xen does, from an SPMC that keeps account of them.
//!
//! The normal world creates bitmaps for two VMs and binds all notifications. Each core asks the SPMC to set a
//! notification that only this core uses, and to raise the interrupt on some core. The handler there calls
//! FFA_NOTIFICATION_INFO_GET_64 until there is no more, then gets the pending notifications of each VM. A round ends
//! when the notification has arrived, so that a lost one fails the case.

use super::{FEATURE, SRI};
use crate::arch::{MAX_CORES, gic, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{config, cores, ffa, irq};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("sri/notifications", notifications)
        .secure(spmc)
        .needs(Needs::JANUS),
    Case::new("sri/notifications-hotplug", notifications_hotplug)
        .secure(spmc)
        .needs(Needs::JANUS.union(Needs::CORES)),
];

/// The VMs that receive notifications.
const VMS: [u64; 2] = [1, 2];
/// The sender: a partition behind the SPMC.
const SENDER: u64 = 0x8002;
/// The flag of FFA_NOTIFICATION_GET for notifications from secure partitions.
const FROM_SP: u64 = 1;

/// The notifications that have arrived and that the core that asked for them has not seen yet, one word per VM.
static ARRIVED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// The number of a core whose handler failed, plus one, and what it got; 0 if none failed.
static WRONG: AtomicU64 = AtomicU64::new(0);

/// Retrieves IDs while there are more, then each VM's notifications, as Xen does.
fn handler(_core: usize, _intid: u32) {
    let mut pending = [false; 2];
    loop {
        let got = ffa::call(ffa::NOTIFICATION_INFO_GET | ffa::SMC64, &[]);
        if got.function() == ffa::ERROR && got.w(2) as i32 == ffa::NO_DATA {
            break;
        }
        if got.function() != ffa::SUCCESS | ffa::SMC64 {
            WRONG.store(got.x(0) | 1 << 63, SeqCst);
            break;
        }
        let lists = got.x(2) >> 7 & 0x1f;
        // Each list of this SPMC has one ID, so that a register has four lists.
        for i in 0..lists {
            let id = got.x(3 + i as usize / 4) >> (i % 4 * 16) & 0xffff;
            VMS.iter()
                .position(|vm| *vm == id)
                .inspect(|&vm| pending[vm] = true);
        }
        if got.x(2) & 1 == 0 {
            break;
        }
    }
    for (i, vm) in VMS.into_iter().enumerate().filter(|(i, _)| pending[*i]) {
        let got = ffa::call(ffa::NOTIFICATION_GET, &[vm, FROM_SP]);
        if got.function() != ffa::SUCCESS {
            WRONG.store(got.x(0) | 1 << 62, SeqCst);
        }
        ARRIVED[i].fetch_or(got.x(2) | got.x(3) << 32, SeqCst);
    }
}

fn expect_success(function: u32, arguments: &[u64]) -> Outcome {
    let got = ffa::call(function, arguments);
    ensure_eq!(got.function(), ffa::SUCCESS, "{}", ffa::name(function));
    Ok(())
}

/// Finds the interrupt, installs the handler, creates and binds.
fn set_up() -> Outcome {
    let got = ffa::call(ffa::FEATURES, &[FEATURE]);
    ensure_eq!(
        got.function(),
        ffa::SUCCESS,
        "FFA_FEATURES of the schedule receiver interrupt"
    );
    ensure_eq!(got.x(2), u64::from(SRI), "its ID");
    WRONG.store(0, SeqCst);
    irq::install(SRI, handler);
    for vm in VMS {
        expect_success(ffa::NOTIFICATION_BITMAP_CREATE, &[vm, 1])?;
        expect_success(
            ffa::NOTIFICATION_BIND,
            &[ffa::route(SENDER, vm), 0, 0xffff_ffff, 0xffff_ffff],
        )?;
    }
    Ok(())
}

fn tear_down() -> Outcome {
    for vm in VMS {
        expect_success(
            ffa::NOTIFICATION_UNBIND,
            &[ffa::route(SENDER, vm), 0, 0xffff_ffff, 0xffff_ffff],
        )?;
        expect_success(ffa::NOTIFICATION_BITMAP_DESTROY, &[vm])?;
    }
    Ok(())
}

/// Runs `count` rounds on one core. The interrupt goes to the first `targets` cores in turn.
fn rounds(core: usize, count: u64, targets: usize) -> Outcome {
    for round in 0..count {
        let (vm, bit) = (round as usize % 2, (core as u64 * 2 + round / 2 % 2) % 64);
        let target = (core as u64 + round) % targets as u64;
        let got = ffa::call(
            ffa::DIRECT_REQ | ffa::SMC64,
            &[ffa::route(0, ffa::SPMC), 0, VMS[vm], bit, target],
        );
        ensure_eq!(
            got.function(),
            ffa::DIRECT_RESP | ffa::SMC64,
            "answer of the SPMC"
        );
        let arrived = timer::wait_until(20, || ARRIVED[vm].load(SeqCst) & 1 << bit != 0);
        ensure!(
            arrived,
            "round {round}: notification {bit} of VM {} did not arrive",
            VMS[vm]
        );
        ARRIVED[vm].fetch_and(!(1 << bit), SeqCst);
        ensure_eq!(WRONG.load(SeqCst), 0, "the handler got x0");
    }
    Ok(())
}

/// Notifications arrive while all cores send them at once.
fn notifications() -> Outcome {
    set_up()?;
    let outcome = cores::on_each(|core| rounds(core, 100 * config::rounds(), cores::count()));
    outcome.and(tear_down())
}

/// Notifications from the boot core and another one arrive while the last core goes off and on. The interrupt
/// goes to cores that stay on.
fn notifications_hotplug() -> Outcome {
    set_up()?;
    let last = cores::count() - 1;
    let over = AtomicBool::new(false);
    let count = 50 * config::rounds();
    let boot_core = || {
        let mut done = 0;
        while !over.load(SeqCst) || done < count {
            rounds(0, 10, last.max(1))?;
            done += 10;
        }
        Ok(())
    };
    // The boot core turns the last one off and on in between, which only the boot core can do.
    let churn = || {
        for _ in 0..10 {
            rounds(0, 10, last.max(1))?;
            cores::turn_off(last)?;
            rounds(0, 10, last.max(1))?;
            cores::turn_on(last)?;
            cores::on(last, |core| rounds(core, 4, cores::count()))?;
        }
        over.store(true, SeqCst);
        boot_core()
    };
    let outcome = match cores::others().find(|&n| n != last) {
        Some(other) => cores::beside(other, |core| rounds(core, count, last), churn),
        None => churn(),
    };
    outcome.and(tear_down())
}

// The SPMC's account: pending notifications, and notifications that are bound.
static PENDING: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static BOUND: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

fn index(vm: u64) -> Option<usize> {
    VMS.iter().position(|v| *v == vm)
}

/// A small SPMC with notifications.
fn spmc(s: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        ffa::FEATURES if message.x(1) == FEATURE => {
            Some(ffa::request(ffa::SUCCESS, &[0, u64::from(SRI)]))
        }
        ffa::NOTIFICATION_BITMAP_CREATE | ffa::NOTIFICATION_BITMAP_DESTROY => {
            PENDING[index(message.x(1))?].store(0, SeqCst);
            Some(ffa::success())
        }
        ffa::NOTIFICATION_BIND | ffa::NOTIFICATION_UNBIND => {
            s.expect_eq(message.x(1) >> 16, SENDER, "the sender of a notification");
            let bound = if message.function() == ffa::NOTIFICATION_BIND {
                u64::MAX
            } else {
                0
            };
            BOUND[index(message.x(1) & 0xffff)?].store(bound, SeqCst);
            Some(ffa::success())
        }
        ffa::NOTIFICATION_GET => {
            s.expect_eq(message.x(2), FROM_SP, "the flags of FFA_NOTIFICATION_GET");
            let pending = PENDING[index(message.x(1) & 0xffff)?].swap(0, SeqCst);
            Some(ffa::request(
                ffa::SUCCESS,
                &[0, pending & 0xffff_ffff, pending >> 32],
            ))
        }
        id if id == ffa::NOTIFICATION_INFO_GET | ffa::SMC64 => {
            let (mut lists, mut ids) = (0, 0);
            for (i, vm) in VMS
                .into_iter()
                .enumerate()
                .filter(|(i, _)| PENDING[*i].load(SeqCst) != 0)
            {
                let _ = i;
                ids |= vm << (lists * 16);
                lists += 1;
            }
            if lists == 0 {
                return Some(ffa::error(ffa::NO_DATA));
            }
            Some(ffa::request(
                ffa::SUCCESS | ffa::SMC64,
                &[0, lists << 7, ids],
            ))
        }
        id if id == ffa::DIRECT_REQ | ffa::SMC64 => {
            let vm = index(message.x(3))?;
            s.expect(
                BOUND[vm].load(SeqCst) & 1 << message.x(4) != 0,
                "a notification that is not bound",
            );
            PENDING[vm].fetch_or(1 << message.x(4), SeqCst);
            let target = message.x(5) as usize;
            s.expect(target < MAX_CORES, "a core that is not there");
            gic::send_sgi_other_world(target, SRI);
            Some(ffa::response(message, &[]))
        }
        _ => None,
    }
}
