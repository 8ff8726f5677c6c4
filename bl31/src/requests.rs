//! EL3's own requests to the SPMC: power messages, and those of the platform's code.
//!
//! A request runs the secure world on this core until it has answered, inside of whatever asks. The run loop
//! that does so lies above everything that asks, and hands itself down: [`RunSpmc`].

use crate::black_box;
use crate::core_data::CoreData;
use crate::flow::SpmcEvent;
use crate::hw::console;
use crate::messages::error;
use crate::{served, spmc_vectors};
use janus_spmd::{Answer, NotAvailable, Request};

/// Runs the SPMC of this core until it has finished what the dispatcher was told to ask of it: the run loop,
/// nested.
pub type RunSpmc = fn(&mut CoreData) -> SpmcEvent;

/// Has the SPMC, or a partition, do something, and waits for the answer. A death meanwhile is reported. The
/// answer's registers are the secure world's.
///
/// # Errors
///
/// Nobody could be asked.
pub fn ask(core: &mut CoreData, request: Request, run: RunSpmc) -> Result<Answer, NotAvailable> {
    core.system
        .spmd
        .request(&mut core.spmd, request, core.secure.args())?;
    Ok(match run(core) {
        SpmcEvent::Answered(answer) if answer != Answer::Aborted => answer,
        _ => {
            report_death(core);
            Answer::Aborted
        }
    })
}

/// Says that the SPMC died on this core.
#[cold]
#[inline(never)]
pub fn report_death(core: &mut CoreData) {
    spmc_vectors::report(core);
    served::end(core);
    core.spmd.take_unfinished_line(console::spmc_line);
    let index = core.index;
    match core.spmd.death() {
        Some(why) => error!("core {index}: the SPMC died ({why}); this core goes on without FF-A"),
        None => error!("core {index}: the SPMC died; this core goes on without FF-A"),
    }
    black_box::report(true);
}
