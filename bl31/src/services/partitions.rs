//! EL3 logical partitions (DEN0077A): code of the platform at EL3 that sends messages to secure partitions.
//!
//! For a logical partition, a message is a function call that returns the answer. It becomes a request of the
//! dispatcher, and the secure world runs until it has answered.

use crate::core_data::CoreData;
use crate::hw::{cpu, shared};
use crate::messages::error;
use crate::on_core::OnCore;
use crate::run::run_spmc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
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
    static FIXED: AtomicBool = AtomicBool::new(false);
    /// The partitions that have started or are starting, one bit each in the order of their list.
    static STARTED: AtomicU32 = AtomicU32::new(0);
    /// The value of the system counter when the SPMC had booted.
    static BOOTED: AtomicU64 = AtomicU64::new(0);
    /// The value of the system counter at which the next partition starts without the version.
    static NEXT: AtomicU64 = AtomicU64::new(NEVER);
}

/// No partition starts by the clock.
const NEVER: u64 = u64::MAX;
const _: () = assert!(
    Plat::PARTITIONS.len() <= u32::BITS as usize,
    "there are at most 32 EL3 logical partitions"
);

/// Starts the partitions that do not wait for the normal world. Call it once, on the boot core, when the SPMC has
/// started.
pub fn start(core: &mut CoreData) {
    if !Plat::PARTITIONS.is_empty() {
        let now = cpu::counter();
        BOOTED.store(now, Relaxed);
        start_those(core, |when| when == Start::Boot);
        NEXT.store(next(core), Relaxed);
    }
}

/// Starts the partitions that wait until the normal world's version is fixed, if its present call on this core fixes
/// it. It does that once, before the call is decided. Returns whether the SPMC may have run for it.
#[inline(always)]
pub fn start_when_fixed(core: &mut CoreData) -> bool {
    let looks = !Plat::PARTITIONS.is_empty() && !FIXED.load(Relaxed);
    if looks {
        version_may_be_fixed(core);
    }
    looks
}

#[cold]
#[inline(never)]
fn version_may_be_fixed(core: &mut CoreData) {
    let spmd = &core.system.spmd;
    if spmd.fixes_version(&mut core.spmd, core.normal.args()) && !FIXED.swap(true, Relaxed) {
        NEXT.store(NEVER, Relaxed);
        start_those(core, |_| true);
    }
}

/// Starts the partitions whose time has come, at a call of the normal world's. Returns whether the SPMC may have run for
/// it.
#[inline(always)]
pub fn start_overdue(core: &mut CoreData) -> bool {
    let looks = !Plat::PARTITIONS.is_empty() && {
        let next = NEXT.load(Relaxed);
        next != NEVER && cpu::counter() >= next
    };
    if looks {
        time_is_over(core);
    }
    looks
}

#[cold]
#[inline(never)]
fn time_is_over(core: &mut CoreData) {
    // One core starts them.
    if NEXT.swap(NEVER, Relaxed) != NEVER {
        let now = cpu::counter();
        start_those(core, |when| due(when).is_some_and(|at| at <= now));
        NEXT.store(next(core), Relaxed);
    }
}

/// Returns the value of the system counter at which a partition starts by the clock.
fn due(when: Start) -> Option<u64> {
    match when {
        Start::VersionFixedOrAfter(ms) => Some(BOOTED.load(Relaxed).wrapping_add(cpu::ticks(ms))),
        _ => None,
    }
}

/// Returns the value of the system counter at which the next partition starts by the clock.
fn next(core: &CoreData) -> u64 {
    if FIXED.load(Relaxed) {
        return NEVER;
    }
    let (started, partitions) = (STARTED.load(Relaxed), of_system(core));
    let mut next = NEVER;
    for n in 0..partitions.len() {
        if started & bit(n) == 0
            && let Some(at) = partitions.get(n).and_then(|it| due(it.starts()))
        {
            next = next.min(at);
        }
    }
    next
}

const fn bit(n: usize) -> u32 {
    1_u32.wrapping_shl(n as u32)
}

/// Starts the partitions for whose time `now` says true, if they have not started.
#[inline(never)]
fn start_those(core: &mut CoreData, now: impl Fn(Start) -> bool) {
    for (n, partition) in of_system(core).iter().enumerate() {
        if now(partition.starts()) && STARTED.fetch_or(bit(n), Relaxed) & bit(n) == 0 {
            partition.start(&mut OnCore::new(core, Some(run_spmc)));
        }
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
