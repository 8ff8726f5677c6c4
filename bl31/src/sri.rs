//! The schedule receiver interrupt (SRI): tells the normal world that a partition has notifications
//! (DEN0077A, "Notification signals").
//!
//! Most SPMCs raise it themselves. For those that ring the doorbell instead, and for EL3's own
//! logical partitions, EL3 does it here. It is *delayed*: a request is kept until this core enters
//! the normal world, so that the SPMC is not preempted by it, and any number of requests become one
//! interrupt. None is lost: a core that turns off hands its request to one that is on, and a
//! doorbell rung at a core that is off stays pending there until the core comes on.

use crate::core_data::CoreData;
use crate::power::PSCI;
use crate::{boot, gic};
use janus_plat::{Plat, Platform};
use janus_psci::Decision;
use janus_psci::psci::PSCI_AFFINITY_INFO_64;
use janus_spmd::World;

/// Has the normal world of this core get the SRI when it runs next.
pub fn request(core: &mut CoreData) {
    core.sri_wanted = true;
    if core.current() == World::Normal {
        deliver(core);
    }
}

/// The normal world is about to run, and [`CoreData::sri_wanted`] is set.
#[cold]
pub fn deliver(core: &mut CoreData) {
    core.sri_wanted = false;
    if let Some(spmc) = &core.system.spmc {
        gic::send_to_normal_world(spmc.sri.id, Plat::mpidr(core.index));
    }
}

/// This core is about to be off: what is wanted here goes to a core that stays on.
pub fn hand_over(core: &mut CoreData) {
    let Some(spmc) = &core.system.spmc else {
        return;
    };
    let rung = spmc.sri.doorbell.is_some_and(gic::take_doorbell);
    if !core.sri_wanted && !rung {
        return;
    }
    core.sri_wanted = false;
    let on = |&index: &usize| {
        let question = [Plat::mpidr(index), 0, 0];
        boot::core_exists(index)
            && PSCI.call(core.index, PSCI_AFFINITY_INFO_64, question) == Decision::Return(0)
    };
    // With nobody else on it stays here, for the next start of this core.
    match (0..Plat::MAX_CORES)
        .filter(|&index| index != core.index)
        .find(on)
    {
        Some(index) => gic::send_to_normal_world(spmc.sri.id, Plat::mpidr(index)),
        None => core.sri_wanted = true,
    }
}
