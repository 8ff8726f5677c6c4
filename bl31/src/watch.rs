//! The watch: it bounds the time for which EL3 waits for the SPMC's answer.
//!
//! It uses the secure physical timer, as a Group 0 interrupt of the highest priority. When the system stops, EL3 keeps
//! the timer. For a request of a platform's code it borrows the timer, and gives it back as it was. An SPMC at S-EL1
//! may use that timer too: an interrupt that it has set up for this time comes when the request is over.

use crate::core_data::CoreData;
use crate::hw::cpu;
use crate::hw::gic::{self, IntId};
use crate::hw::power;
use crate::messages::error;
use crate::patience::{Overdue, Watch};
use janus_plat::{Plat, Platform, Stop};
use janus_spmd::World;

/// What a Group 0 interrupt means to the watch.
pub enum Due {
    /// It is not the timer's.
    Other,
    /// It is the timer's, and the SPMC still has time.
    NotYet,
    /// It is the timer's, and the time is over: call [`janus_spmd::Spmd::time_out`].
    Now,
}

/// Whether this image has EL3 logical partitions, whose requests are watched. Without them the compiler leaves this
/// code out.
const REQUESTS: bool = !Plat::PARTITIONS.is_empty();

/// Starts the watch before the SPMC is told that the system stops. If it does not answer within
/// `Platform::STOP_PATIENCE_MS`, the system stops without its answer.
pub fn until_stop(core: &mut CoreData, how: Stop) {
    let deadline = after(Plat::STOP_PATIENCE_MS);
    core.watch = Some(Watch {
        deadline,
        overdue: Overdue::Stop(how),
    });
    route_fiqs(core, true);
    power::interrupt_at(deadline);
}

/// Starts the watch before this core's SPMC is entered with a request, which it has to answer within `patience_ms`.
/// `hold`: interrupts of the normal world wait for the answer. [`end`] ends the watch.
pub fn begin(core: &mut CoreData, patience_ms: u32, hold: bool) {
    let deadline = after(patience_ms);
    route_fiqs(core, true);
    core.watch = Some(Watch {
        deadline,
        overdue: Overdue::Dead(power::borrow_timer(deadline, hold)),
    });
}

/// Ends the watch of a request that is over, and gives the timer back.
pub fn end(core: &mut CoreData) {
    if let Some(Watch {
        deadline,
        overdue: Overdue::Dead(lent),
    }) = core.watch.take()
    {
        route_fiqs(core, false);
        power::return_timer(lent, deadline, core.spmd.has_spmc());
    }
}

/// Routes FIQs to the SPMC, because an interrupt of the normal world is pending and the watched request may end for it.
/// The SPMC then answers with FFA_INTERRUPT or FFA_YIELD. Without a watched request nothing changes.
pub fn let_through(core: &mut CoreData) {
    if REQUESTS && core.watch.is_some() {
        route_fiqs(core, false);
    }
}

/// While the secure world runs, FIQs come to EL3 or, as usual, to the SPMC. The secure world may be current: EL3 can
/// make several requests in a row.
fn route_fiqs(core: &mut CoreData, to_el3: bool) {
    core.secure.el3.route_fiqs(to_el3);
    if core.current() == World::Secure {
        core.system.policy.renew_el3(&core.secure.el3);
    }
}

/// Returns what the Group 0 interrupt `id` means. If the SPMC still has time, sets the timer again. If it has none and
/// the system stops, does not return.
pub fn due(core: &mut CoreData, id: IntId) -> Due {
    let Some(watch) = core.watch.as_mut().filter(|_| gic::is_secure_timer(id)) else {
        return Due::Other;
    };
    let over = cpu::counter() >= watch.deadline;
    match &mut watch.overdue {
        Overdue::Stop(how) => {
            if over {
                error!("the SPMC does not answer that the system stops; it stops without it");
                power::stop_system(*how);
            }
            // The SPMC had set the timer to an earlier time.
            power::interrupt_at(watch.deadline);
            Due::NotYet
        }
        Overdue::Dead(_) if !REQUESTS => Due::Other,
        Overdue::Dead(_) if over => Due::Now,
        Overdue::Dead(lent) => {
            power::take_timer_again(lent, watch.deadline);
            Due::NotYet
        }
    }
}

/// Returns the value of the system counter in so many milliseconds.
fn after(milliseconds: u32) -> u64 {
    cpu::counter().wrapping_add(cpu::ticks(milliseconds))
}
