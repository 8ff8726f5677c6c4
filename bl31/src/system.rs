//! What all cores share and nobody changes after the boot.
//!
//! [`System`] is written once, by the boot core, before any other core runs EL3 code. Each core
//! keeps a reference in its [`crate::core_data::CoreData`]; reading it writes no cache line.

use crate::context::{BootCore, Policy, SpmcMode};
use crate::hw::shared;
use janus_spmd::Spmd;
use spin::Once;

/// The SPMC as the boot found it.
pub struct Spmc {
    /// x0 to x7 at its entry on each core, as BL2 gives them; x4 becomes the core's number.
    pub args: [u64; 8],
    /// Whether it runs at S-EL2, not S-EL1.
    pub sel2: bool,
    /// What is switched between it and the normal world.
    pub mode: SpmcMode,
    /// The schedule receiver interrupt.
    pub sri: Sri,
}

/// See the module's documentation.
pub struct System {
    /// The dispatcher; without an SPMC it refuses every call.
    pub spmd: Spmd,
    /// The SPMC; None where there is none that can be used.
    pub spmc: Option<Spmc>,
    /// What a world switch exchanges on this machine.
    pub policy: Policy,
    /// Whether BL33 was entered at EL2, not EL1: there every core enters the normal world.
    pub normal_el2: bool,
}

impl System {
    /// The schedule receiver interrupt, if there is an SPMC to raise it.
    pub fn sri(&self) -> Option<&Sri> {
        self.spmc.as_ref().map(|spmc| &spmc.sri)
    }
}

shared! {
    static SYSTEM: Once<System> = Once::new();
    static BOOT_CORE: Once<BootCore> = Once::new();
}

/// Keeps what the boot core decided. Only the first call counts.
pub fn set(system: System) {
    SYSTEM.call_once(|| system);
}

/// What the boot core decided; not before it has.
pub fn get() -> &'static System {
    let Some(system) = SYSTEM.get() else {
        panic!("system: not booted yet");
    };
    system
}

/// Keeps what the boot core, which calls this, is like. After [`set`]. A call, so that it takes no room on the
/// stack of the boot.
#[inline(never)]
pub fn set_boot_core() {
    BOOT_CORE.call_once(|| get().policy.boot_core());
}

/// What the boot core is like, once that is known.
pub fn boot_core() -> Option<&'static BootCore> {
    BOOT_CORE.get()
}

/// How the SPMC's schedule receiver interrupt reaches the normal world.
pub struct Sri {
    /// The SGI that the normal world gets.
    pub id: u32,
    /// The Group 0 SGI by which the SPMC asks EL3 to raise it, where it does not do so itself.
    pub doorbell: Option<u32>,
}
