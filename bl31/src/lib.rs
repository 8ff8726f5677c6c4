//! The EL3 image of Janus: entry, vectors, world contexts, PSCI and SMC dispatch.
//!
//! Where to look:
//! * `boot`: from BL2's hand-over to the first instruction of the normal world;
//! * `run`: the loop that enters worlds and sees why they come back;
//! * `services`: which service answers which SMC, one file each;
//! * `world`, `core_data`, `system`: what a world, a core and the whole system own;
//! * `context` and `cpu_ext`: which registers the worlds share, and how they are switched;
//! * `interrupts`, `traps`: the other reasons to come to EL3;
//! * `crash`, `console`, `mmu`, `layout`, `entry`: EL3's own affairs.
//!
//! What needs no hardware also builds on the host, for its tests.

#![cfg_attr(not(test), no_std)]

pub mod boot_params;
pub mod context;
pub mod cpu_ext;
pub mod smc;

#[cfg(target_os = "none")]
pub mod boot;
#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
pub mod core_data;
#[cfg(target_os = "none")]
pub mod crash;
#[cfg(target_os = "none")]
pub mod entry;
#[cfg(target_os = "none")]
pub mod gic;
#[cfg(target_os = "none")]
pub mod interrupts;
#[cfg(target_os = "none")]
pub mod layout;
#[cfg(target_os = "none")]
pub mod mmu;
#[cfg(target_os = "none")]
pub mod pen;
#[cfg(target_os = "none")]
pub mod power;
#[cfg(target_os = "none")]
pub mod run;
#[cfg(target_os = "none")]
pub mod services;
#[cfg(target_os = "none")]
pub mod sri;
#[cfg(target_os = "none")]
pub mod system;
#[cfg(target_os = "none")]
pub mod traps;
#[cfg(target_os = "none")]
pub mod world;
