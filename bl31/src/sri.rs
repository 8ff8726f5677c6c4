//! The schedule receiver interrupt (SRI): tells the normal world that a partition has notifications
//! (DEN0077A, "Notification signals").
//!
//! Most SPMCs raise it themselves. For those that ring the doorbell instead, and for EL3's own
//! logical partitions, EL3 does it here. It is *delayed*: a request is kept until this core enters
//! the normal world, so that the SPMC is not preempted by it, and any number of requests become one
//! interrupt.
//!
//! None is lost. A core that turns off hands its request to one that is on. A doorbell rung at a core
//! that is off is found by the core that rang it, on its way back to the normal world, which gets the
//! interrupt instead. Between the two: a core first says that it is away and then looks for a
//! doorbell; who rings first rings and then looks who is away.

use crate::hw::{gic, shared};
use crate::system::Spmc;
use crate::topology;
use core::sync::atomic::{AtomicU32, Ordering};
use janus_plat::{Plat, Platform};

/// What an entry into the normal world has to do for the SRI on this core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Todo(u8);

impl Todo {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Raise it.
    const RAISE: u8 = 1 << 0;
    /// Look whether the SPMC rang at a core that is off. Stays set.
    const LOOK: u8 = 1 << 1;

    /// Whether there is anything.
    #[inline(always)]
    pub const fn any(self) -> bool {
        self.0 != 0
    }
}

shared! {
    /// The cores that are off, or about to be: a bit each.
    static AWAY: AtomicU32 = AtomicU32::new(0);
}
const _: () = assert!(Plat::MAX_CORES <= u32::BITS as usize);

const fn bit(index: usize) -> u32 {
    1_u32.wrapping_shl(index as u32)
}

/// Core `index` is off.
pub fn away(index: usize) {
    AWAY.fetch_or(bit(index), Ordering::SeqCst);
}

/// Core `index` is on; its SPMC rings the doorbell if `doorbell` says so.
pub fn start(todo: &mut Todo, index: usize, doorbell: bool) {
    AWAY.fetch_and(!bit(index), Ordering::SeqCst);
    if doorbell {
        todo.0 |= Todo::LOOK;
    }
}

/// Has the normal world of this core get the SRI when it runs next.
pub fn request(todo: &mut Todo) {
    todo.0 |= Todo::RAISE;
}

/// Does what is to be done for core `index`, whose normal world is about to run.
#[cold]
pub fn deliver(todo: &mut Todo, spmc: &Spmc, index: usize) {
    let mut raise = todo.0 & Todo::RAISE != 0;
    todo.0 &= !Todo::RAISE;
    raise |= rung_in_vain(spmc);
    if raise {
        gic::send_to_normal_world(spmc.sri.id, Plat::mpidr(index));
    }
}

/// Whether the SPMC rang at a core that is away. Who asks has taken it over.
fn rung_in_vain(spmc: &Spmc) -> bool {
    let away = AWAY.load(Ordering::SeqCst);
    let is_away = |mpidr| Plat::core_index(mpidr).is_some_and(|index| away & bit(index) != 0);
    let rung = |doorbell| gic::take_doorbells(doorbell, &is_away);
    away != 0 && spmc.sri.doorbell.is_some_and(rung)
}

/// Core `index` is about to be off: what is wanted there goes to a core that stays on.
pub fn hand_over(todo: &mut Todo, spmc: Option<&Spmc>, index: usize) {
    away(index);
    let Some(spmc) = spmc else {
        return;
    };
    let rung = rung_in_vain(spmc);
    if todo.0 & Todo::RAISE == 0 && !rung {
        return;
    }
    let away = AWAY.load(Ordering::SeqCst);
    let on = |&index: &usize| topology::core_exists(index) && away & bit(index) == 0;
    // With nobody else on it stays here, for the next start of this core.
    todo.0 |= Todo::RAISE;
    if let Some(index) = (0..Plat::MAX_CORES).find(on) {
        todo.0 &= !Todo::RAISE;
        gic::send_to_normal_world(spmc.sri.id, Plat::mpidr(index));
    }
}
