//! Counts what EL3 sees, for tests in a lab (feature `lab`; the platform's calls hand it out).

use crate::hw::shared;
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use janus_plat::lab::{COUNTERS, Counter, REFUSED_NORMAL, REFUSED_SECURE};
use janus_spmd::{Refusal, World};

/// Rules by which the dispatcher refuses.
const RULES: usize = Refusal::RULES as usize;

/// Of each core: counters, and refused calls of both worlds by rule.
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

/// Something happened `times` on core `core`.
pub fn count(core: usize, counter: Counter, times: u32) {
    let counts = COUNTS.get(core).map(|of| &of.counters);
    if let Some(count) = counts.and_then(|counts| counts.get(counter as usize)) {
        count.fetch_add(times.into(), Relaxed);
    }
}

/// A call of `from` is refused on core `core`, or not.
pub fn refused(core: usize, from: World, refusal: Option<Refusal>) {
    let Some(refusal) = refusal else { return };
    let counts = COUNTS.get(core).map(|of| &of.refused);
    let counts = counts.and_then(|of| of.get(from as usize));
    if let Some(count) = counts.and_then(|of| of.get(usize::from(refusal.rule()))) {
        count.fetch_add(1, Relaxed);
    }
}

/// The counter with this number on a core, or on all; None if there is no such counter or core.
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
