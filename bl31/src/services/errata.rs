//! The errata management ABI (DEN0100).

use super::service::{Service, answer};
use crate::flow::{Flow};
use crate::context::mrs;
use crate::core_data::CoreData;
use crate::smc::errata;
use janus_spmd::World;

/// See the module's documentation.
pub struct Errata;

impl Service for Errata {
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        let [_, x1, x2, ..] = core.context(from).gpr;
        // The exception level of the caller: SPSR_EL3.M[3:2].
        let el1 = mrs!("SPSR_EL3") & 0b1100 == 0b0100;
        let x0 = errata::call(function, x1 as u32, x2 as u32, el1, mrs!("MIDR_EL1"));
        answer(core, from, i64::from(x0) as u64)
    }
}
