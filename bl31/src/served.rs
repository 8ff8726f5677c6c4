//! The cores on which an SPMC takes secure interrupts, and what happens to these interrupts when it stops.

use crate::core_data::CoreData;
use crate::hw::{gic, shared};
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicU32, Ordering};
use janus_plat::{Plat, Platform};
use spin::mutex::TicketMutex;

shared! {
    /// The cores on which an SPMC takes secure interrupts, one bit per core.
    static SERVED: AtomicU32 = AtomicU32::new(0);
    /// Held while interrupts move from one core to another.
    static MOVING: TicketMutex<()> = TicketMutex::new(());
}
const _: () = assert!(MAX_CORES <= u32::BITS as usize);

/// Returns the bit of core `index`.
const fn bit(index: usize) -> u32 {
    1_u32.wrapping_shl(index as u32)
}

/// Notes that an SPMC takes secure interrupts on this core.
pub fn begin(core: &CoreData) {
    SERVED.fetch_or(bit(core.index), Ordering::SeqCst);
}

/// Cleans up after the SPMC of this core, which is dead or did not start. Interrupts that it left active are ended, so
/// that they do not mask those of the normal world. Secure SPIs that are routed to this core are routed to a core whose
/// SPMC lives, if there is one.
#[cold]
#[inline(never)]
pub fn end(core: &CoreData) {
    // The lock is held until they are moved. If the SPMC of their new core dies meanwhile, its `end` moves them on.
    let _moving = MOVING.lock();
    leave(core);
    let served = SERVED.load(Ordering::SeqCst);
    let to = (served != 0).then(|| Plat::mpidr(served.trailing_zeros() as usize));
    gic::end_secure_world(to);
}

/// Notes that no SPMC takes secure interrupts on this core any more. For a core that goes off, of which its SPMC knows.
pub fn leave(core: &CoreData) {
    SERVED.fetch_and(!bit(core.index), Ordering::SeqCst);
}
