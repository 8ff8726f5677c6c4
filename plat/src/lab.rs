//! Calls for tests in the normal world of a lab (feature `lab`): they read what EL3 has counted, and set which
//! messages EL3 prints.
//!
//! docs/smccc.md has the calls and the counters' numbers.

use crate::{Call, El3};
use log::LevelFilter;

/// SMCCC's INVALID_PARAMETER.
const INVALID_PARAMETER: u64 = -3_i64 as u64;

/// What is counted per core. The discriminant is the number that the call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Calls of the normal world.
    NormalSmc = 0,
    /// Calls of the SPMC.
    SecureSmc = 1,
    /// Other synchronous exceptions of the normal world.
    NormalTrap = 2,
    /// Other synchronous exceptions of the secure world.
    SecureTrap = 3,
    /// Interrupts that EL3 took from the normal world.
    NormalInterrupt = 4,
    /// Interrupts that EL3 took from the secure world.
    SecureInterrupt = 5,
    /// SErrors of the normal world.
    NormalSError = 6,
    /// SErrors of the secure world.
    SecureSError = 7,
    /// Group 0 interrupts without a handler.
    Unclaimed = 8,
    /// Bytes that the console lost.
    LostBytes = 9,
}

/// The number of counters.
pub const COUNTERS: usize = 10;
/// The counter of the normal world's FF-A calls that the dispatcher refused by rule 0. Rules follow.
pub const REFUSED_NORMAL: u32 = 0x100;
/// The counter of the refused FF-A calls of the SPMC, likewise.
pub const REFUSED_SECURE: u32 = 0x200;

/// w1: a counter; w2: a core's number, or 0xffff_ffff for all. x1: its count; in the 32-bit form w1 is the low
/// half and w2 the high one.
pub(crate) fn counter(el3: &mut dyn El3, call: &Call) {
    let which = call.parameter(el3, 1) as u32;
    let core = match call.parameter(el3, 2) as u32 {
        u32::MAX => None,
        core => Some(core as usize),
    };
    match el3.counter(which, core) {
        Some(count) if call.is_64() => call.answer(el3, &[0, count]),
        Some(count) => call.answer(el3, &[0, count, count >> 32]),
        None => call.answer(el3, &[INVALID_PARAMETER]),
    }
}

/// w1: the most verbose messages that are printed from now on: 0 none, 1 errors, 2 warnings, 3 what a person wants to
/// see, 4 and 5 more. w1 of the answer: what it was.
pub(crate) fn log_level(el3: &mut dyn El3, call: &Call) {
    let level = match call.parameter(el3, 1) {
        0 => LevelFilter::Off,
        1 => LevelFilter::Error,
        2 => LevelFilter::Warn,
        3 => LevelFilter::Info,
        4 => LevelFilter::Debug,
        5 => LevelFilter::Trace,
        _ => return call.answer(el3, &[INVALID_PARAMETER]),
    };
    let before = log::max_level() as u64;
    log::set_max_level(level);
    call.answer(el3, &[0, before]);
}
