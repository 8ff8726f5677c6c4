//! The data that all cores share and that do not change after the boot.
//!
//! [`System`] is written once, by the boot core, before any other core runs EL3 code. Each core
//! keeps a reference in its [`crate::core_data::CoreData`]; reading it writes no cache line.

use crate::boot_params::EntryPoint;
use crate::hw::shared;
use crate::sgis::{Owners, Sri};
use janus_context::{BootCore, Policy, SpmcMode};
use janus_spmd::Spmd;
use spin::Once;

/// The SPMC as the boot found it.
pub struct Spmc {
    /// x0 to x7 at its entry on each core, as BL2 gives them. EL3 replaces x4 by the core's number.
    pub args: [u64; 8],
    /// Whether it runs at S-EL2, not S-EL1.
    pub sel2: bool,
    /// What is switched between it and the normal world.
    pub mode: SpmcMode,
    /// The schedule receiver interrupt.
    pub sri: Sri,
}

/// What the boot core has decided for all cores.
pub struct System {
    /// The dispatcher; without an SPMC it refuses every call.
    pub spmd: Spmd,
    /// The SPMC; None if there is none that can be used.
    pub spmc: Option<Spmc>,
    /// Who owns which SGI.
    pub sgis: Owners,
    /// What a world switch exchanges on this machine.
    pub policy: Policy,
    /// What the policy means for a core like the boot core.
    pub boot_core: BootCore,
    /// Where BL33 is entered, on the boot core.
    pub bl33: EntryPoint,
    /// Whether BL33 is entered at EL2 and not at EL1. Every core enters the normal world at that level.
    pub normal_el2: bool,
}

impl System {
    /// Returns the schedule receiver interrupt, if there is an SPMC.
    pub fn sri(&self) -> Option<&Sri> {
        self.spmc.as_ref().map(|spmc| &spmc.sri)
    }
}

shared! {
    static SYSTEM: Once<System> = Once::new();
}

/// Keeps what the boot core decided. Only the first call has an effect.
pub fn set(system: System) {
    SYSTEM.call_once(|| system);
}

/// Returns what the boot core decided. Panics before [`set`].
pub fn get() -> &'static System {
    let Some(system) = SYSTEM.get() else {
        panic!("system: not booted yet");
    };
    system
}
