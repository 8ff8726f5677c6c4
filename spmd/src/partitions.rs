// SPDX-License-Identifier: BSD-3-Clause

//! EL3 logical partitions: code at EL3 that sends requests to secure partitions.
//!
//! A logical partition only sends direct requests; nobody can send one to it. It sees a request as a
//! function call: the monitor implements [`Messenger`] with its run loop and [`crate::Spmd::request`].
//! In the other direction the SPMC finds the partitions by FFA_PARTITION_INFO_GET_REGS.

use crate::call::{Call, ErrorCode, Regs, id, set_error};
use crate::dispatch::{SpmcConfig, Spmd};
use crate::requests::NotAvailable;
use crate::state::Core;
use crate::table::{FromNormal, find};
use core::fmt;
use core::ops::RangeInclusive;
use janus_arm::ffa::Version;

/// The IDs that EL3 logical partitions may have: those that SPMCs (Hafnium) accept for them.
pub const PARTITION_IDS: RangeInclusive<u16> = 0xFFC0..=0xFFFE;

/// A partition at EL3. It is part of the firmware, so it lives for ever and is shared by all cores.
pub trait LogicalPartition: Sync {
    /// Its FF-A ID, one of [`PARTITION_IDS`].
    fn id(&self) -> u16;

    /// The UUID of the protocol it speaks: the low and the high 8 bytes, little-endian, as the two
    /// registers of FFA_PARTITION_INFO_GET_REGS carry them.
    fn uuid(&self) -> [u64; 2];

    /// Its properties, for discovery.
    fn properties(&self) -> Properties {
        Properties::SENDS
    }

    /// When it starts.
    fn starts(&self) -> Start {
        Start::VersionFixed
    }

    /// How long a request of its own may take, in milliseconds. An SPMC that has not answered by then is
    /// [`NotAvailable::Died`] on the core, and the partition and the normal world go on.
    fn patience_ms(&self) -> u32 {
        5000
    }

    /// What an interrupt of the normal world does while a request of this partition is served.
    fn interrupts(&self) -> Interrupts {
        Interrupts::Wait
    }

    /// Runs once, at the time that [`LogicalPartition::starts`] gives.
    fn start(&self, messenger: &mut dyn Messenger);

    /// Handles an event of the calling core. Partitions are called in the order of their list, whether they have started
    /// or not.
    fn event(&self, event: Event, messenger: &mut dyn Messenger) {
        let _ = (event, messenger);
    }
}

/// What an interrupt of the normal world does to a request of a logical partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Interrupts {
    /// The interrupt waits until the request is answered. The secure world does not see it. It waits no longer than
    /// [`LogicalPartition::patience_ms`].
    Wait,
    /// The interrupt goes to the SPMC, which may end the request by FFA_INTERRUPT or FFA_YIELD: this is then the answer.
    /// Return to the normal world, so that it handles the interrupt. Go on by [`crate::Request::Run`] when it calls
    /// again.
    End,
}

/// When a logical partition starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Start {
    /// At the normal world's first FF-A call that is not FFA_VERSION, which fixes its version. The partition starts on the
    /// core that makes the call, before the SPMC sees it. Without such a call it never starts.
    VersionFixed,
    /// As [`Start::VersionFixed`], but no later than at the normal world's first call, of whatever kind, that comes this
    /// many milliseconds after the SPMC's boot: for a partition that cannot wait for ever. If the version is not fixed by
    /// then, what [`Start::Boot`] says of a request holds for it, too.
    VersionFixedOrAfter(u32),
    /// On the boot core, after the SPMC has initialised and before the normal world runs. A request at that time may leave
    /// the normal world without FF-A: Hafnium believes that the normal world made it, and then accepts no version below
    /// 1.3 from it.
    Boot,
}

/// What happens on a core. Ignore an event that you do not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The core came on (CPU_ON), and its SPMC is up if it has one. Its normal world has not run yet.
    CoreOn,
    /// The core is about to lose its power, or the system is about to stop, by this PSCI function. The SPMC has
    /// not been told yet, and may refuse: then [`Event::PowerKept`] follows.
    PowerDown(u32),
    /// The core is back from a power-down state, or the announced [`Event::PowerDown`] does not happen. The SPMC has
    /// been told.
    PowerKept,
}

/// The properties of a logical partition: bits 31 to 0 of the properties in its partition information descriptor
/// (DEN0077A, "Partition properties").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Properties(u32);

impl Properties {
    /// It sends direct requests, also by FFA_MSG_SEND_DIRECT_REQ2, and runs in AArch64.
    pub const SENDS: Self = Self(1 << 1 | 1 << 8 | 1 << 10);
    /// It runs in AArch64, and sends no requests.
    pub const NONE: Self = Self(1 << 8);

    /// Returns the bits for a descriptor.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// What the monitor offers to logical partitions: a request that returns with its answer.
pub trait Messenger {
    /// Sends `request` (a [`crate::Request::Message`], [`crate::Request::Run`], [`crate::Request::Discover`] or
    /// [`crate::Request::Activation`]) on this core and runs the secure world until it answers.
    ///
    /// `Ok` has x0 to x17 of the answer: a direct response, FFA_SUCCESS or FFA_ERROR; where the partition says
    /// [`Interrupts::End`] also FFA_INTERRUPT and FFA_YIELD.
    ///
    /// # Errors
    /// [`NotAvailable::Died`] where the SPMC died over the request, or did not answer in time: the core goes on
    /// without it.
    fn ask(&mut self, request: crate::Request) -> Result<Regs, NotAvailable>;
}

/// A direct request of a logical partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    /// The logical partition's ID.
    pub sender: u16,
    /// The secure partition's ID.
    pub receiver: u16,
    /// The payload.
    pub body: Body,
}

/// FFA_RUN: the secure partition goes on with a request that ended by FFA_INTERRUPT or FFA_YIELD. The payload of the
/// request is not sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// The logical partition's ID.
    pub sender: u16,
    /// The secure partition's ID.
    pub receiver: u16,
    /// The secure partition's execution context: bits 15 to 0 of w1 of FFA_INTERRUPT or FFA_YIELD.
    pub vcpu: u16,
    /// Whether the request was a [`Body::Req2`].
    pub req2: bool,
}

/// The payload of a direct request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// FFA_MSG_SEND_DIRECT_REQ, SMC32: w3 to w7.
    Req32([u32; 5]),
    /// FFA_MSG_SEND_DIRECT_REQ, SMC64: x3 to x7.
    Req64([u64; 5]),
    /// FFA_MSG_SEND_DIRECT_REQ2: x2 and x3, x4 to x17.
    Req2 {
        /// The UUID of the service addressed.
        uuid: [u64; 2],
        /// The payload.
        payload: [u64; 14],
    },
}

impl Message {
    pub(crate) fn write(&self, secure: &mut Regs) {
        let w1 = crate::requests::endpoints_of(self.sender, self.receiver);
        match self.body {
            Body::Req32(words) => {
                crate::requests::message(secure, [id::DIRECT_REQ_32, w1, 0, 0]);
                for (reg, word) in secure[3..8].iter_mut().zip(words) {
                    *reg = u64::from(word);
                }
            }
            Body::Req64(words) => {
                crate::requests::message(secure, [id::DIRECT_REQ_64, w1, 0, 0]);
                secure[3..8].copy_from_slice(&words);
            }
            Body::Req2 { uuid, payload } => {
                crate::requests::message(secure, [id::DIRECT_REQ2, w1, 0, 0]);
                secure[2..4].copy_from_slice(&uuid);
                secure[4..].copy_from_slice(&payload);
            }
        }
    }
}

/// Why a set of logical partitions is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PartitionError {
    /// The ID is outside [`PARTITION_IDS`].
    Id(u16),
    /// Two partitions have this ID.
    Twice(u16),
    /// The UUID of this partition is nil, which means "all partitions" in a discovery.
    NilUuid(u16),
    /// Another partition has this partition's UUID, too.
    SameUuid(u16),
}

impl fmt::Display for PartitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As u32, like most other numbers: each further type that is formatted adds code to the image.
        match *self {
            Self::Id(id) => write!(
                f,
                "EL3 logical partition {:#x}: give it an ID from {:#x} to {:#x}",
                u32::from(id),
                u32::from(*PARTITION_IDS.start()),
                u32::from(*PARTITION_IDS.end())
            ),
            Self::Twice(id) => write!(
                f,
                "two EL3 logical partitions have the ID {:#x}",
                u32::from(id)
            ),
            Self::NilUuid(id) => {
                write!(f, "EL3 logical partition {:#x} needs a UUID", u32::from(id))
            }
            Self::SameUuid(id) => write!(
                f,
                "EL3 logical partition {:#x} has the UUID of another one",
                u32::from(id)
            ),
        }
    }
}

/// Checks a set of logical partitions for [`SpmcConfig::partitions`]. Call it at boot, or in a platform's tests.
///
/// # Errors
/// The first fault found.
pub fn check(partitions: &[&dyn LogicalPartition]) -> Result<(), PartitionError> {
    for (index, partition) in partitions.iter().enumerate() {
        let id = partition.id();
        if !PARTITION_IDS.contains(&id) {
            return Err(PartitionError::Id(id));
        }
        if partition.uuid() == [0, 0] {
            return Err(PartitionError::NilUuid(id));
        }
        let mut others = partitions.iter().skip(index.saturating_add(1));
        if let Some(other) = others.find(|it| it.id() == id || it.uuid() == partition.uuid()) {
            return Err(if other.id() == id {
                PartitionError::Twice(id)
            } else {
                PartitionError::SameUuid(other.id())
            });
        }
    }
    Ok(())
}

impl Spmd {
    /// Returns whether the versions are fixed when the normal world makes the call in `caller` on this core, and fixes them
    /// if this call does so. `true`: partitions with [`Start::VersionFixed`] may make requests, even before this call is
    /// decided.
    pub fn fixes_version(&self, core: &mut Core, caller: &Regs) -> bool {
        let call = Call::of(caller);
        let Some(rules) = find(call) else {
            return false;
        };
        let asks = rules.normal == FromNormal::Version && rules.has(call);
        if asks || !core.is_running() {
            return false;
        }
        self.fixed_pair(core);
        true
    }
}

impl SpmcConfig {
    /// Returns the logical partition with this ID.
    pub fn partition(&self, id: u16) -> Option<&'static dyn LogicalPartition> {
        let mut partitions = self.partitions.iter();
        partitions.find(|it| it.id() == id).copied()
    }

    /// Handles FFA_PARTITION_INFO_GET_REGS from the SPMC: x1, x2 = UUID (nil: all), x3\[15:0\] = the first index,
    /// x3\[31:16\] = the tag, zero.
    ///
    /// In the answer x2\[15:0\] is the last index, x2\[31:16\] the index of the last descriptor given, and x2\[63:48\] the
    /// size of a descriptor in bytes: 24, since 1.3 48 (with the image's UUID and the partition's version). Descriptors
    /// follow from x3 on. If there is no such partition the answer is NOT_SUPPORTED, which SPMCs read as "no logical
    /// partitions".
    pub(crate) fn partition_info(&self, version: Version, caller: &mut Regs) {
        let [uuid_low, uuid_high] = [caller[1], caller[2]];
        let start = caller[3] as u16;
        let tag = (caller[3] >> 16) as u16;
        let all = uuid_low == 0 && uuid_high == 0;
        let wanted = || {
            self.partitions
                .iter()
                .filter(|p| all || p.uuid() == [uuid_low, uuid_high])
        };
        let count = wanted().fold(0_u16, |count, _| count.saturating_add(1));
        let Some(last) = count.checked_sub(1) else {
            return set_error(caller, ErrorCode::NotSupported);
        };
        if start > last || tag != 0 {
            return set_error(caller, ErrorCode::InvalidParameters);
        }
        let size: u16 = if version >= Version::V1_3 { 48 } else { 24 };
        caller.fill(0);
        caller[0] = u64::from(id::SUCCESS_64);
        let mut given = start;
        let mut room = caller[3..].chunks_exact_mut(usize::from(size / 8));
        for (index, partition) in (0..count)
            .zip(wanted())
            .filter(|(index, _)| *index >= start)
        {
            let Some(to) = room.next() else { break };
            // One execution context.
            let properties = u64::from(partition.properties().bits());
            let uuid = if all { partition.uuid() } else { [0, 0] };
            let descriptor = [
                u64::from(partition.id()) | 1 << 16 | properties << 32,
                uuid[0],
                uuid[1],
                0,
                0,
                u64::from(Version::OWN.to_register()),
            ];
            for (reg, word) in to.iter_mut().zip(descriptor) {
                *reg = word;
            }
            given = index;
        }
        caller[2] = u64::from(last) | u64::from(given) << 16 | u64::from(size) << 48;
    }
}
