// SPDX-License-Identifier: BSD-3-Clause

//! The state of each core: one word, changed by compare-exchange, read by anybody.
//!
//! The low two bits are what AFFINITY_INFO says, so that it is a load and a mask. Only CPU_ON
//! changes the word of another core, and only from OFF; every other change is a core's own. The
//! number of cores that are not off is kept apart from the words, because SYSTEM_SUSPEND cannot
//! read all words at once. The number goes up before anybody can see the new core's word, and a
//! core that turns off lowers it in its last act but one.

use crate::decision::{Arrival, ArrivalReason};
use crate::error::Error;
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use smccc::psci::AffinityState;

const ON: u32 = AffinityState::On as u32;
const OFF: u32 = AffinityState::Off as u32;
const ON_PENDING: u32 = AffinityState::OnPending as u32;
const AFFINITY_STATE: u32 = 0b11;

/// With ON_PENDING: CPU_ON is still writing the entry point.
const CLAIMED: u32 = 1 << 2;
/// With ON_PENDING: the core has come, and is on its way into the normal world.
const ARRIVED: u32 = 1 << 5;
/// With ON: in a power-down suspend.
const SUSPENDED: u32 = 1 << 3;
/// With SUSPENDED: by SYSTEM_SUSPEND.
const SYSTEM: u32 = 1 << 4;

/// A core. Its own cache line, since cores poll each other.
#[derive(Debug)]
#[repr(align(64))]
struct Core {
    word: AtomicU32,
    entry: AtomicU64,
    context: AtomicU64,
}

/// All cores.
#[derive(Debug)]
pub(crate) struct Cores<const CORES: usize> {
    cores: [Core; CORES],
    not_off: AtomicUsize,
}

impl<const CORES: usize> Cores<CORES> {
    /// All zero; see [`Cores::boot`].
    #[cfg(not(feature = "loom"))]
    pub(crate) const fn new() -> Self {
        let cores = [const {
            Core {
                word: AtomicU32::new(0),
                entry: AtomicU64::new(0),
                context: AtomicU64::new(0),
            }
        }; CORES];
        Self {
            cores,
            not_off: AtomicUsize::new(0),
        }
    }

    /// All zero; see [`Cores::boot`].
    #[cfg(feature = "loom")]
    pub(crate) fn new() -> Self {
        Self {
            cores: core::array::from_fn(|_| Core {
                word: AtomicU32::new(0),
                entry: AtomicU64::new(0),
                context: AtomicU64::new(0),
            }),
            not_off: AtomicUsize::new(0),
        }
    }

    /// The boot core is on, all others are off.
    pub(crate) fn boot(&self, core: usize) {
        for core in &self.cores {
            core.word.store(OFF, Ordering::Release);
        }
        if let Some(core) = self.cores.get(core) {
            self.not_off.fetch_add(1, Ordering::Relaxed);
            core.word.store(ON, Ordering::Release);
        }
    }

    /// AFFINITY_INFO of one core.
    #[inline(always)]
    pub(crate) fn affinity_state(&self, core: usize) -> Option<u32> {
        Some(self.cores.get(core)?.word.load(Ordering::Acquire) & AFFINITY_STATE)
    }

    /// CPU_ON: claims the core. Of several callers, one gets it.
    pub(crate) fn turn_on(&self, core: usize, entry: u64, context: u64) -> Result<(), Error> {
        let core = self.cores.get(core).ok_or(Error::InvalidParameters)?;
        // Before the claim: nobody can find this core alone while another one comes up.
        self.not_off.fetch_add(1, Ordering::SeqCst);
        let claimed = ON_PENDING | CLAIMED;
        let claim = core
            .word
            .compare_exchange(OFF, claimed, Ordering::AcqRel, Ordering::Acquire);
        if let Err(word) = claim {
            self.not_off.fetch_sub(1, Ordering::SeqCst);
            return Err(match word & AFFINITY_STATE {
                ON_PENDING => Error::OnPending,
                _ => Error::AlreadyOn,
            });
        }
        core.entry.store(entry, Ordering::Relaxed);
        core.context.store(context, Ordering::Relaxed);
        core.word.store(ON_PENDING, Ordering::Release);
        Ok(())
    }

    /// The claimed core could not be started, and is off again. False if it has come all the same: it was
    /// still going off, and its power-down did not happen.
    pub(crate) fn turn_on_failed(&self, core: usize) -> bool {
        let Some(core) = self.cores.get(core) else {
            return true;
        };
        let failed = core
            .word
            .compare_exchange(ON_PENDING, OFF, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if failed {
            self.not_off.fetch_sub(1, Ordering::SeqCst);
        }
        failed
    }

    /// Where the core that arrives at EL3 goes on. `None` if nobody sent it.
    pub(crate) fn arrive(&self, core: usize) -> Option<Arrival> {
        let core = self.cores.get(core)?;
        let come = core.word.compare_exchange(
            ON_PENDING,
            ON_PENDING | ARRIVED,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        let reason = match come.unwrap_or_else(|word| word) {
            ON_PENDING => ArrivalReason::CpuOn,
            word if word == ON | SUSPENDED => ArrivalReason::CpuSuspend,
            word if word == ON | SUSPENDED | SYSTEM => ArrivalReason::SystemSuspend,
            _ => return None,
        };
        Some(Arrival {
            entry: core.entry.load(Ordering::Relaxed),
            context: core.context.load(Ordering::Relaxed),
            reason,
        })
    }

    /// The core is about to enter the normal world.
    pub(crate) fn on(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            core.word.store(ON, Ordering::Release);
        }
    }

    /// The core's last act.
    pub(crate) fn off(&self, core: usize) {
        if let Some(core) = self.cores.get(core) {
            self.not_off.fetch_sub(1, Ordering::SeqCst);
            core.word.store(OFF, Ordering::Release);
        }
    }

    /// The core goes into a power-down suspend.
    pub(crate) fn suspend(&self, core: usize, entry: u64, context: u64, system: bool) {
        if let Some(core) = self.cores.get(core) {
            core.entry.store(entry, Ordering::Relaxed);
            core.context.store(context, Ordering::Relaxed);
            let system = if system { SYSTEM } else { 0 };
            core.word.store(ON | SUSPENDED | system, Ordering::Release);
        }
    }

    /// How many cores are not off.
    pub(crate) fn not_off(&self) -> usize {
        self.not_off.load(Ordering::SeqCst)
    }

    /// Returns whether all cores but `core` are off, and must stay so until `core` turns one on.
    ///
    /// The number says that nobody else runs who could turn a core on; the words, that nobody is
    /// between its last act but one and its last.
    pub(crate) fn alone(&self, core: usize) -> bool {
        self.not_off() == 1
            && self
                .cores
                .iter()
                .enumerate()
                .all(|(other, state)| other == core || state.word.load(Ordering::Acquire) == OFF)
    }
}
