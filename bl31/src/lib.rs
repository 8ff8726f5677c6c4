//! The EL3 image of Janus: entry, vectors, world contexts, PSCI and SMC dispatch.
//!
//! Where to look:
//! * `boot`: from BL2's hand-over to the first instruction of the normal world; `topology`,
//!   `spmc_image` and `normal_entry` are its parts;
//! * `run`: the loop that enters worlds and sees why they come back;
//! * `services`: which service answers which SMC, one file each;
//! * `world`, `core_data`, `system`: what a world, a core and the whole system own;
//! * `context` and `cpu_ext`: which registers the worlds share, and how they are switched;
//! * `interrupts`, `group0`, `traps`: the other reasons to come to EL3;
//! * `hw`: EL3's own memory, entry, devices and crash report.
//!
//! What needs no hardware also builds on the host, for its tests.

#![cfg_attr(not(test), no_std)]

pub mod boot_params;
pub mod context;
pub mod cpu_ext;
pub mod smc;
pub mod spsr;

/// What runs on the target alone.
macro_rules! on_target {
    ($($module:ident)*) => { $(#[cfg(target_os = "none")] pub mod $module;)* };
}
on_target! {
    boot core_data flow group0 hw interrupts normal_entry power run services spmc_image sri system
    topology traps world
}
