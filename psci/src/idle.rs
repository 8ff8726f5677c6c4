// SPDX-License-Identifier: BSD-3-Clause

//! The low-power state of a core itself, level 0 of the power domain tree, and its statistics.
//!
//! Only the core writes these, so it can enter a standby state without the tree's lock: no domain above the core takes
//! part in that. So idle cores do not wait for each other.

use crate::platform::STATES;
use crate::sync::{AtomicU8, AtomicU64, Ordering, fence};

/// In `depth`: the core sleeps without the tree knowing of it.
const ALONE: u8 = 0x80;

/// How long the core was in one state, in ticks, and how often.
#[derive(Debug)]
struct Statistic {
    ticks: AtomicU64,
    count: AtomicU64,
}

/// One core's state.
#[derive(Debug)]
pub(crate) struct Idle {
    /// The state, 0 while the core runs, with [`ALONE`].
    depth: AtomicU8,
    /// Since when, in ticks.
    since: AtomicU64,
    statistics: [Statistic; STATES],
}

/// Any core may call [`Idle::depth`], [`Idle::is_alone`] and [`Idle::statistic`]; all else is the core's own.
impl Idle {
    /// A core that runs.
    #[cfg(not(feature = "loom"))]
    pub(crate) const fn new() -> Self {
        Self {
            depth: AtomicU8::new(0),
            since: AtomicU64::new(0),
            statistics: [const {
                Statistic {
                    ticks: AtomicU64::new(0),
                    count: AtomicU64::new(0),
                }
            }; STATES],
        }
    }

    /// A core that runs.
    #[cfg(feature = "loom")]
    pub(crate) fn new() -> Self {
        Self {
            depth: AtomicU8::new(0),
            since: AtomicU64::new(0),
            statistics: core::array::from_fn(|_| Statistic {
                ticks: AtomicU64::new(0),
                count: AtomicU64::new(0),
            }),
        }
    }

    /// Notes that the core enters the state `depth`.
    #[inline(always)]
    pub(crate) fn enter(&self, depth: u8, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.depth.store(depth, Ordering::Relaxed);
    }

    /// Notes that the core enters the state `depth` without the tree's lock. What it reads after that is at least as
    /// new as what a core wrote, before a sequentially consistent fence, that finds [`Idle::is_alone`] false.
    #[inline(always)]
    pub(crate) fn enter_alone(&self, depth: u8, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.depth.store(depth | ALONE, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Takes [`Idle::enter_alone`] back: the core did not sleep.
    pub(crate) fn run(&self) {
        self.depth.store(0, Ordering::Relaxed);
    }

    /// Returns whether the core is in a state that it entered alone.
    #[inline(always)]
    pub(crate) fn is_alone(&self) -> bool {
        self.depth.load(Ordering::Relaxed) & ALONE != 0
    }

    /// Notes that the core runs again. Counts its sleep, and returns how deep that was.
    #[inline(always)]
    pub(crate) fn leave(&self, now: u64) -> u8 {
        let depth = self.depth();
        self.depth.store(0, Ordering::Relaxed);
        if let Some(statistic) = usize::from(depth)
            .checked_sub(1)
            .and_then(|state| self.statistics.get(state))
        {
            let slept = now.wrapping_sub(self.since.load(Ordering::Relaxed));
            // Nobody else writes these.
            let add = |to: &AtomicU64, more| {
                let sum = to.load(Ordering::Relaxed).wrapping_add(more);
                to.store(sum, Ordering::Relaxed);
            };
            add(&statistic.ticks, slept);
            add(&statistic.count, 1);
        }
        depth
    }

    /// Returns how deep the core sleeps; 0 if it runs.
    #[inline(always)]
    pub(crate) fn depth(&self) -> u8 {
        self.depth.load(Ordering::Relaxed) & !ALONE
    }

    /// Returns how long, in ticks, and how often the core was in the state `depth`.
    pub(crate) fn statistic(&self, depth: u8) -> (u64, u64) {
        usize::from(depth)
            .checked_sub(1)
            .and_then(|state| self.statistics.get(state))
            .map_or((0, 0), |statistic| {
                (
                    statistic.ticks.load(Ordering::Relaxed),
                    statistic.count.load(Ordering::Relaxed),
                )
            })
    }
}
