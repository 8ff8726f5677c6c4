//! Group 0 interrupts, which are EL3's: the watch's timer, the doorbell, the platform's, and those without a handler.

use crate::core_data::CoreData;
use crate::hw::gic::{self, IntId};
use crate::hw::shared;
use crate::messages::error;
use crate::on_core::OnCore;
use crate::requests::RunSpmc;
use crate::sri;
use crate::watch::{self, Due};
use core::sync::atomic::{AtomicU32, Ordering};
use janus_plat::{Next, Plat, Platform};
use janus_spmd::World;

/// After each this many unclaimed Group 0 interrupts, the last one is disabled: it may be a level-sensitive
/// interrupt that stays asserted.
const UNCLAIMED_MAX: u32 = 64;

shared! {
    /// The number of Group 0 interrupts without a handler.
    static UNCLAIMED: AtomicU32 = AtomicU32::new(0);
}

/// Who runs after a Group 0 interrupt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The world that was interrupted.
    Resume,
    /// The SPMC with FFA_INTERRUPT, if the normal world was interrupted.
    Spmc,
    /// Not the SPMC: it has not answered EL3 in time.
    Dead,
}

/// Acknowledges, handles and ends the pending Group 0 interrupt, if it is still pending.
///
/// `run_spmc` lets a handler ask the SPMC something; None if the SPMC was interrupted and cannot be asked.
pub fn handle(core: &mut CoreData, run_spmc: Option<RunSpmc>) -> After {
    let Some(id) = gic::acknowledge_group0() else {
        return After::Resume;
    };
    let watched = match watch::due(core, id) {
        Due::Other => None,
        Due::NotYet => Some(After::Resume),
        Due::Now => Some(After::Dead),
    };
    if let Some(after) = watched {
        gic::end_group0(id);
        return after;
    }
    let mut after = After::Resume;
    let doorbell = core.system.sri().and_then(|sri| sri.doorbell);
    let row = Plat::GROUP0
        .iter()
        .position(|handler| handler.intid == u32::from(id));
    if doorbell == Some(id.into()) {
        request_sri(core);
    } else if let Some(row) = row {
        if call(row, &mut OnCore::new(core, run_spmc)) == Next::Spmc {
            after = After::Spmc;
        }
    } else {
        #[cfg(feature = "lab")]
        crate::lab::count(core.index, janus_plat::lab::Counter::Unclaimed, 1);
        unclaimed(id);
    }
    gic::end_group0(id);
    after
}

/// Whether this image has handlers. One without pays for none of them.
const HANDLERS: bool = !Plat::GROUP0.is_empty();
const _: () = assert!(
    Plat::GROUP0.len() <= u32::BITS as usize,
    "a platform has at most 32 Group 0 handlers"
);

/// Calls the handler of a row, and notes whether it is to be called again.
fn call(row: usize, on: &mut OnCore) -> Next {
    let Some(handler) = Plat::GROUP0.get(row) else {
        return Next::Resume;
    };
    let next = (handler.handle)(on);
    if next == Next::Later {
        on.call_later(bit(row));
    }
    next
}

const fn bit(row: usize) -> u32 {
    1_u32.wrapping_shl(row as u32)
}

/// Calls the handlers again that wait for the normal world, which is current and runs next.
#[inline(always)]
pub fn before_normal(core: &mut CoreData) {
    if waits(core) {
        call_again(core);
    }
}

/// Returns whether handlers wait for the normal world. Then this core does not sleep: their interrupts are over, and
/// would not wake it.
#[inline(always)]
pub fn waits(core: &CoreData) -> bool {
    HANDLERS && core.later != 0
}

#[cold]
#[inline(never)]
fn call_again(core: &mut CoreData) {
    // A handler that wants to be called yet again is called before the next entry.
    let waiting = core::mem::take(&mut core.later);
    for row in 0..Plat::GROUP0.len() {
        if waiting & bit(row) != 0 {
            call(row, &mut OnCore::before_normal(core));
        }
    }
}

/// Forgets the handlers that wait: this core turns off, and its normal world starts anew.
pub fn forget(core: &mut CoreData) {
    core.later = 0;
}

/// Counts a Group 0 interrupt without a handler. Reports the first one, and disables one that does not stop.
#[cold]
fn unclaimed(id: IntId) {
    let number = u32::from(id);
    let count = UNCLAIMED.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    if count == 1 {
        error!("Group 0 interrupt {number} has no handler; ended. Later ones are not reported");
    }
    if count.is_multiple_of(UNCLAIMED_MAX) && !id.is_sgi() {
        error!("{count} Group 0 interrupts had no handler: number {number} is turned off");
        gic::disable(id);
    }
}

/// Handles the doorbell: the SPMC asks for the SRI on this core. It is raised at once if the normal world is current,
/// else when it is next entered.
fn request_sri(core: &mut CoreData) {
    sri::request(&mut core.sri);
    if core.current() == World::Normal
        && let Some(spmc) = &core.system.spmc
    {
        sri::deliver(&mut core.sri, spmc, core.index);
    }
}
