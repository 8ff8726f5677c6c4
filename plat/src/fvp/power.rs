//! The power controller.
//!
//! Each command is one write, with the affinity fields of a core. Only its status takes two accesses.

use super::{barrier, read, thread_shift, wait_until, write};
use crate::NoPower;
use spin::Mutex;

const BASE: usize = 0x1c10_0000;
/// The core that writes loses its power at its next WFI.
const PPOFFR: usize = BASE;
/// A core that is off restarts; one that is on takes back what is pending.
const PPONR: usize = BASE + 0x4;
/// The cluster of the core that writes loses its power once all of it is off.
const PCOFFR: usize = BASE + 0x8;
/// Whether the GIC may turn a core on.
const PWKUPR: usize = BASE + 0xc;
const WEN: u32 = 1 << 31;
/// The status of the core whose affinity was written: bit 29, it is on. Bits 31 and 30 are the levels of
/// affinity above it; with MPIDR_EL1.MT level 2 is the cluster, else level 1.
const PSYSR: usize = BASE + 0x10;
const CORE_ON: u32 = 1 << 29;
const LEVEL_1_ON: u32 = 1 << 30;
const LEVEL_2_ON: u32 = 1 << 31;
/// The status of a core that the controller does not know.
const UNKNOWN: u32 = u32::MAX;

/// Microseconds that a core may need from its last word in PSCI to its WFI, the cleaning of all its
/// caches included.
const OFF_WAIT: u64 = 500_000;

/// Keeps the two accesses to PSYSR together. Only cores with their caches on read a status.
static STATUS: Mutex<()> = Mutex::new(());

fn id(mpidr: u64) -> u32 {
    mpidr as u32 & 0xff_ffff
}

/// The status of a core, None if the controller does not know it.
fn status(mpidr: u64) -> Option<u32> {
    let _lock = STATUS.lock();
    write(PSYSR, id(mpidr));
    Some(read(PSYSR)).filter(|status| *status != UNKNOWN)
}

/// Whether a core has power; None if the controller does not know it.
pub fn is_on(mpidr: u64) -> Option<bool> {
    status(mpidr).map(|status| status & CORE_ON != 0)
}

/// Whether the cluster of a core has power; None if the controller does not know the core.
pub fn cluster_is_on(mpidr: u64) -> Option<bool> {
    let cluster = if thread_shift() != 0 {
        LEVEL_2_ON
    } else {
        LEVEL_1_ON
    };
    status(mpidr).map(|status| status & cluster != 0)
}

/// Turns a core's power on, as soon as the core has really lost it. A core that is turned on earlier would take back its
/// own power-off, and wait in its last WFI for ever.
///
/// # Errors
///
/// The controller does not know the core, or the core does not go off.
pub fn on(mpidr: u64) -> Result<(), NoPower> {
    let mut known = true;
    let off = wait_until(OFF_WAIT, || match is_on(mpidr) {
        Some(on) => !on,
        None => {
            known = false;
            true
        }
    });
    if !known {
        return Err(NoPower("the power controller does not know it"));
    }
    if !off {
        return Err(NoPower(
            "it has power already (a model must start with core 0 alone: pctl.startup=0.0.0.0)",
        ));
    }
    barrier();
    write(PPONR, id(mpidr));
    Ok(())
}

/// Lets this core lose its power at its next WFI.
pub fn off(mpidr: u64) {
    write(PPOFFR, id(mpidr));
    barrier();
}

/// Lets this core's cluster lose its power once all its cores have lost theirs.
pub fn cluster_off(mpidr: u64) {
    write(PCOFFR, id(mpidr));
    barrier();
}

/// Cancels pending [`off`] and [`cluster_off`] commands of this core's cluster.
pub fn stay_on(mpidr: u64) {
    write(PPONR, id(mpidr));
    barrier();
}

/// Sets whether an interrupt turns the core on when it is off.
pub fn set_wake_up(mpidr: u64, wake: bool) {
    write(PWKUPR, id(mpidr) | if wake { WEN } else { 0 });
    barrier();
}
