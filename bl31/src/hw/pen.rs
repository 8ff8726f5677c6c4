//! The pen: the place where cores wait while they are off.
//!
//! Cores that boot firmware held come here at the cold boot, and every core that is turned off by CPU_OFF comes back
//! here. They wait with their MMU off (entry.S), so that what is written here must be cleaned to the point of
//! coherency.
//!
//! They wait by WFI, which costs nothing on an emulated machine. (WFE does: QEMU goes on at once.) An SGI of Group 0,
//! the only interrupt that a parked core takes, ends the WFI. It cannot be missed: a core first enables it
//! ([`gic::listen_for_wake`]) and then looks at its slot; the core that releases it first opens the slot and then sends
//! the SGI.

use crate::hw::{cache, gic};
use crate::system::System;
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicU64, Ordering};
use janus_plat::{Plat, Platform};

/// One core's place in the pen. It fills a cache line, so that cleaning it does not affect the slots of other cores.
#[repr(C, align(64))]
struct Slot {
    /// Zero while the core has to wait. The core itself writes zero when it leaves.
    go: AtomicU64,
}

/// The size of a slot as a shift, for entry.S.
pub const SLOT_SHIFT: u32 = size_of::<Slot>().trailing_zeros();

#[unsafe(no_mangle)]
static PEN: [Slot; MAX_CORES] = [const {
    Slot {
        go: AtomicU64::new(0),
    }
}; MAX_CORES];

/// The cores that wait here because of CPU_FREEZE, one bit each, on a platform whose other cores lose their power.
static HELD: AtomicU64 = AtomicU64::new(0);
const _: () = assert!(MAX_CORES <= u64::BITS as usize);

const fn bit(index: usize) -> u64 {
    1_u64.wrapping_shl(index as u32)
}

/// Notes that core `index`, which calls this, is about to wait here.
pub fn hold(index: usize) {
    HELD.fetch_or(bit(index), Ordering::SeqCst);
}

/// Returns whether [`hold`] has noted core `index`, and clears the note. The caller then releases the core.
pub fn holds(index: usize) -> bool {
    HELD.fetch_and(!bit(index), Ordering::SeqCst) & bit(index) != 0
}

/// Releases core `index`, which goes on at `warm_main`.
pub fn release(system: &System, index: usize) {
    let Some(slot) = PEN.get(index) else { return };
    slot.go.store(1, Ordering::Release);
    cache::clean(slot);
    gic::wake(&system.sgis, Plat::mpidr(index));
}

/// Makes the pen's zeroes visible to cores whose caches are off. Call it once, before any core comes here.
pub fn init() {
    cache::clean(&PEN);
}
