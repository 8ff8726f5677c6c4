//! The door of the secure world: stops counters and trace of the normal world that would otherwise observe the secure
//! world. Activity monitors and, on older CPUs, the cycle counter are held. Data of profiling and trace that are still
//! in flight are written to memory, while the translation that they need is still in place.
//!
//! EL3's own controls ([`crate::cpu_ext`]) stop most observers without this. This module is for those that the CPU
//! leaves to software, or whose control the normal world can undo.

use super::{Feature, Features};
use crate::cpu_ext::{amu, pmu};

/// The state of one core's door.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// The observers that the core has, out of [`Door::ALL`].
    features: Features,
    /// The normal world's PMCR_EL0, while the secure world runs.
    pmcr: u64,
}

impl Door {
    /// The features that have to be stopped here.
    const ALL: Features =
        Features::of(&[Feature::PMU_DP, Feature::AMU, Feature::SPE, Feature::TRBE]);

    /// The door of a core with nothing to stop.
    pub const NONE: Self = Self {
        features: Features::NONE,
        pmcr: 0,
    };

    /// Makes the door of a core with `features` that comes on.
    pub fn new(features: Features) -> Self {
        Self {
            features: features.and(Self::ALL),
            pmcr: 0,
        }
    }

    /// Returns whether there is anything to stop.
    pub fn is_used(&self) -> bool {
        self.features != Features::NONE
    }

    /// Stops the observers when the normal world leaves. Its registers are still in the CPU.
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

    /// Lets the observers go on when the normal world comes back.
    pub fn open(&self) {
        if self.features.has(Feature::PMU_DP) {
            pmu::PMCR_EL0::write(self.pmcr);
        }
        if self.features.has(Feature::AMU) {
            amu::release();
        }
    }
}

/// Waits with PSB CSYNC until profiling data are written to their buffer, before the translation changes.
fn drain_profiling() {
    #[cfg(target_os = "none")]
    // SAFETY: barriers.
    unsafe {
        core::arch::asm!("hint #17", "dsb nsh", options(nostack, preserves_flags));
    }
}

/// Waits with TSB CSYNC until trace data are written to their buffer, before the translation changes.
fn drain_trace() {
    #[cfg(target_os = "none")]
    // SAFETY: barriers.
    unsafe {
        core::arch::asm!("hint #18", "dsb nsh", options(nostack, preserves_flags));
    }
}
