//! SMC dispatch: finds the service that answers a function.
//!
//! Each service is one file here with one implementation of [`service::Service`]. The registers of the call are
//! x0-x17 of the caller's context. A service changes those that its answer uses and leaves the
//! others, as SMCCC requires. Only what a decision needs is decoded.

use crate::core_data::{CoreData, Here};
use crate::flow::Flow;
use crate::run::{run_spmc, switch_to_normal};
use janus_arm::{SMC64, SVE_HINT};
use janus_plat::services::FAST;
use janus_spmd::World;
use service::{NOT_SUPPORTED, Service};

mod arch;
mod errata;
pub mod ffa;
mod lfa;
pub mod partitions;
mod platform;
mod psci;
pub mod service;
mod standard;
mod trng;

pub use psci::come_back;

/// The first function of the Arm Architecture service (SMCCC section 6), owning entity 0.
const ARCH: u32 = 0x8000_0000;
/// The first function of the Standard Secure service, owning entity 4.
const STANDARD: u32 = 0x8400_0000;
/// The range of call numbers, as [`call`] computes them, from the lowest to the highest owner that has a service: its
/// start and its length. The Architecture service is not in it. Owners outside of the range need no further test.
const RARE: (u32, u32) = {
    let (low, high) = platform::owners(4);
    (
        (low << 24).wrapping_sub(4 << 24),
        (high - low) << 24 | 0xff_ffff,
    )
};

/// Handles an SMC of `from`, which `here` is of. `SHORT_CUTS`: calls of FF-A that need no decision take a faster way,
/// which has code of its own.
#[inline(always)]
pub fn call<const SHORT_CUTS: bool>(core: &mut CoreData, from: World, here: Here) -> Flow {
    let function = core.context(from).gpr[0] as u32;
    let started = from == World::Normal && {
        let by_time = partitions::start_overdue(core);
        let by_call = janus_spmd::is_ffa(function) && partitions::start_when_fixed(core);
        by_time || by_call
    };
    let here = if started {
        // The SPMC may have run, and so `here` is void.
        switch_to_normal(core)
    } else {
        here
    };
    if SHORT_CUTS && janus_spmd::place_from(from, function) < janus_spmd::PLACES {
        if ffa::forwards(core, from, function) {
            return Flow::Forwarded(here);
        }
        match from {
            World::Normal if ffa::answers(core) => return Flow::Answered(here),
            World::Secure if ffa::resumes(core) => return Flow::Forwarded(here),
            _ => {}
        }
    }
    if janus_spmd::is_ffa(function) {
        return ffa::decide(core, from, function, here);
    }
    match from {
        World::Normal => other_call(core, World::Normal, function, here),
        World::Secure => other_call_of_spmc(core, function, here),
    }
}

/// Handles a call of the SPMC that is not one of FF-A.
#[inline(never)]
fn other_call_of_spmc(core: &mut CoreData, function: u32, here: Here) -> Flow {
    core.note_call(function);
    other_call(core, World::Secure, function, here)
}

/// Handles a call of `from`, which `here` is of, that is not one of FF-A.
#[inline(always)]
fn other_call(core: &mut CoreData, from: World, function: u32, here: Here) -> Flow {
    if janus_psci::in_range(function) {
        return psci::call(core, from, function, here);
    }
    let number = (function & !(SMC64 | SVE_HINT)).wrapping_sub(STANDARD);
    if number.wrapping_sub(ARCH.wrapping_sub(STANDARD)) <= 0xffff {
        arch::call(core, from, function & !SVE_HINT, here)
    } else if number.wrapping_sub(RARE.0) <= RARE.1
        || platform::YIELDING && (number ^ FAST).wrapping_sub(RARE.0) <= RARE.1
    {
        rare_call(core, from, function & !SVE_HINT)
    } else {
        core.context(from).gpr[0] = NOT_SUPPORTED;
        Flow::Answered(here)
    }
}

/// Handles calls of services that are called only a few times after boot: the rest of owning entity 4, and the
/// platform's.
#[inline(never)]
fn rare_call(core: &mut CoreData, from: World, function: u32) -> Flow {
    match (function & !SMC64).wrapping_sub(STANDARD) {
        0x50..=0x5f => trng::Trng::call(core, from, function),
        0xf0..=0xff => errata::Errata::call(core, from, function),
        0x2e0..=0x2ef if lfa::EXISTS => lfa::call(core, from, function, run_spmc),
        0xff00..=0xffff => standard::Standard::call(core, from, function),
        _ => platform::call(core, from, function),
    }
}
