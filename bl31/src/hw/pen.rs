//! Where cores wait while they are off: EL3's own pen.
//!
//! Boot firmware's held cores come here once, at the cold boot, and every core that CPU_OFF turns
//! off comes back. They wait with their MMU off (entry.S), so that what is written here is cleaned
//! to the point of coherency.
//!
//! They wait by WFI, which on a machine that is emulated takes nothing from the cores that run. (WFE does:
//! QEMU goes on at once.) What ends it is an SGI of Group 0, the only interrupt that reaches a parked
//! core. It cannot come too early: a core first listens for it ([`gic::listen_for_wake`]) and then
//! looks at its slot; who releases it first opens the slot and then sends.

use crate::hw::{cache, gic};
use crate::system::System;
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicU64, Ordering};
use janus_plat::{Plat, Platform};

/// A cache line, so that cleaning it disturbs no other core's.
#[repr(C, align(64))]
struct Slot {
    /// Zero: wait. The core writes zero when it leaves.
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

/// Marks a core that waits here though others have no power while they are off (CPU_FREEZE).
static HELD: AtomicU64 = AtomicU64::new(0);
const _: () = assert!(MAX_CORES <= u64::BITS as usize);

const fn bit(index: usize) -> u64 {
    1_u64.wrapping_shl(index as u32)
}

/// Core `index`, which calls this, is about to wait here.
pub fn hold(index: usize) {
    HELD.fetch_or(bit(index), Ordering::SeqCst);
}

/// Whether core `index` waits here. It does not any more: who asks lets it out.
pub fn holds(index: usize) -> bool {
    HELD.fetch_and(!bit(index), Ordering::SeqCst) & bit(index) != 0
}

/// Lets core `index` out: it goes on at `warm_main`.
pub fn release(system: &System, index: usize) {
    let Some(slot) = PEN.get(index) else { return };
    slot.go.store(1, Ordering::Release);
    cache::clean(slot);
    gic::wake(system.sri(), Plat::mpidr(index));
}

/// Makes the pen's zeroes visible to cores that run uncached. Once, before any core comes here.
pub fn init() {
    cache::clean(&PEN);
}
