//! The EL3 image of Janus: entry, vectors, world contexts, PSCI and SMC dispatch.
//!
//! Where to look:
//! * `boot`: from BL2's hand-over to the first instruction of the normal world; `hand_over`, `topology`,
//!   `spmc_image` and `normal_entry` are its parts;
//! * `run`: the loop that enters worlds and handles their exits;
//! * `services`: the services that answer SMCs, one file each;
//! * `world`, `core_data`, `system`: the data of a world, of a core, and of the whole system;
//! * the crate `janus_context`: the registers that the worlds share, and how they are switched; `redirect`: the normal
//!   world goes on elsewhere;
//! * `cpu_power`: steps that CPU models need at reset and before they lose power;
//! * `speculation`: steps that CPU models need against speculative execution;
//! * `interrupts`, `group0`, `traps`: the exits that are no SMC; `sgis`: the owners of the SGIs; `sri`: the schedule
//!   receiver interrupt;
//! * `requests`: EL3's own requests to the SPMC; `on_core`: what a platform's code may do;
//! * `hw`: EL3's own memory, entry, devices and crash report;
//! * `messages`: the console's messages; `black_box`: the last calls of each core, for crash reports; `lab`: counters,
//!   in images that are built for a lab.
//!
//! All modules but `hw` also build on the host. There the tests replace `hw` by a machine of their own (`fake`).

#![cfg_attr(target_os = "none", no_std)]

pub mod black_box;
pub mod boot;
pub mod boot_params;
pub mod core_data;
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
pub mod patience;
pub mod power;
pub mod redirect;
pub mod requests;
pub mod run;
pub mod served;
pub mod services;
pub mod sgis;
pub mod smc;
pub mod speculation;
pub mod spmc_event;
pub mod spmc_image;
pub mod spmc_vectors;
pub mod sri;
pub mod system;
pub mod topology;
pub mod transfer_list;
pub mod traps;
pub mod watch;
pub mod world;

#[cfg(test)]
mod tests;

#[cfg(target_os = "none")]
pub mod hw;
// The machine of the host tests.
#[cfg(not(target_os = "none"))]
#[path = "fake/mod.rs"]
pub mod hw;
