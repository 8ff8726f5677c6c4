// SPDX-License-Identifier: BSD-3-Clause

//! Live firmware activation (DEN0147 1.0): the agent that the normal world calls, and what it replaces.
//!
//! A *component* is a piece of firmware that can be replaced while the system runs: the platform lists what it has
//! ([`Component`]). The normal world *primes* a component (its new image is loaded and checked, in as many calls as
//! that needs), then *activates* it. One component at a time. Where a component wants it, or the caller does, an
//! activation first gathers the cores: each core that is not off makes the call and is held, and the last one
//! replaces the component.
//!
//! * [`Agent`] answers the calls. It decides in [`mod@round`], which is pure.
//! * [`partition::SecurePartition`] is a component that the SPMC replaces, by FF-A 1.3's messages.
//!
//! No call takes a pointer, and nothing that a caller passes makes the agent wait without a bound: a core that waits
//! for others gives up after [`Here::patience`], and so do all of that round.
#![no_std]
#![forbid(unsafe_code)]

mod agent;
pub mod partition;
pub mod round;

pub use agent::{Agent, Function, Here};
use janus_spmd::Messenger;

/// The version of the specification, as LFA_VERSION answers: major in bits 31 to 16.
pub const VERSION: u64 = 1 << 16;

/// Why a call fails (DEN0147, "Return codes"), as it stands in x0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i64)]
pub enum Status {
    /// The call does not exist, or the component cannot be activated.
    NotSupported = -1,
    /// Another core is at it, or something that ends by itself is in the way: call again.
    Busy = -2,
    /// The new image is not what it should be.
    AuthError = -3,
    /// There is no room.
    NoMemory = -4,
    /// The component is lost, the old one and the new one: only a reset brings it back.
    CriticalError = -5,
    /// The place that the new image comes from fails.
    DeviceError = -6,
    /// No new image waits, or another component is being replaced.
    WrongState = -7,
    /// A register holds what is not allowed.
    InvalidParameters = -8,
    /// The component cannot be replaced as it is: it is not primed, or refuses.
    ComponentWrongState = -9,
    /// An address is none of the caller's.
    InvalidAddress = -10,
    /// The new one did not start. The old one goes on.
    ActivationFailed = -11,
}

/// How far priming or activating has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// It is done.
    Done,
    /// The caller has to repeat the call.
    Again,
}

/// Whether an activation gathers the cores.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rendezvous {
    /// Always.
    Required,
    /// Unless the caller says that it need not.
    Optional,
}

/// What an inventory says of a component.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Description {
    /// Which firmware it is, as a UUID is written: `0x28b46fb6_2ec5_11e9_a9ca_4b564d003a74`.
    pub uuid: u128,
    /// Whether it can be activated at all.
    pub capable: bool,
    /// Whether its activation gathers the cores.
    pub rendezvous: Rendezvous,
    /// The version that runs: major << 32 | minor; 0 where it is not known.
    pub current: u64,
    /// The version that waits to be activated; `None`: nothing does.
    pub pending: Option<u64>,
}

/// A component. It is part of the firmware, lives for ever, and is shared by all cores; of its functions that change
/// anything one runs at a time.
pub trait Component: Sync {
    /// Describes it as it is now.
    fn describe(&self) -> Description;

    /// Does one piece of loading and checking the new image. The piece is small: the caller's interrupts wait for it.
    ///
    /// # Errors
    /// The caller gets the status, and has to begin anew, except after [`Status::Busy`].
    fn prime(&self, messenger: &mut dyn Messenger) -> Result<Progress, Status>;

    /// Replaces the component, which is primed. `gathered`: all cores are held meanwhile.
    ///
    /// # Errors
    /// All callers get the status. The component has to be primed anew, except after [`Status::Busy`].
    fn activate(&self, gathered: bool, messenger: &mut dyn Messenger) -> Result<Progress, Status>;

    /// Forgets what was primed. Short: another core may wait for it.
    ///
    /// # Errors
    /// [`Status::Busy`]: it is too late.
    fn cancel(&self) -> Result<(), Status>;
}
