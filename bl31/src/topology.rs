//! The cores of this machine: their numbers, their affinities, and which of them exist.
//!
//! The platform says which cores there can be. The boot finds out once which exist ([`find_cores`]); entry.S and PSCI
//! look that up.

use crate::hw::{cache, shared};
use core::sync::atomic::{AtomicU64, Ordering};
use janus_arm::AFFINITY_MASK;
use janus_plat::{Plat, Platform};

/// The most cores that this image has room for.
pub const MAX_CORES: usize = Plat::MAX_CORES;

/// Bit 31 of MPIDR_EL1, which is RES1. With it, no entry of an existing core is zero.
const MPIDR_RES1: u64 = 1 << 31;

shared! {
    /// The affinity of each core, with [`MPIDR_RES1`]; zero if the core does not exist. entry.S finds the number of a
    /// starting core here.
    #[unsafe(no_mangle)]
    static CORE_AFFINITIES: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];
}

/// Returns the number of the boot core. Called by entry.S with its MPIDR_EL1 as second argument.
#[unsafe(no_mangle)]
extern "C" fn cold_core_index(_: u64, mpidr: u64) -> usize {
    let Some(index) = Plat::core_index(mpidr & AFFINITY_MASK) else {
        panic!("boot: the boot core has an impossible MPIDR");
    };
    index
}

/// Returns whether this machine has the core with this number.
#[inline(always)]
pub fn core_exists(index: usize) -> bool {
    CORE_AFFINITIES
        .get(index)
        .is_some_and(|affinity| affinity.load(Ordering::Relaxed) != 0)
}

/// Finds out which cores exist: those for whose affinity `exists` returns true. Calls `found` with the number of each.
/// Runs once, on the boot core, before any other core enters EL3.
pub fn find_cores(exists: impl Fn(u64) -> bool, found: impl Fn(usize)) {
    for (index, affinity) in CORE_AFFINITIES.iter().enumerate() {
        let mpidr = Plat::mpidr(index);
        if exists(mpidr) {
            affinity.store(mpidr | MPIDR_RES1, Ordering::Relaxed);
            found(index);
        }
    }
    // Cores that start read this table with their caches off.
    cache::clean(&CORE_AFFINITIES[..]);
}
