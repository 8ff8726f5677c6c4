//! SMC dispatch: which service answers which function.
//!
//! A service is one file here and one implementation of [`Service`]. The registers of the call are
//! x0-x17 of the caller's context; a service changes the ones that its answer uses and leaves the
//! others, as SMCCC demands. Nothing is decoded that the decision does not need.

use crate::core_data::CoreData;
use janus_spmd::World;

mod arch;
mod errata;
mod ffa;
pub mod partitions;
mod psci;
mod standard;
mod trng;

pub use ffa::{report_death, secure_interrupt};
pub use psci::arrive;

/// SMCCC's answer to an unknown function, -1 in x0.
pub const NOT_SUPPORTED: u64 = -1_i64 as u64;

/// What handling an exit leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// This world runs next.
    Run(World),
    /// The SPMC has finished what EL3 asked of it: [`CoreData::event`].
    Spmc,
}

/// What the SPMC has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpmcEvent {
    /// Its initialisation on this core.
    Ready,
    /// Its initialisation on this core, in vain; why has been reported.
    Failed,
    /// A request of the dispatcher, with this answer.
    Answered(janus_spmd::Answer),
}

/// A group of SMC functions with one owner.
pub trait Service {
    /// Handles the call in x0-x17 of `from`'s context.
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow;
}

/// Functions of the Arm Architecture service (SMCCC section 6): owning entity 0.
const ARCH: u32 = 0x8000_0000;
/// Functions of the Standard Secure service: owning entity 4.
const STANDARD: u32 = 0x8400_0000;
/// Bit 30: the SMC64 convention.
const SMC64: u32 = 1 << 30;
/// Bit 16: "no live SVE state" (SMCCC 1.3), a hint, not part of the function's number.
const SVE_HINT: u32 = 1 << 16;

/// Handles an SMC of `from`.
#[inline(always)]
pub fn call(core: &mut CoreData, from: World) -> Flow {
    let function = core.context(from).gpr[0] as u32;
    let number = (function & !(SMC64 | SVE_HINT)).wrapping_sub(STANDARD);
    if matches!(number, 0x60..=0xef) {
        ffa::Ffa::call(core, from, function)
    } else if number <= 0x1f {
        psci::Psci::call(core, from, function & !SVE_HINT)
    } else if number.wrapping_sub(ARCH.wrapping_sub(STANDARD)) <= 0xffff {
        arch::Arch::call(core, from, function & !SVE_HINT)
    } else if number <= 0xffff {
        seldom(core, from, function & !SVE_HINT)
    } else {
        unknown(core, from)
    }
}

/// The services of owning entity 4 that are called a few times after boot.
#[inline(never)]
fn seldom(core: &mut CoreData, from: World, function: u32) -> Flow {
    match (function & !SMC64).wrapping_sub(STANDARD) {
        0x50..=0x5f => trng::Trng::call(core, from, function),
        0xf0..=0xff => errata::Errata::call(core, from, function),
        0xff00..=0xffff => standard::Standard::call(core, from, function),
        _ => unknown(core, from),
    }
}

/// Answers a function that nobody owns.
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
