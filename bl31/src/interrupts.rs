//! Interrupts that are routed to EL3: FIQs while the normal world runs.
//!
//! Secure Group 1 belongs to the SPMC: EL3 sees that one is pending, but never acknowledges it. Group 0
//! belongs to EL3. The interrupt may be gone when EL3 looks: then there is nothing to do. Each entry handles
//! one interrupt, so that a storm of interrupts does not keep a world from running.

use crate::core_data::{CoreData, Here};
use crate::flow::Flow;
use crate::group0::{self, After};
use crate::hw::gic::{self, Pending};
use crate::requests::RunSpmc;
use crate::services::ffa;
use crate::watch;
use janus_spmd::World;

/// Handles the interrupt that brought the core to EL3 while `world` ran. `run_spmc` is for handlers that ask
/// the SPMC something. `here` is of `world`.
pub fn handle(core: &mut CoreData, world: World, run_spmc: RunSpmc, here: Here) -> Flow {
    let of_normal = world == World::Normal;
    match gic::pending() {
        Pending::Group0(_) => match group0::handle(core, of_normal.then_some(run_spmc)) {
            // The handler may have run the SPMC, and so `here` may be void.
            After::Spmc if of_normal => ffa::secure_interrupt(core, None),
            After::Dead => ffa::time_out(core),
            _ => Flow::Run(world),
        },
        Pending::SecureGroup1 if of_normal => ffa::secure_interrupt(core, Some(here)),
        Pending::NonSecureGroup1 if !of_normal => {
            watch::let_through(core);
            Flow::Run(world)
        }
        _ => Flow::Run(world),
    }
}
