//! The EL3 image of Janus: entry, vectors, world contexts, PSCI and SMC dispatch.
//!
//! Where to look:
//! * `boot`: from BL2's hand-over to the first instruction of the normal world; `hand_over`, `topology`,
//!   `spmc_image` and `normal_entry` are its parts;
//! * `run`: the loop that enters worlds and sees why they come back;
//! * `services`: which service answers which SMC, one file each;
//! * `world`, `core_data`, `system`: what a world, a core and the whole system own;
//! * `context` and `cpu_ext`: which registers the worlds share, and how they are switched;
//! * `cpu_power`: what CPU models need at reset and before they lose power;
//! * `speculation`: what they need against speculative execution;
//! * `interrupts`, `group0`, `traps`: the other reasons to come to EL3; `sgis`, `sri`: whose which SGI is, and how the
//!   schedule receiver interrupt comes;
//! * `requests`, `on_core`: what EL3 asks of the SPMC, and what a platform's code may do;
//! * `hw`: EL3's own memory, entry, devices and crash report;
//! * `messages`: what the console says; `black_box`: what each core asked last, for its reports; `lab`: counters, in
//!   images that are built for a lab.
//!
//! All but `hw` also builds on the host, where the tests put a machine of their own in its place (`fake`).

#![cfg_attr(target_os = "none", no_std)]

pub mod black_box;
pub mod boot;
pub mod boot_params;
pub mod context;
pub mod core_data;
pub mod cpu_ext;
pub mod cpu_model;
pub mod cpu_power;
pub mod crash_record;
pub mod flow;
pub mod group0;
pub mod hand_over;
pub mod interrupts;
#[cfg(feature = "lab")]
pub mod lab;
pub mod messages;
pub mod normal_entry;
pub mod on_core;
pub mod power;
pub mod requests;
pub mod run;
pub mod served;
pub mod services;
pub mod sgis;
pub mod smc;
pub mod speculation;
pub mod spmc_image;
pub mod spmc_vectors;
pub mod spsr;
pub mod sri;
pub mod system;
pub mod topology;
pub mod transfer_list;
pub mod traps;
pub mod world;

#[cfg(test)]
mod tests;

#[cfg(target_os = "none")]
pub mod hw;
// A machine for the tests.
#[cfg(not(target_os = "none"))]
#[path = "fake/mod.rs"]
pub mod hw;
