// SPDX-License-Identifier: BSD-3-Clause

//! The FF-A Secure Partition Manager Dispatcher (DEN0077A 1.0 to 1.3) as a pure, total state machine.
//!
//! The dispatcher decides; it never acts. Its input is a call: the registers of the world that made it. Its output is
//! an [`Action`] and the registers of one of the two worlds, changed in place. It touches no hardware, allocates
//! nothing, takes no lock and has no `unsafe`. Every register value in every state has a defined outcome. What must be
//! *done* at EL3 (print, switch worlds, end an interrupt, go on booting) is named by the action. The *monitor*, which
//! is the EL3 runtime around this crate, does it; in Janus that is bl31.
//!
//! * [`table`] has a row per call, to be read beside the specification. [`names`] has the meaning of the registers.
//! * [`Spmd`] is what all cores share: what is known of the SPMC, and the versions. It has atomics and no lock.
//! * [`Core`] is the state of the SPMC on one core: booting, running, interrupted, asked something.
//!
//! # What the monitor does, and when
//!
//! A core comes up: [`Core::begin_boot`]; on `true` set up the secure context with its PC at
//! [`Spmd::entry`] and enter the secure world until [`Work::SpmcReady`] (or one of the
//! failures) comes back, then go on to the normal world.
//!
//! An SMC whose function ID satisfies [`is_ffa`] arrives: [`Spmd::call`], then by the action
//! * [`Action::Return`]: resume the world that called,
//! * [`Action::Enter`]: switch to the other world and resume that,
//! * [`Action::El3`]: see [`Work`].
//!
//! A secure Group 1 interrupt comes while the normal world runs: [`Spmd::secure_interrupt`].
//!
//! PSCI or a logical partition needs the SPMC: [`Spmd::request`], then enter the secure world and run
//! its calls through [`Spmd::call`] as ever, until [`Work::Answered`].
//!
//! The core powers down: [`Core::turn_off`].
//!
//! # What may grow
//!
//! [`Action`], [`Work`] and [`Answer`] are orders: match them without a `_`, so that a new one does not compile until it
//! is carried out. What is only reported, and enums of which you choose a value, are `#[non_exhaustive]`: a version of
//! FF-A that adds to them is no new major version of this crate.
//!
//! # Example
//!
//! A core whose SPMC has booted, and a direct request of the normal world. (examples/embed.rs runs both worlds.)
//!
//! ```
//! use janus_spmd::{Action, Core, Regs, SpmcConfig, Spmd, Version, Work, World};
//!
//! let spmd = Spmd::with_spmc(SpmcConfig {
//!     id: 0x8000,
//!     version: Version::V1_1,
//!     sel2: true,
//!     image: 0x0e10_0000..0x0f00_0000,
//!     entry: 0x0e10_0000,
//!     doorbell_sri: None,
//!     partitions: &[],
//! });
//! let mut core = Core::new();
//! let (mut normal, mut secure): (Regs, Regs) = ([0; 18], [0; 18]);
//!
//! // The boot core: enter the SPMC. Its first FFA_MSG_WAIT says that it is ready.
//! assert!(core.begin_boot(&spmd, true));
//! secure[0] = 0x8400_006B;
//! let action = spmd.call(&mut core, World::Secure, &mut secure, &mut normal);
//! assert_eq!(action, Action::El3(Work::SpmcReady));
//!
//! // FFA_MSG_SEND_DIRECT_REQ from endpoint 1 to partition 0x8001: switch worlds, registers as they came.
//! normal[..4].copy_from_slice(&[0x8400_006F, 0x0001_8001, 0, 42]);
//! let action = spmd.call(&mut core, World::Normal, &mut normal, &mut secure);
//! assert_eq!(action, Action::Enter);
//! assert_eq!(secure[..4], [0x8400_006F, 0x0001_8001, 0, 42]);
//!
//! // A response of the normal world's to nobody: refused, and the caller goes on.
//! normal[..2].copy_from_slice(&[0x8400_0070, 0x0001_8001]);
//! let action = spmd.call(&mut core, World::Normal, &mut normal, &mut secure);
//! assert_eq!(action, Action::Return);
//! assert_eq!(normal[0], 0x8400_0060); // FFA_ERROR
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod action;
mod activation;
mod boot;
mod call;
mod console;
mod direct;
mod dispatch;
mod features;
pub mod names;
mod negotiation;
mod normal;
mod partitions;
mod refusal;
mod requests;
mod secure;
mod state;
pub mod table;
mod version;

pub use action::{Action, Answer, Work};
pub use activation::{Activation, Pages, Step, activation_status};
pub use call::{ErrorCode, PLACES, Regs, is_ffa, place_from};
pub use console::{ConsoleLog, Line, LineBuffer};
pub use dispatch::{SpmcConfig, Spmd};
pub use janus_arm::World;
pub use janus_arm::ffa::Version;
pub use janus_manifest as manifest;
pub use partitions::{
    Body, Event, Interrupts, LogicalPartition, Message, Messenger, PARTITION_IDS, PartitionError,
    Properties, Run, Start, check as check_partitions,
};
pub use refusal::{Refusal, Why};
pub use requests::{NotAvailable, Request, WarmBoot};
pub use state::{Core, Death, StateName, WRONG_CALLS};
