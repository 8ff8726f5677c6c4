//! On which cores an SPMC takes secure interrupts, and what becomes of them on a core where none does any more.

use crate::core_data::CoreData;
use crate::hw::{gic, shared};
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicU32, Ordering};
use janus_plat::{Plat, Platform};
use spin::mutex::TicketMutex;

shared! {
    /// The cores on which an SPMC takes secure interrupts, a bit each.
    static SERVED: AtomicU32 = AtomicU32::new(0);
    /// Held while interrupts move from one core to another.
    static MOVING: TicketMutex<()> = TicketMutex::new(());
}
const _: () = assert!(MAX_CORES <= u32::BITS as usize);

/// The bit of core `index`.
const fn bit(index: usize) -> u32 {
    1_u32.wrapping_shl(index as u32)
}

/// An SPMC takes secure interrupts on this core.
pub fn begin(core: &CoreData) {
    SERVED.fetch_or(bit(core.index), Ordering::SeqCst);
}

/// Nobody takes secure interrupts on this core any more: its SPMC is dead or did not start. What it left in
/// the interrupt controller keeps nothing from the normal world, and secure SPIs that are routed to this core
/// go to another one whose SPMC lives, if there is one.
#[cold]
#[inline(never)]
pub fn end(core: &CoreData) {
    // The lock is held until they are there: if their new core's SPMC dies meanwhile, they go on from there.
    let _moving = MOVING.lock();
    leave(core);
    let served = SERVED.load(Ordering::SeqCst);
    let to = (served != 0).then(|| Plat::mpidr(served.trailing_zeros() as usize));
    gic::end_secure_world(to);
}

/// This core goes off, and its SPMC knows it.
pub fn leave(core: &CoreData) {
    SERVED.fetch_and(!bit(core.index), Ordering::SeqCst);
}
