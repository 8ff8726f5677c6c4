//! EL3 logical partitions (DEN0077A): code of the platform at EL3 that talks to secure partitions.
//!
//! To a partition a request is a function call. Here it becomes what it is: a request of the
//! dispatcher, and the secure world running until it has answered.

use crate::core_data::CoreData;
use crate::messages::error;
use crate::on_core::OnCore;
use crate::run::run_spmc;
use janus_plat::{Plat, Platform};
use janus_spmd::LogicalPartition;

/// The platform's partitions; none if there is something wrong with them, which is reported.
pub fn partitions() -> &'static [&'static dyn LogicalPartition] {
    match janus_spmd::check_partitions(Plat::PARTITIONS) {
        Ok(()) => Plat::PARTITIONS,
        Err(why) => {
            error!("no EL3 logical partitions: {why}");
            &[]
        }
    }
}

/// Starts the partitions: once, on the boot core, when the SPMC is up.
pub fn start(core: &mut CoreData) {
    if Plat::PARTITIONS.is_empty() {
        return;
    }
    let spmc = core.system.spmd.spmc();
    for partition in spmc.map_or(&[][..], |spmc| spmc.partitions) {
        partition.start(&mut OnCore::new(core, Some(run_spmc)));
    }
}
