//! Interrupts of the normal world: a handler per interrupt, and counts.
//!
//! The SPMC takes no interrupt as an exception. It runs with interrupts masked, and polls when EL3 or a case tells it
//! to.

use crate::arch::{MAX_CORES, cpu, gic};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

/// A handler. It runs between the acknowledgement and the end of the interrupt.
pub type Handler = fn(core: usize, intid: u32);

/// The number of INTIDs that can have a handler.
const INTIDS: usize = 64;

static HANDLERS: [AtomicUsize; INTIDS] = [const { AtomicUsize::new(0) }; INTIDS];
static COUNTS: [[AtomicU32; INTIDS]; MAX_CORES] =
    [const { [const { AtomicU32::new(0) }; INTIDS] }; MAX_CORES];

/// Installs `handler` for `intid` on all cores.
pub fn install(intid: u32, handler: Handler) {
    HANDLERS[intid as usize].store(handler as usize, SeqCst);
}

/// Handles an interrupt that is only counted. It is not for a level-sensitive interrupt that stays asserted.
pub fn count_only(_: usize, _: u32) {}

/// Returns how often `intid` was taken on core `number`.
pub fn count(number: usize, intid: u32) -> u32 {
    COUNTS[number][intid as usize].load(SeqCst)
}

/// Handles an interrupt. Called by the vectors.
pub fn interrupted(fiq: bool) {
    let core = cpu::number();
    assert!(
        !fiq,
        "an FIQ was taken: ISR_EL1 {:#x}",
        gic::pending_lines()
    );
    let intid = gic::acknowledge();
    if intid >= gic::SPECIAL {
        return;
    }
    let handler = HANDLERS.get(intid as usize).map_or(0, |h| h.load(SeqCst));
    assert!(handler != 0, "interrupt {intid} came, which nobody expects");
    COUNTS[core][intid as usize].fetch_add(1, SeqCst);
    // SAFETY: only `install` stores here, and it stores function pointers of this type.
    let handler: Handler = unsafe { core::mem::transmute::<usize, Handler>(handler) };
    handler(core, intid);
    gic::end(intid);
}
