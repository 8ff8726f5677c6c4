//! The trait of a service, and functions for its answers.

use crate::core_data::CoreData;
use crate::flow::Flow;
use janus_spmd::World;

/// SMCCC's answer to an unknown function, -1 in x0.
pub const NOT_SUPPORTED: u64 = -1_i64 as u64;

/// A group of SMC functions with one owner.
pub trait Service {
    /// Handles the call of `function` in x0-x17 of `from`'s context. Returns what runs next.
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow;
}

/// Answers an unknown function.
#[inline(always)]
pub fn unknown(core: &mut CoreData, from: World) -> Flow {
    answer(core, from, NOT_SUPPORTED)
}

/// Answers in x0 alone.
#[inline(always)]
pub fn answer(core: &mut CoreData, from: World, x0: u64) -> Flow {
    core.context(from).gpr[0] = x0;
    Flow::Run(from)
}

/// Answers in w0 and the registers that follow.
#[inline(never)]
pub fn words(core: &mut CoreData, from: World, words: &[u32]) -> Flow {
    for (register, word) in core.context(from).gpr.iter_mut().zip(words) {
        *register = (*word).into();
    }
    Flow::Run(from)
}
