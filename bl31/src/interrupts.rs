//! Interrupts that are routed to EL3: FIQs while the normal world runs.
//!
//! Secure Group 1 belongs to the SPMC and is only looked at here, never acknowledged. Group 0
//! belongs to EL3. What was pending when the exception was taken can be gone by now: then there is
//! nothing to do. Each entry handles one interrupt, so that no storm keeps a world from running.

use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::group0;
use crate::hw::gic::{self, Pending};
use crate::services;
use janus_plat::Next;
use janus_spmd::World;

/// Handles the interrupt that brought the core to EL3 while `world` ran.
pub fn handle(core: &mut CoreData, world: World) -> Flow {
    match (gic::pending(), world) {
        (Pending::Group0(_), _) => match (group0::handle(core, world == World::Secure), world) {
            (Next::Spmc, World::Normal) => services::secure_interrupt(core),
            _ => Flow::Run(world),
        },
        (Pending::SecureGroup1, World::Normal) => services::secure_interrupt(core),
        _ => Flow::Run(world),
    }
}
