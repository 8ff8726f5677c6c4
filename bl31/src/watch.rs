//! Bounds in time: a secure world that is silent does not keep a core from what EL3 has asked it for.
//!
//! The secure physical timer is EL3's meanwhile, as a Group 0 interrupt that comes to EL3 before all others. At the
//! end of a run it stays so; after a request of a platform's code it is again as it was. An SPMC at S-EL1 can
//! use that timer, too: what it sets meanwhile comes when the request is over.

use crate::context::el3::scr;
use crate::core_data::CoreData;
use crate::hw::cpu;
use crate::hw::gic::{self, IntId};
use crate::hw::power;
use crate::messages::error;
use crate::patience::{Overdue, Watch};
use janus_plat::{Plat, Platform, Stop};
use janus_spmd::World;

/// What a Group 0 interrupt is to the watch.
pub enum Due {
    /// None of its own.
    Other,
    /// The timer's, and the SPMC still has time.
    NotYet,
    /// The timer's, and the time is over: [`janus_spmd::Spmd::time_out`].
    Now,
}

/// Whether this image has code that makes requests which are watched. One without pays for none of it.
const REQUESTS: bool = !Plat::PARTITIONS.is_empty();

/// Stops the system after the platform's patience, if it has not stopped by then.
pub fn until_stop(core: &mut CoreData, how: Stop) {
    let deadline = after(Plat::STOP_PATIENCE_MS);
    core.watch = Some(Watch {
        deadline,
        overdue: Overdue::Stop(how),
    });
    route_fiqs(core, true);
    power::interrupt_at(deadline);
}

/// Watches the request that this core's SPMC is about to serve, for so many milliseconds. `hold`: the normal world's
/// interrupts wait until it is answered. Ends by [`end`].
pub fn begin(core: &mut CoreData, patience_ms: u32, hold: bool) {
    let deadline = after(patience_ms);
    route_fiqs(core, true);
    core.watch = Some(Watch {
        deadline,
        overdue: Overdue::Dead(power::borrow_timer(deadline, hold)),
    });
}

/// The request is over.
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

/// An interrupt of the normal world's waits, and the secure world runs: the SPMC gets to see it, if a request is
/// watched that may be interrupted. It then has to say that it gives way.
pub fn let_through(core: &mut CoreData) {
    if REQUESTS && core.watch.is_some() {
        route_fiqs(core, false);
    }
}

/// While the secure world runs, FIQs come to EL3 or, as usual, to the SPMC. The secure world may be current: EL3 can
/// make several requests in a row.
fn route_fiqs(core: &mut CoreData, to_el3: bool) {
    let scr_el3 = &mut core.secure.el3.scr_el3;
    *scr_el3 = if to_el3 {
        *scr_el3 | scr::FIQ
    } else {
        *scr_el3 & !scr::FIQ
    };
    if core.current() == World::Secure {
        core.system.policy.renew_el3(&core.secure.el3);
    }
}

/// The Group 0 interrupt `id` has come.
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
            // The SPMC set the timer for itself.
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

fn after(milliseconds: u32) -> u64 {
    let ticks = u64::from(milliseconds).saturating_mul(cpu::counter_frequency()) / 1000;
    cpu::counter().wrapping_add(ticks)
}
