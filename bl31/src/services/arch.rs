//! The Arm Architecture service (SMCCC, DEN0028, section 7).

use super::{Flow, NOT_SUPPORTED, Service, answer};
use crate::core_data::CoreData;
use janus_spmd::World;
use smccc::arch::{SMCCC_ARCH_FEATURES, SMCCC_VERSION};

/// SMCCC 1.5: x4-x17 preserved, FEATURES discovery, the SVE hint.
const VERSION: u64 = 1 << 16 | 5;

/// See the module's documentation.
pub struct Arch;

impl Service for Arch {
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        let x0 = match function {
            SMCCC_VERSION => VERSION,
            SMCCC_ARCH_FEATURES => features(core.context(from).gpr[1] as u32),
            _ => NOT_SUPPORTED,
        };
        answer(core, from, x0)
    }
}

/// SMCCC_ARCH_FEATURES: 0 for a function of this service that exists.
fn features(function: u32) -> u64 {
    match function {
        SMCCC_VERSION | SMCCC_ARCH_FEATURES => 0,
        _ => NOT_SUPPORTED,
    }
}
