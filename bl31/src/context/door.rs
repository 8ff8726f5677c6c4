//! What is done at the door of the secure world on CPUs where something that observes would follow into
//! it: activity monitors and, on older CPUs, the cycle counter are held, and what profiling and trace have
//! in flight is drained while the translation that it needs is still there.
//!
//! Most of what observes stops by itself, by EL3's own controls ([`crate::cpu_ext`]). What is here, the
//! CPU leaves to software, or to a control that the normal world can undo.

use super::{Feature, Features};
use crate::cpu_ext::{amu, pmu};

/// One core's state of what is held while its secure world runs.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// What of it the core has.
    features: Features,
    /// The normal world's PMCR_EL0.
    pmcr: u64,
}

impl Door {
    /// What has to be done something about.
    const ALL: Features =
        Features::of(&[Feature::PMU_DP, Feature::AMU, Feature::SPE, Feature::TRBE]);

    /// Nothing to do.
    pub const NONE: Self = Self {
        features: Features::NONE,
        pmcr: 0,
    };

    /// For a core with `features` that comes on.
    pub fn new(features: Features) -> Self {
        Self {
            features: features.and(Self::ALL),
            pmcr: 0,
        }
    }

    /// Whether there is anything to do.
    pub fn is_used(&self) -> bool {
        self.features != Features::NONE
    }

    /// The normal world leaves; its registers are still in the CPU.
    pub fn shut(&mut self) {
        if self.features.has(Feature::SPE) {
            drain_profiling();
        }
        if self.features.has(Feature::TRBE) {
            drain_trace();
        }
        if self.features.has(Feature::AMU) {
            amu::hold();
        }
        if self.features.has(Feature::PMU_DP) {
            self.pmcr = pmu::hold_cycles();
        }
    }

    /// The normal world comes back.
    pub fn open(&self) {
        if self.features.has(Feature::PMU_DP) {
            pmu::PMCR_EL0::write(self.pmcr);
        }
        if self.features.has(Feature::AMU) {
            amu::release();
        }
    }
}

/// PSB CSYNC: what was profiled is on its way to the buffer, by its translation, before that changes.
fn drain_profiling() {
    #[cfg(target_os = "none")]
    // SAFETY: barriers.
    unsafe {
        core::arch::asm!("hint #17", "dsb nsh", options(nostack, preserves_flags));
    }
}

/// TSB CSYNC, the same for trace.
fn drain_trace() {
    #[cfg(target_os = "none")]
    // SAFETY: barriers.
    unsafe {
        core::arch::asm!("hint #18", "dsb nsh", options(nostack, preserves_flags));
    }
}
