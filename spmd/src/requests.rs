// SPDX-License-Identifier: BSD-3-Clause

//! Requests of the SPMD itself: power management messages and those of EL3 logical partitions.
//!
//! A core has at most one request pending, and knows its type: an answer is only an answer to that
//! request. All of the SPMD's framework messages have the sender 0xFFFF and bit 31 of w2 set, with the
//! number of the message in bits 7 to 0 of w2.

use crate::action::Answer;
use crate::activation::Activation;
use crate::call::{Regs, SPMD_ID, WITHOUT_HINT, endpoints, id, is_secure, set};
use crate::dispatch::{SpmcConfig, Spmd};
use crate::negotiation::Question;
use crate::partitions::{Body, Interrupts, Message, Run};
use crate::state::{Core, State};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use janus_arm::SMC64;
use janus_arm::ffa::Version;

/// Values of w2 in framework messages: bit 31 and the number of the message (DEN0077A, "Framework messages").
pub(crate) mod framework {
    pub const BIT: u32 = 1 << 31;
    pub const PSCI_REQUEST: u32 = BIT;
    pub const WARM_BOOT: u32 = BIT | 0x1;
    pub const POWER_RESPONSE: u32 = BIT | 0x2;
    pub const VM_CREATED: u32 = BIT | 0x4;
    pub const VM_CREATED_RESPONSE: u32 = BIT | 0x5;
    pub const VM_DESTROYED: u32 = BIT | 0x6;
    pub const VM_DESTROYED_RESPONSE: u32 = BIT | 0x7;
    pub const VERSION_REQUEST: u32 = BIT | 0x8;
    pub const VERSION_RESPONSE: u32 = BIT | 0x9;
    // 0xA and 0xB go from the SPMC to a partition that it stops, and back: EL3 never sees them.
    pub const START_REQUEST: u32 = BIT | 0xC;
    pub const START_RESPONSE: u32 = BIT | 0xD;
    pub const FINISH_REQUEST: u32 = BIT | 0xE;
    pub const FINISH_RESPONSE: u32 = BIT | 0xF;
}

/// What a core woke up from (w3 of the warm boot message).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WarmBoot {
    /// From suspend to RAM (SYSTEM_SUSPEND).
    SuspendToRam = 0,
    /// From another power-down state (CPU_SUSPEND).
    LowPower = 1,
}

/// What EL3 can ask the SPMC for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// A PSCI function is about to be carried out: CPU_OFF, CPU_SUSPEND to a power-down state,
    /// SYSTEM_SUSPEND, SYSTEM_OFF, SYSTEM_RESET, SYSTEM_RESET2.
    Psci {
        /// The PSCI function ID. The SVE hint is no part of it, and not passed on.
        function: u32,
        /// Its parameters, x1 to x3; zero where it has none (CPU_OFF).
        arguments: [u64; 3],
    },
    /// The core is back from a power-down state; its EL3 state is restored.
    WarmBoot(WarmBoot),
    /// A direct request of an EL3 logical partition to a secure partition.
    Message(Message),
    /// FFA_RUN, for a request that an interrupt of the normal world has ended early.
    Run(Run),
    /// FFA_PARTITION_INFO_GET_REGS of an EL3 logical partition to the SPMC.
    Discover {
        /// The protocol UUID as x1 and x2 carry it; zero: all partitions.
        uuid: [u64; 2],
        /// The index of the first partition wanted.
        start: u16,
    },
    /// A step of a secure partition's live activation, from an EL3 logical partition to the SPMC. Its answer is
    /// read by [`crate::activation_status`].
    Activation(Activation),
}

impl Request {
    /// Returns the ID of the EL3 logical partition that the request names as its sender. `None`: it names none.
    pub fn sender(&self) -> Option<u16> {
        match self {
            Self::Message(message) => Some(message.sender),
            Self::Run(run) => Some(run.sender),
            Self::Activation(activation) => Some(activation.sender),
            Self::Psci { .. } | Self::WarmBoot(_) | Self::Discover { .. } => None,
        }
    }
}

/// Why a request cannot be made. The registers and the state are as they were.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NotAvailable {
    /// No SPMC serves this core. Go on without one.
    NoSpmc,
    /// The SPMC died over the request on this core, or did not answer in time. The core goes on without it.
    Died,
    /// The SPMC does something else now: it boots, handles an interrupt, or serves another request.
    Busy,
    /// The SPMC has said before that it does not know this message, and is not asked again. Go on without an answer.
    Unknown,
    /// The SPMC's version does not have this message.
    Version,
    /// An ID in the message is not that of a partition that may send or receive it.
    Id,
}

/// The one request of the SPMD that the SPMC has not answered yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pending {
    /// FFA_VERSION of the normal world, passed on.
    Version(Question),
    /// This power management message.
    Power(PowerMessage),
    /// A direct request of a logical partition: sender << 16 | receiver, whether it is a REQ2, and whether an
    /// interrupt of the normal world's may end it.
    Message {
        endpoints: u32,
        req2: bool,
        gives_way: bool,
    },
    /// FFA_PARTITION_INFO_GET_REGS of a logical partition.
    Discover,
    /// A live activation message of this logical partition, and w2 of its response.
    Activation { sender: u16, response: u32 },
}

/// What a power management message is about: a PSCI function ID, or [`WARM_BOOT`].
pub(crate) type PowerMessage = u32;

/// The number of the warm boot message among the power messages: the ID of MIGRATE, which is never passed on.
const WARM_BOOT: PowerMessage = 0x8400_0005;

/// The power management messages that the SPMC has answered with NOT_SUPPORTED, on any core: a bit for
/// each PSCI function number, and 32 more for SMC64.
pub(crate) struct Unknown(AtomicU64);

impl Unknown {
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn bit(message: PowerMessage) -> u64 {
        1 << (message & 0x1F | if message & SMC64 != 0 { 32 } else { 0 })
    }

    #[inline(always)]
    fn has(&self, message: PowerMessage) -> bool {
        let unknown = self.0.load(Relaxed);
        unknown != 0 && unknown & Self::bit(message) != 0
    }

    fn insert(&self, message: PowerMessage) {
        self.0.fetch_or(Self::bit(message), Relaxed);
    }
}

impl Spmd {
    /// Notes that the SPMC has ignored the request `pending`. If it does not know the message, it is not asked again.
    #[cold]
    #[inline(never)]
    pub(crate) fn ignored(&self, pending: Pending, answer: Answer) {
        if let (Pending::Power(message), Answer::Ignored(NOT_SUPPORTED)) = (pending, answer) {
            self.unknown.insert(message);
        }
    }

    /// Writes a request to the SPMC into `secure`, x0 to x17 of the secure world.
    ///
    /// On `Ok` enter the secure world with these registers, and pass its calls to [`Spmd::call`] until
    /// [`crate::Work::Answered`]. The normal world's registers do not change meanwhile. Call this only while the normal
    /// world is the one to run next.
    ///
    /// # Errors
    /// See [`NotAvailable`].
    #[inline(always)]
    pub fn request(
        &self,
        core: &mut Core,
        request: Request,
        secure: &mut Regs,
    ) -> Result<(), NotAvailable> {
        // Two functions, so that a monitor that makes one kind of requests has no code for the other kind.
        // By reference: moved, the request would be on the stack once more.
        match &request {
            Request::Psci {
                function,
                arguments,
            } => self.power_request(core, function & WITHOUT_HINT, *arguments, secure),
            Request::WarmBoot(kind) => {
                self.power_request(core, WARM_BOOT, [*kind as u64, 0, 0], secure)
            }
            request => self.request_of_partition(core, request, secure),
        }
    }

    /// Returns the SPMC, if it can be asked something now.
    #[inline(always)]
    fn idle(&self, core: &Core) -> Result<&SpmcConfig, NotAvailable> {
        match (core.state, &self.spmc) {
            (State::Running, Some(spmc)) => Ok(spmc),
            (State::Off | State::Failed | State::Dead, _) | (_, None) => Err(NotAvailable::NoSpmc),
            _ => Err(NotAvailable::Busy),
        }
    }

    /// Sends a power management message. `arguments` are the parameters of the PSCI function, or w3 of the warm boot
    /// message.
    #[inline(never)]
    fn power_request(
        &self,
        core: &mut Core,
        function: PowerMessage,
        arguments: [u64; 3],
        secure: &mut Regs,
    ) -> Result<(), NotAvailable> {
        let spmc = self.idle(core)?;
        if self.unknown.has(function) {
            return Err(NotAvailable::Unknown);
        }
        let to_spmc = endpoints_of(SPMD_ID, spmc.id);
        if function == WARM_BOOT {
            let kind = arguments[0] as u32;
            let first = id::DIRECT_REQ_32;
            message(secure, [first, to_spmc, framework::WARM_BOOT, kind]);
        } else {
            // The message has the convention of the PSCI function, because it has its parameters.
            let wide = function & SMC64 != 0;
            let first = if wide {
                id::DIRECT_REQ_64
            } else {
                id::DIRECT_REQ_32
            };
            message(secure, [first, to_spmc, framework::PSCI_REQUEST, function]);
            let mask = if wide { u64::MAX } else { u64::from(u32::MAX) };
            for (reg, argument) in secure[4..7].iter_mut().zip(arguments) {
                *reg = argument & mask;
            }
        }
        core.enter(State::Requested(Pending::Power(function)));
        Ok(())
    }

    /// Sends a request of a logical partition.
    #[inline(never)]
    fn request_of_partition(
        &self,
        core: &mut Core,
        request: &Request,
        secure: &mut Regs,
    ) -> Result<(), NotAvailable> {
        let spmc = self.idle(core)?;
        let version = self.pair(core).secure();
        let pending = match *request {
            Request::Message(wanted) => {
                let gives_way = spmc.may_ask(wanted.sender, wanted.receiver)?;
                let req2 = matches!(wanted.body, Body::Req2 { .. });
                if req2 && version < Version::V1_2 {
                    return Err(NotAvailable::Version);
                }
                wanted.write(secure);
                Pending::Message {
                    endpoints: endpoints_of(wanted.sender, wanted.receiver),
                    req2,
                    gives_way,
                }
            }
            Request::Run(Run {
                sender,
                receiver,
                vcpu,
                req2,
            }) => {
                let gives_way = spmc.may_ask(sender, receiver)?;
                message(secure, [id::RUN, endpoints_of(receiver, vcpu), 0, 0]);
                Pending::Message {
                    endpoints: endpoints_of(sender, receiver),
                    req2,
                    gives_way,
                }
            }
            Request::Discover { uuid, start } => {
                if version < Version::V1_2 {
                    return Err(NotAvailable::Version);
                }
                message(
                    secure,
                    [id::PARTITION_INFO_GET_REGS, 0, 0, u32::from(start)],
                );
                secure[1..3].copy_from_slice(&uuid);
                Pending::Discover
            }
            Request::Activation(wanted) => {
                if !wanted.fits(spmc) {
                    return Err(NotAvailable::Id);
                }
                if version < Version::V1_3 {
                    return Err(NotAvailable::Version);
                }
                wanted.write(spmc.id, secure);
                Pending::Activation {
                    sender: wanted.sender,
                    response: wanted.response(),
                }
            }
            // No partition sends these.
            Request::Psci { .. } | Request::WarmBoot(_) => return Err(NotAvailable::Id),
        };
        core.enter(State::Requested(pending));
        Ok(())
    }
}

impl SpmcConfig {
    /// Returns whether the ID is that of a secure partition or of the SPMC, and not of the SPMD or an EL3 partition.
    pub(crate) fn may_receive(&self, id: u16) -> bool {
        is_secure(id) && id != SPMD_ID && self.partition(id).is_none()
    }

    /// Checks both IDs of a request. Returns whether interrupts of the normal world end it.
    fn may_ask(&self, sender: u16, receiver: u16) -> Result<bool, NotAvailable> {
        let partition = self.partition(sender).ok_or(NotAvailable::Id)?;
        if self.may_receive(receiver) {
            Ok(partition.interrupts() == Interrupts::End)
        } else {
            Err(NotAvailable::Id)
        }
    }
}

/// Returns w1 of a direct message, or of FFA_RUN, from its two halves.
pub(crate) fn endpoints_of(high: u16, low: u16) -> u32 {
    u32::from(high) << 16 | u32::from(low)
}

/// Writes a message of EL3. x4 to x17 are zero, whatever the SPMC's version.
pub(crate) fn message(secure: &mut Regs, first: [u32; 4]) {
    set(secure, first);
    secure[8..].fill(0);
}

/// NOT_SUPPORTED, in PSCI and in FF-A.
const NOT_SUPPORTED: i32 = -1;

/// Reads a direct response to the SPMD's request. `None`: it does not answer that request.
///
/// `w2` has the number of the message. The response may be of either convention: SPMCs answer a 64-bit PSCI message
/// with a 32-bit response.
pub(crate) fn power_answer(spmc: u16, caller: &Regs) -> Option<Answer> {
    if endpoints(caller) != (spmc, SPMD_ID) || caller[2] as u32 != framework::POWER_RESPONSE {
        return None;
    }
    match caller[3] as u32 as i32 {
        0 => Some(Answer::Done),
        // Hafnium answers NOT_SUPPORTED for every function but CPU_OFF: it does not know the message. That is no
        // veto. (TF-A's C dispatcher sends a message for CPU_OFF only.)
        NOT_SUPPORTED => Some(Answer::Ignored(NOT_SUPPORTED)),
        status => Some(Answer::Refused(status)),
    }
}
