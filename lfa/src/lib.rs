// SPDX-License-Identifier: BSD-3-Clause

//! Live firmware activation (DEN0147 1.0): the agent that the normal world calls, and the components it replaces.
//!
//! A *component* is a piece of firmware that can be replaced while the system runs. The platform lists its components
//! ([`Component`]). The normal world *primes* a component: the new image is loaded and checked, in one call or in
//! several. Then it *activates* the component. One component is replaced at a time.
//!
//! An activation may need a *rendezvous*: every core that is not off makes the call and is held at EL3, and the last
//! one to come replaces the component. The component can demand that; otherwise the caller chooses.
//!
//! * [`Agent`] answers the calls. Its decisions are in [`mod@round`], a pure state machine.
//! * [`partition::SecurePartition`] is a component that the SPMC replaces, by messages of FF-A 1.3.
//!
//! No call takes a pointer. No value that a caller passes makes the agent wait for ever: when one core has waited as
//! long as [`CallingCore::patience`] allows, it gives up, and the activation ends for all cores that take part.
//!
//! # What the monitor does
//!
//! For each SMC whose function ID [`Function::of`] knows, it calls [`Agent::call`] with x1 and x2, and writes the
//! answer to the caller's registers from x0 on. [`CallingCore`] is what the agent needs of the monitor on that core.
//!
//! # Example
//!
//! ```
//! use janus_lfa::{Agent, CallingCore, Component, Function, VERSION};
//! use janus_spmd::Messenger;
//!
//! struct OnlyCore;
//!
//! impl CallingCore for OnlyCore {
//!     fn messenger(&mut self) -> &mut dyn Messenger {
//!         unreachable!("no component sends a message")
//!     }
//!     fn cores(&mut self) -> usize {
//!         1
//!     }
//!     fn begin_to_wait(&mut self) {}
//!     fn patience(&mut self) -> bool {
//!         false
//!     }
//! }
//!
//! static AGENT: Agent = Agent::new();
//! let components: &[&dyn Component] = &[];
//!
//! let function = Function::of(0xC400_02E0).expect("LFA_VERSION");
//! let (count, x) = AGENT.call(components, function, [0, 0], &mut OnlyCore);
//! assert_eq!(x[..count], [VERSION]);
//!
//! // LFA_PRIME of a component that does not exist: INVALID_PARAMETERS.
//! let (count, x) = AGENT.call(components, Function::Prime, [0, 0], &mut OnlyCore);
//! assert_eq!(x[..count], [-8_i64 as u64]);
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod agent;
pub mod partition;
pub mod round;

pub use agent::{Agent, CallingCore, Function};
use janus_spmd::Messenger;

/// The version of the specification as LFA_VERSION returns it: the major number in bits 31 to 16, the minor one below.
pub const VERSION: u64 = 1 << 16;

/// Why a call fails (DEN0147, "Return codes"): the value in x0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i64)]
#[non_exhaustive]
pub enum Status {
    /// The call does not exist, or the component cannot be activated.
    NotSupported = -1,
    /// Another core works on a component, or something else that ends by itself is in the way: call again.
    Busy = -2,
    /// The new image fails its authentication.
    AuthError = -3,
    /// There is no memory for the new image.
    NoMemory = -4,
    /// Neither the old component nor the new one runs: only a reset brings it back.
    CriticalError = -5,
    /// The device that the new image comes from fails.
    DeviceError = -6,
    /// No new image waits, or another component is being replaced.
    WrongState = -7,
    /// A register holds what is not allowed.
    InvalidParameters = -8,
    /// The component is not primed, or refuses to be replaced now.
    ComponentWrongState = -9,
    /// An address is not the caller's.
    InvalidAddress = -10,
    /// The new component did not start. The old one goes on.
    ActivationFailed = -11,
}

/// How far a component has come with being primed or activated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// It is done.
    Done,
    /// The caller has to repeat the call.
    Again,
}

/// Whether the activation of a component needs all cores held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rendezvous {
    /// Always.
    Required,
    /// Unless the caller says that it is not needed (LFA_ACTIVATE, bit 0 of x2).
    Optional,
}

/// What LFA_GET_INVENTORY says about a component.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Description {
    /// The UUID of the firmware, its digits in the order in which a UUID is written:
    /// `0x28b46fb6_2ec5_11e9_a9ca_4b564d003a74`.
    pub uuid: u128,
    /// Whether it can be replaced at all.
    pub capable: bool,
    /// Whether its activation needs all cores held.
    pub rendezvous: Rendezvous,
    /// The version that runs: `major << 32 | minor`; 0 where it is not known.
    pub current: u64,
    /// The version of the new image; `None`: there is none.
    pub pending: Option<u64>,
}

/// A component: a piece of firmware that can be replaced. All cores share it. The agent never calls two of
/// [`Component::prime`], [`Component::activate`] and [`Component::cancel`] at the same time.
pub trait Component: Sync {
    /// Returns what is known about it now.
    fn describe(&self) -> Description;

    /// Loads and checks one piece of the new image. The piece is small, since the caller's interrupts wait meanwhile.
    ///
    /// # Errors
    /// The caller gets the status. After [`Status::Busy`] priming goes on where it was; after any other it begins anew.
    fn prime(&self, messenger: &mut dyn Messenger) -> Result<Progress, Status>;

    /// Replaces the component, which is primed. `gathered`: all cores that are not off are held meanwhile.
    ///
    /// # Errors
    /// All callers get the status. After [`Status::Busy`] the component stays primed; after any other it has to be
    /// primed anew.
    fn activate(&self, gathered: bool, messenger: &mut dyn Messenger) -> Result<Progress, Status>;

    /// Forgets the new image. This has to be quick, since another core may wait for it.
    ///
    /// # Errors
    /// [`Status::Busy`]: too late, the replacement has begun.
    fn cancel(&self) -> Result<(), Status>;
}
