//! The Arm Architecture service (SMCCC, DEN0028, section 7).

use super::service::{NOT_SUPPORTED, answer};
use crate::core_data::{CoreData, Here};
use crate::flow::Flow;
use crate::smc::arch::{self, Function};
use crate::smc::{availability, workarounds};
use crate::speculation::Cpu;
use janus_plat::{Plat, Platform};
use janus_spmd::World;
use smccc::arch::{SMCCC_ARCH_FEATURES, SMCCC_VERSION};

/// The version: SMCCC 1.5, with x4-x17 preserved, discovery by SMCCC_ARCH_FEATURES, and the SVE hint.
const VERSION: u64 = 1 << 16 | 5;

/// SMCCC's INVALID_PARAMETER.
const INVALID_PARAMETER: u64 = -3_i64 as u64;

/// Handles a call of `from`, which `here` is of.
#[inline(always)]
pub fn call(core: &mut CoreData, from: World, function: u32, here: Here) -> Flow {
    let x0 = match function {
        SMCCC_VERSION => VERSION,
        SMCCC_ARCH_FEATURES => features(core.context(from).gpr[1] as u32),
        _ => return other(core, from, function),
    };
    core.context(from).gpr[0] = x0;
    Flow::Answered(here)
}

/// Returns the function of this service that has this ID, if there is one.
#[inline(always)]
fn find(function: u32) -> Option<Function> {
    arch::find(function, Plat::HAS_SOC_ID, || workaround(function))
}

/// Returns the answer of SMCCC_ARCH_FEATURES: 0 for a function of this service that exists; for a workaround, whether
/// this CPU needs it; NOT_SUPPORTED otherwise.
fn features(function: u32) -> u64 {
    match find(function) {
        None => NOT_SUPPORTED,
        Some(Function::Workaround(told)) => i64::from(told) as u64,
        Some(_) => 0,
    }
}

#[inline(never)]
fn workaround(function: u32) -> Option<i32> {
    workarounds::features(function, &Cpu::read())
}

#[inline(never)]
fn other(core: &mut CoreData, from: World, function: u32) -> Flow {
    let x1 = core.context(from).gpr[1];
    let x0 = match find(function) {
        None => NOT_SUPPORTED,
        Some(Function::Version) => VERSION,
        Some(Function::Features) => features(x1 as u32),
        Some(Function::SocId) => soc_id(x1 as u32),
        Some(Function::FeatureAvailability) => {
            let policy = &core.system.policy;
            let bits = availability::available(x1, policy, from);
            core.context(from).gpr[1] = bits.unwrap_or(0);
            bits.map_or(INVALID_PARAMETER, |_| 0)
        }
        Some(Function::Workaround(..0)) => NOT_SUPPORTED,
        // The workaround is done at each entry to EL3, so that the call is complete already.
        Some(Function::Workaround(_)) => return Flow::Run(from),
    };
    answer(core, from, x0)
}

/// Answers SMCCC_ARCH_SOC_ID: `kind` 0 asks for the version, 1 for the revision. No platform has a name (2).
fn soc_id(kind: u32) -> u64 {
    match kind {
        _ if !Plat::HAS_SOC_ID => NOT_SUPPORTED,
        0 => Plat::soc_id().version.into(),
        1 => Plat::soc_id().revision.into(),
        _ => INVALID_PARAMETER,
    }
}
