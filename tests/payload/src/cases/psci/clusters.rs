//! Cores and clusters that lose their power: what takes them down, what keeps them up, what brings them back.
//!
//! The cores of the other clusters sleep. The boot core watches them by NODE_HW_STATE.

use super::suspend::suspend_and_wake;
use crate::arch::{gic, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::psci::{self, error};
use crate::framework::{cores, irq};
use crate::{ensure, ensure_eq, machine, skip};
use core::ops::Range;

const NEEDS: Needs = Needs::NO_FFA.union(Needs::CORES).union(Needs::JANUS);

pub const CASES: &[Case] = &[
    Case::new("psci/on-while-going-off", on_while_going_off).needs(NEEDS),
    Case::new("psci/off-stays-off", off_stays_off).needs(NEEDS),
    Case::new("psci/cluster-platform-coordinated", platform_coordinated).needs(NEEDS),
    Case::new("psci/cluster-os-initiated", os_initiated).needs(NEEDS),
    Case::new("psci/cluster-off", cluster_off).needs(NEEDS),
];

/// The interrupt that wakes cores in these cases.
const SGI: u32 = 6;

// Results of NODE_HW_STATE.
const HW_ON: i32 = 0;
const HW_OFF: i32 = 1;

const SET_SUSPEND_MODE: u32 = psci::PSCI_SET_SUSPEND_MODE;

fn hw_state(core: usize, level: u64) -> i32 {
    let affinity = gic::affinities().nth(core).unwrap_or(u64::MAX);
    psci::call(psci::PSCI_NODE_HW_STATE_64, &[affinity, level])
}

fn goes_off(core: usize, level: u64) -> Outcome {
    let off = timer::wait_until(cores::PATIENCE, || hw_state(core, level) == HW_OFF);
    ensure!(
        off,
        "NODE_HW_STATE of core {core}, level {level}: {}, never HW_OFF",
        hw_state(core, level)
    );
    Ok(())
}

/// The cores of the second cluster.
fn cluster() -> Range<usize> {
    let size = 1 << machine::HERE.cluster_shift;
    size.min(cores::count())..(2 * size).min(cores::count())
}

/// Prepares a core for the wake-up by the SGI. Interrupts are masked, so that the SGI is not taken but stays pending.
fn listen(core: usize) {
    crate::daif!(set "0x7");
    irq::install(SGI, |_, _| {});
    gic::enable(core, SGI);
}

/// Has `core` suspend, and waits until it is without power.
fn sleep(core: usize, state: u32) -> Outcome {
    cores::begin_suspend(core, state, listen)?;
    goes_off(core, 0)
}

fn wake(core: usize) -> Outcome {
    gic::send_sgi(core, SGI);
    ensure_eq!(
        cores::end_suspend(core)?,
        cores::CONTEXT | core as u64,
        "x0 of core {core} after its suspend"
    );
    ensure_eq!(hw_state(core, 0), HW_ON, "NODE_HW_STATE of core {core}");
    ensure_eq!(hw_state(core, 1), HW_ON, "NODE_HW_STATE of its cluster");
    cores::on(core, |core| {
        gic::disable(core, SGI);
        Ok(())
    })
}

/// CPU_ON is called while a core goes off, at different moments of that.
fn on_while_going_off() -> Outcome {
    for round in 0..4 {
        for core in cores::others() {
            cores::begin_turn_off(core)?;
            for _ in 0..round * 250 {
                core::hint::spin_loop();
            }
            cores::turn_on(core)?;
        }
    }
    Ok(())
}

/// No interrupt brings a core back that is off, though one did when it was suspended.
fn off_stays_off() -> Outcome {
    if hw_state(cores::boot_core(), 0) != HW_ON {
        skip!("no NODE_HW_STATE");
    }
    for core in cores::others() {
        suspend_and_wake(core)?;
        cores::on(core, |core| {
            listen(core);
            Ok(())
        })?;
        cores::turn_off(core)?;
        goes_off(core, 0)?;
        gic::send_sgi(core, SGI);
        for _ in 0..200 {
            ensure_eq!(
                hw_state(core, 0),
                HW_OFF,
                "NODE_HW_STATE of core {core}, which is off and has an interrupt pending"
            );
            timer::delay(100);
        }
        cores::turn_on(core)?;
        gic::disable(core, SGI);
        // Left pending, it would end the suspends of other cases.
        gic::set_pending(core, SGI, false);
    }
    Ok(())
}

/// The cluster sleeps as deep as all of its cores allow.
fn platform_coordinated() -> Outcome {
    let (core_off, cluster_off) = (machine::HERE.core_off, machine::HERE.cluster_off);
    let cluster = cluster();
    if cluster.is_empty() {
        skip!("one cluster");
    }
    // Each core in turn keeps the cluster on; then none does.
    for veto in cluster.clone().map(Some).chain([None]) {
        for core in cluster.clone() {
            let state = if veto == Some(core) {
                core_off
            } else {
                cluster_off
            };
            sleep(core, state)?;
        }
        if veto.is_some() {
            ensure_eq!(
                hw_state(cluster.start, 1),
                HW_ON,
                "NODE_HW_STATE of a cluster with a core that asked for its own power-down only"
            );
        } else {
            goes_off(cluster.start, 1)?;
        }
        // The first core to wake and the last one to sleep differ each time.
        let first = veto.unwrap_or(cluster.end - 1);
        wake(first)?;
        for core in cluster.clone().filter(|&core| core != first) {
            wake(core)?;
        }
    }
    Ok(())
}

/// In OS-initiated mode, the last core of a cluster requests the cluster's state. The others must not.
fn os_initiated() -> Outcome {
    let (core_off, cluster_off) = (machine::HERE.core_off, machine::HERE.cluster_off);
    let cluster = cluster();
    if cluster.is_empty() {
        skip!("one cluster");
    }
    let set_mode = |mode| -> Outcome {
        for core in cores::others() {
            cores::turn_off(core)?;
        }
        let status = psci::call(SET_SUSPEND_MODE, &[mode]);
        ensure_eq!(status, error::SUCCESS, "SET_SUSPEND_MODE({mode})");
        cores::turn_all_on()
    };
    set_mode(1)?;
    let outcome = (|| {
        for last in cluster.clone() {
            let status = cores::suspend(last, cluster_off, listen)? as i32;
            ensure_eq!(
                status,
                error::DENIED,
                "CPU_SUSPEND with the cluster, by core {last} while others of it run"
            );
            for core in cluster.clone().filter(|&core| core != last) {
                sleep(core, core_off)?;
            }
            ensure_eq!(hw_state(last, 1), HW_ON, "NODE_HW_STATE of the cluster");
            sleep(last, cluster_off)?;
            goes_off(last, 1)?;
            for core in cluster.clone() {
                wake(core)?;
            }
        }
        Ok(())
    })();
    let back = set_mode(0);
    outcome.and(back)
}

/// CPU_OFF of all its cores turns the cluster off, too.
fn cluster_off() -> Outcome {
    let cluster = cluster();
    if cluster.is_empty() {
        skip!("one cluster");
    }
    for first in cluster.clone() {
        for core in cluster.clone() {
            ensure_eq!(hw_state(core, 1), HW_ON, "NODE_HW_STATE of the cluster");
            cores::turn_off(core)?;
        }
        goes_off(first, 1)?;
        cores::turn_on(first)?;
        ensure_eq!(hw_state(first, 1), HW_ON, "NODE_HW_STATE of the cluster");
        cores::turn_all_on()?;
    }
    Ok(())
}
