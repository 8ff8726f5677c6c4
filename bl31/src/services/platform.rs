//! The platform's own SMCs.

use super::service::unknown;
use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::on_core::OnCore;
use crate::requests::RunSpmc;
use crate::run::run_spmc;
use janus_arm::{SMC64, SVE_HINT};
use janus_plat::{Plat, Platform};
use janus_spmd::World;

/// Bit 31: a fast call. (A yielding call is no service's.)
const FAST: u32 = 1 << 31;

/// Handles a call of an owner that is none of EL3's own.
#[inline(always)]
pub fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
    if Plat::SERVICES.is_empty() {
        return unknown(core, from);
    }
    owned(core, from, function & !SVE_HINT)
}

#[inline(never)]
fn owned(core: &mut CoreData, from: World, function: u32) -> Flow {
    let owner = function >> 24 & 0x3f;
    let mut services = Plat::SERVICES.iter();
    let service = services.find(|(of, _)| *of as u32 == owner && function & FAST != 0);
    // Bits 23 to 17 are zero in every fast call.
    let known = function & !(FAST | SMC64 | 0x3f << 24 | 0xffff) == 0;
    // A call of the SPMC's is not answered yet: it cannot be asked meanwhile.
    let ask: Option<RunSpmc> = (from == World::Normal).then_some(run_spmc);
    match service {
        Some((_, service))
            if known && service.call(&mut OnCore::new(core, ask), from, function) =>
        {
            Flow::Run(from)
        }
        _ => unknown(core, from),
    }
}
