//! EL3 logical partitions (DEN0077A): code of the platform at EL3 that sends messages to secure partitions.
//!
//! For a logical partition, a message is a function call that returns the answer. It becomes a request of the
//! dispatcher, and the secure world runs until it has answered.

use crate::core_data::CoreData;
use crate::hw::shared;
use crate::messages::error;
use crate::on_core::OnCore;
use crate::run::run_spmc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use janus_plat::{Plat, Platform};
use janus_spmd::{Event, LogicalPartition, PartitionError, Start};

/// The platform's partitions.
pub type Partitions = &'static [&'static dyn LogicalPartition];

/// Checks the platform's partitions and returns them. Call it early in the boot: it calls through pointers, where the
/// stack's deepest path is not known exactly, so nothing large should be on the stack yet.
///
/// # Errors
/// What is wrong with the partitions.
pub fn checked() -> Result<Partitions, PartitionError> {
    janus_spmd::check_partitions(Plat::PARTITIONS).map(|()| Plat::PARTITIONS)
}

/// Returns the partitions that [`checked`] has found right, or prints its error and returns `None`. An image without
/// partitions has none of its messages.
pub fn or_report(checked: Result<Partitions, PartitionError>) -> Option<Partitions> {
    if Plat::PARTITIONS.is_empty() {
        return Some(&[]);
    }
    checked.map_err(|why| error!("no FF-A: {why}")).ok()
}

shared! {
    /// Whether the partitions that wait for the normal world's version have started, or are starting.
    static STARTED: AtomicBool = AtomicBool::new(false);
}

/// Starts the partitions that do not wait for the normal world. Call it once, on the boot core, when the SPMC has
/// started.
pub fn start(core: &mut CoreData) {
    if !Plat::PARTITIONS.is_empty() {
        start_those(core, Start::Boot);
    }
}

/// Starts the partitions that wait until the normal world's version is fixed, if the call that this core makes fixes
/// it. That happens once, before the call is decided. Returns whether the SPMC may have run meanwhile.
#[inline(always)]
pub fn start_when_fixed(core: &mut CoreData) -> bool {
    let looks = !Plat::PARTITIONS.is_empty() && !STARTED.load(Relaxed);
    if looks {
        version_may_be_fixed(core);
    }
    looks
}

#[cold]
#[inline(never)]
fn version_may_be_fixed(core: &mut CoreData) {
    let spmd = &core.system.spmd;
    if spmd.fixes_version(&mut core.spmd, core.normal.args()) && !STARTED.swap(true, Relaxed) {
        start_those(core, Start::VersionFixed);
    }
}

#[inline(never)]
fn start_those(core: &mut CoreData, when: Start) {
    for partition in of_system(core).iter().filter(|it| it.starts() == when) {
        partition.start(&mut OnCore::new(core, Some(run_spmc)));
    }
}

/// Tells the partitions of an event on this core. The core has entered EL3 from the normal world.
#[inline(always)]
pub fn tell(core: &mut CoreData, event: Event) {
    if !Plat::PARTITIONS.is_empty() {
        tell_all(core, event);
    }
}

#[inline(never)]
fn tell_all(core: &mut CoreData, event: Event) {
    for partition in of_system(core) {
        partition.event(event, &mut OnCore::new(core, Some(run_spmc)));
    }
}

/// Returns the partitions that passed the check at boot. There are none without an SPMC.
fn of_system(core: &CoreData) -> Partitions {
    let spmc = core.system.spmd.spmc();
    spmc.map_or(&[][..], |spmc| spmc.partitions)
}
