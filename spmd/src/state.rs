// SPDX-License-Identifier: BSD-3-Clause

//! The SPMC's state on one core, and the only place where it changes.
//!
//! Exactly one state at a time; each has one handler in [`crate::dispatch`]. The drawing of the
//! transitions is in docs/spmd.md and a test holds it against what the code does.

use crate::call::{Call, WITHOUT_HINT};
use crate::console::LineBuffer;
use crate::negotiation::Versions;
use crate::requests::Pending;
use crate::table::ShortCut;
use core::fmt;
use janus_arm::World;
use janus_arm::ffa::Version;

/// What the SPMC is doing on this core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// There is no SPMC, or the core is off.
    Off,
    /// The SPMC initialises: it has not called FFA_MSG_WAIT yet.
    Booting {
        /// On the core that booted the system.
        primary: bool,
    },
    /// The SPMC serves calls; one of the two worlds runs.
    Running,
    /// The SPMC serves calls; its next answer is the one to the normal world's FFA_FEATURES(0x2).
    AskedSri,
    /// The SPMC handles a secure interrupt that preempted the normal world.
    Interrupted,
    /// The SPMC has to answer this request of the SPMD.
    Requested(Pending),
    /// The SPMC failed to initialise; the next CPU_ON may try again.
    Failed,
    /// The SPMC died and is not entered again.
    Dead,
}

/// The names of the states, for reports and for the drawing in docs/spmd.md.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum StateName {
    /// There is no SPMC, or it has not been entered on this core.
    Off,
    /// The SPMC initialises itself.
    Booting,
    /// The SPMC takes calls.
    Running,
    /// The SPMC has to answer the normal world's FFA_FEATURES about the schedule receiver interrupt.
    AskedSri,
    /// The SPMC handles a secure interrupt.
    Interrupted,
    /// The SPMC has to answer a version message.
    RequestedVersion,
    /// The SPMC has to answer a power management message.
    RequestedPower,
    /// The SPMC has to answer a message of an EL3 logical partition.
    RequestedMessage,
    /// The SPMC failed to initialise.
    Failed,
    /// The SPMC died.
    Dead,
}

/// Why the SPMC is dead on a core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Death {
    /// The SPMC called FFA_ABORT.
    Abort,
    /// EL3 cannot let the SPMC go on ([`crate::Spmd::abort`]).
    Fault,
    /// The SPMC's answer to EL3 has no meaning.
    Nonsense,
    /// EL3 waited for one particular call, and the SPMC made [`WRONG_CALLS`] others.
    WrongCalls,
    /// It has not answered EL3 in time ([`crate::Spmd::time_out`]).
    Silence,
}

/// How many wrong calls an SPMC may make while EL3 waits for a particular one: an answer, or the end of a
/// secure interrupt. An SPMC that makes more is stuck: one that has panicked typically makes the same call
/// for ever.
pub const WRONG_CALLS: u8 = 16;

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abort => f.write_str("it called FFA_ABORT"),
            Self::Fault => f.write_str("EL3 cannot let it go on"),
            Self::Silence => f.write_str("it does not answer EL3"),
            Self::Nonsense => f.write_str("its answer to EL3 says nothing"),
            Self::WrongCalls => write!(
                f,
                "{} calls, none of them the one that EL3 waits for",
                u32::from(WRONG_CALLS)
            ),
        }
    }
}

/// Which sides of a forwarded SMC64 call have 18 registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wide {
    /// Both.
    Both,
    /// Only the receiver.
    Receiver,
    /// At most the sender.
    NotReceiver,
}

/// Which calls need no full decision, and how many registers each side has.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Forwarding {
    /// The short cuts that are open: those of `running` while the SPMC runs, else none.
    open: ShortCut,
    /// The short cuts that the versions allow; none until these are fixed.
    running: ShortCut,
    /// Which sides of the normal world's calls have 18 registers.
    pub from_normal: Wide,
    /// Which sides of the SPMC's calls have 18 registers.
    pub from_secure: Wide,
    /// The bits of a function ID that the SPMC may see: a copy of what all cores share, beside the rest.
    pub id_mask: u32,
}

impl Forwarding {
    const CLOSED: Self = Self {
        open: ShortCut::NONE,
        running: ShortCut::NONE,
        from_normal: Wide::NotReceiver,
        from_secure: Wide::NotReceiver,
        id_mask: WITHOUT_HINT,
    };

    /// Returns what these versions, which are fixed, allow. Nothing is open yet.
    fn new(pair: Versions, id_mask: u32) -> Self {
        let mut running = ShortCut::ALWAYS;
        if pair.normal_is_wide() {
            running = running.or(ShortCut::ID);
        }
        if pair.both_wide() {
            running = running.or(ShortCut::REQUEST2).or(ShortCut::RESPONSE2);
        }
        Self {
            open: ShortCut::NONE,
            running,
            from_normal: pair.wide(World::Normal),
            from_secure: pair.wide(World::Secure),
            id_mask,
        }
    }

    /// Opens what `state` allows: nothing unless the SPMC runs.
    #[inline(always)]
    fn follow(&mut self, state: State) {
        self.open = match state {
            State::Running => self.running,
            _ => ShortCut::NONE,
        };
    }

    /// Returns the short cuts that `call` of `from` may take.
    #[inline(always)]
    pub fn cuts(&self, from: World, call: Call) -> ShortCut {
        ShortCut::of(from, call).and(self.open)
    }
}

/// The part of the dispatcher that each core has for itself. A monitor keeps one per core, beside the saved
/// registers of both worlds.
///
/// Its order is that of use: a forwarded call reads `path` alone, in as few lines of the cache as will do.
#[repr(C)]
#[derive(Debug)]
pub struct Core {
    /// What a forwarded call needs to know of `state` and `pair`.
    pub(crate) path: Forwarding,
    pub(crate) state: State,
    /// The versions as this core last saw them. Once they are fixed, the core need not read them again.
    pub(crate) pair: Versions,
    /// What the SPMC has logged of a line not ended yet.
    pub(crate) line: LineBuffer,
    /// Refused calls since the state last changed, of those that count towards [`WRONG_CALLS`].
    pub(crate) wrong_calls: u8,
    /// Why it is [`State::Dead`].
    pub(crate) death: Option<Death>,
}

impl Core {
    /// Makes the state of a core that is off.
    pub const fn new() -> Self {
        Self {
            state: State::Off,
            path: Forwarding::CLOSED,
            pair: Versions::unasked(Version::V1_0),
            line: LineBuffer::new(),
            wrong_calls: 0,
            death: None,
        }
    }

    /// Returns what the SPMC is doing on this core, for reports.
    pub fn state(&self) -> StateName {
        match self.state {
            State::Off => StateName::Off,
            State::Booting { .. } => StateName::Booting,
            State::Running => StateName::Running,
            State::AskedSri => StateName::AskedSri,
            State::Interrupted => StateName::Interrupted,
            State::Requested(Pending::Version(_)) => StateName::RequestedVersion,
            State::Requested(Pending::Power(_)) => StateName::RequestedPower,
            State::Requested(_) => StateName::RequestedMessage,
            State::Failed => StateName::Failed,
            State::Dead => StateName::Dead,
        }
    }

    /// Returns whether an SPMC serves this core.
    pub fn has_spmc(&self) -> bool {
        !matches!(self.state, State::Off | State::Failed | State::Dead)
    }

    /// The one place where the state changes.
    #[inline(always)]
    pub(crate) fn enter(&mut self, state: State) {
        self.state = state;
        self.path.follow(state);
        self.wrong_calls = 0;
    }

    /// Returns why the SPMC is dead on this core; `None` while it is not.
    pub fn death(&self) -> Option<Death> {
        self.death
    }

    /// Notes the versions, which are fixed from now on. `id_mask` has the bits of a function ID that the SPMC may see.
    pub(crate) fn fix(&mut self, pair: Versions, id_mask: u32) {
        self.pair = pair;
        self.path = Forwarding::new(pair, id_mask);
        self.path.follow(self.state);
    }

    /// Returns whether the SPMC dies of its next wrong call.
    pub(crate) fn dies_of_next_wrong_call(&self) -> bool {
        self.wrong_calls.saturating_add(1) >= WRONG_CALLS
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// Notes that the core powers down and the SPMC's state on it is gone: the next [`Core::begin_boot`] starts
    /// the SPMC anew. One that has died stays dead.
    pub fn turn_off(&mut self) {
        if self.state != State::Dead {
            self.enter(State::Off);
        }
    }
}

impl Default for Core {
    fn default() -> Self {
        Self::new()
    }
}
