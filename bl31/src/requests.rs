//! EL3's own requests to the SPMC: power messages, and messages of the platform's code.
//!
//! A request runs the secure world on this core until it has answered. Only the run loop can do that, and it calls the
//! modules that ask. To keep these from calling back up, it passes itself down as a [`RunSpmc`].

use crate::black_box;
use crate::core_data::CoreData;
use crate::hw::console;
use crate::messages::error;
use crate::spmc_event::SpmcEvent;
use crate::{served, spmc_vectors};
use janus_spmd::{Answer, NotAvailable, Request};

/// Runs the SPMC of this core until it has finished what the dispatcher asked of it: the run loop, nested.
pub type RunSpmc = fn(&mut CoreData) -> SpmcEvent;

/// Writes a request into the secure world's registers. The caller then calls [`answer`].
///
/// # Errors
///
/// Why the request cannot be made. The registers are as they were.
#[inline(always)]
pub fn begin(core: &mut CoreData, request: Request) -> Result<(), NotAvailable> {
    let spmd = &core.system.spmd;
    spmd.request(&mut core.spmd, request, core.secure.args())
}

/// Runs the SPMC until it has answered the request, and returns the answer. Its registers are the secure world's. If the
/// SPMC has died instead, reports that.
///
/// The run loop does not lead here again before this returns, because [`begin`] refuses a second request: the check of
/// the stack's depth (xtask/src/stack_depth.rs) relies on that.
#[inline(never)]
pub fn answer(core: &mut CoreData, run_spmc: impl FnOnce(&mut CoreData) -> SpmcEvent) -> Answer {
    match run_spmc(core) {
        SpmcEvent::Answered(answer) if answer != Answer::Aborted => answer,
        _ => {
            report_death(core);
            Answer::Aborted
        }
    }
}

/// Reports that the SPMC died on this core.
#[cold]
#[inline(never)]
pub fn report_death(core: &mut CoreData) {
    spmc_vectors::report(core);
    served::end(core);
    core.spmd.take_unfinished_line(console::spmc_line);
    let index = core.index;
    match core.spmd.death() {
        Some(why) => error!(of: index, "the SPMC died ({why}); this core goes on without FF-A"),
        None => error!(of: index, "the SPMC died; this core goes on without FF-A"),
    }
    black_box::report(true);
}
