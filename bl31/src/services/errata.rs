//! The errata management ABI (DEN0100).

use super::service::{Service, answer};
use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::smc::errata;
use janus_context::spsr;
use janus_context::sysreg::{MIDR_EL1, SPSR_EL3};
use janus_spmd::World;

/// The errata management service.
pub struct Errata;

impl Service for Errata {
    #[inline(never)]
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        let [_, x1, x2, ..] = core.context(from).gpr;
        let el = spsr::el(SPSR_EL3::read());
        let x0 = errata::call(function, x1 as u32, x2 as u32, el, MIDR_EL1::read());
        answer(core, from, i64::from(x0) as u64)
    }
}
