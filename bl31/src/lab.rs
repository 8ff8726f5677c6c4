//! Counters of what EL3 sees, for tests in a lab (feature `lab`). The platform's calls return them.

use crate::hw::shared;
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use janus_plat::lab::{COUNTERS, Counter, REFUSED_NORMAL, REFUSED_SECURE};
use janus_spmd::{Refusal, World};

/// The number of rules by which the dispatcher refuses calls.
const RULES: usize = Refusal::RULES as usize;

/// The counters of one core, and its refused calls per world and rule.
struct Counts {
    counters: [AtomicU64; COUNTERS],
    refused: [[AtomicU64; RULES]; 2],
}

shared! {
    static COUNTS: [Counts; MAX_CORES] = [const { Counts {
        counters: [const { AtomicU64::new(0) }; COUNTERS],
        refused: [const { [const { AtomicU64::new(0) }; RULES] }; 2],
    } }; MAX_CORES];
}

/// Adds `times` to a counter of core `core`.
pub fn count(core: usize, counter: Counter, times: u32) {
    let counts = COUNTS.get(core).map(|of| &of.counters);
    if let Some(count) = counts.and_then(|counts| counts.get(counter as usize)) {
        count.fetch_add(times.into(), Relaxed);
    }
}

/// Counts a refused call of world `from` on core `core`. Does nothing if `refusal` is None.
pub fn refused(core: usize, from: World, refusal: Option<Refusal>) {
    let Some(refusal) = refusal else { return };
    let counts = COUNTS.get(core).map(|of| &of.refused);
    let counts = counts.and_then(|of| of.get(from as usize));
    if let Some(count) = counts.and_then(|of| of.get(usize::from(refusal.rule()))) {
        count.fetch_add(1, Relaxed);
    }
}

/// Returns the counter with this number, of one core or, with None, the sum of all cores. Returns None if there is no
/// such counter or core.
pub fn read(number: u32, core: Option<usize>) -> Option<u64> {
    let find = |of: &Counts| {
        let number = number as usize;
        let count = if number < COUNTERS {
            of.counters.get(number)
        } else if number >= REFUSED_SECURE as usize {
            of.refused[1].get(number - REFUSED_SECURE as usize)
        } else {
            of.refused[0].get(number.checked_sub(REFUSED_NORMAL as usize)?)
        };
        count.map(|count| count.load(Relaxed))
    };
    match core {
        Some(core) => find(COUNTS.get(core)?),
        None => COUNTS
            .iter()
            .map(find)
            .try_fold(0_u64, |sum, of| Some(sum.wrapping_add(of?))),
    }
}
