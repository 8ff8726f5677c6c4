// SPDX-License-Identifier: BSD-3-Clause

//! A component that is a secure partition. The SPMC replaces it, asked by an EL3 logical partition (FF-A 1.3).
//!
//! The platform loads and authenticates the new image ([`Staging`]). When the component is primed, the image is in
//! memory of the secure world. Activation asks the SPMC three things: whether the partition is there and can be
//! replaced; to stop it and take the image (the message *start*); to start the new instance (the message *finish*).

use crate::{Component, Description, Progress, Rendezvous, Status};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use janus_spmd::{
    Activation, Messenger, NotAvailable, Pages, Regs, Request, Step, activation_status,
};

/// Where the new image of a partition comes from: the platform's part.
pub trait Staging: Sync {
    /// Returns the version that runs: `major << 32 | minor`; 0 where it is not known.
    fn current(&self) -> u64;

    /// Returns the version of the new image; `None`: there is none.
    fn pending(&self) -> Option<u64>;

    /// Loads and authenticates one small piece of the new image.
    ///
    /// # Errors
    /// What is wrong with the image: the caller of LFA_PRIME gets it.
    fn prime(&self) -> Result<Progress, Status>;

    /// Returns where the primed image and its manifest are. `None` for the manifest: it is in the image.
    ///
    /// # Errors
    /// There is no primed image: the caller of LFA_ACTIVATE gets the status.
    fn image(&self) -> Result<(Pages, Option<Pages>), Status>;

    /// Notes that the new image runs: it is the current one now.
    fn activated(&self);

    /// Forgets the primed image.
    fn cancel(&self);
}

/// What identifies a partition that can be replaced.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// The ID of the EL3 logical partition that sends *start* and *finish*.
    pub sender: u16,
    /// The ID of the partition itself.
    pub id: u16,
    /// The UUID of a protocol that it implements, by which it is looked up, in the form of
    /// [`LogicalPartition::uuid`](janus_spmd::LogicalPartition::uuid).
    pub protocol: [u64; 2],
    /// The UUID of its image, in the form of [`Description::uuid`].
    pub image: u128,
    /// Whether its activation needs all cores held. [`Rendezvous::Required`], if the partition's manifest demands it.
    pub rendezvous: Rendezvous,
}

/// A secure partition that can be replaced.
pub struct SecurePartition<S: Staging> {
    of: Partition,
    staging: S,
    /// The SPMC has accepted *start*: the partition is stopped, and *finish* is next.
    stopped: AtomicBool,
}

/// FFA_SUCCESS, SMC64: FFA_PARTITION_INFO_GET_REGS has found something.
const SUCCESS: u32 = 0xC400_0061;
/// Properties of a partition (DEN0077A, "Partition properties").
const LIVE_ACTIVATION: u64 = 1 << 11;
const CPU_RENDEZVOUS: u64 = 1 << 12;

/// What the SPMC says about the partition: the number of its execution contexts, and its properties.
#[derive(Clone, Copy)]
struct Found {
    contexts: u64,
    properties: u64,
}

/// What an answer of the SPMC says about the partition.
enum Page {
    Found(Found),
    /// It is not there.
    None,
    /// It may be among the descriptors from this number on.
    Next(u16),
}

impl<S: Staging> SecurePartition<S> {
    /// Makes the component for partition `of`, whose images come from `staging`.
    pub const fn new(of: Partition, staging: S) -> Self {
        Self {
            of,
            staging,
            stopped: AtomicBool::new(false),
        }
    }

    /// Asks the SPMC for the partitions that implement the protocol, and looks for this one. `None`: it is not there.
    fn find(&self, messenger: &mut dyn Messenger) -> Result<Option<Found>, Status> {
        let mut start = 0_u16;
        // Each answer has at least one descriptor, and there are no more than 2^16.
        loop {
            match self.find_from(start, messenger)? {
                Page::Found(found) => return Ok(Some(found)),
                Page::None => return Ok(None),
                Page::Next(next) => start = next,
            }
        }
    }

    /// Asks for the descriptors from number `start` on, and looks at those of one answer. It is not inlined, because the
    /// answer would be on its callers' stack twice.
    #[inline(never)]
    fn find_from(&self, start: u16, messenger: &mut dyn Messenger) -> Result<Page, Status> {
        let uuid = self.of.protocol;
        let answer = messenger.ask(Request::Discover { uuid, start });
        let answer = answer.as_ref().map_err(|why| nobody(*why))?;
        if answer[0] as u32 != SUCCESS {
            return Ok(Page::None);
        }
        if let Some(found) = self.among(answer) {
            return Ok(Page::Found(found));
        }
        let [last, given] = [answer[2] as u16, (answer[2] >> 16) as u16];
        Ok(if given >= last || given < start {
            Page::None
        } else {
            Page::Next(given.saturating_add(1))
        })
    }

    /// Looks for the partition among the descriptors of an answer.
    fn among(&self, answer: &Regs) -> Option<Found> {
        // The size of a descriptor in bytes: 24; since FF-A 1.3, 48.
        let words = usize::from((answer[2] >> 48) as u16 / 8).max(1);
        let mut descriptors = answer.get(3..)?.chunks(words);
        let found = descriptors.find_map(|of| of.first().filter(|it| **it as u16 == self.of.id))?;
        Some(Found {
            contexts: found >> 16 & 0xFFFF,
            properties: found >> 32,
        })
    }

    /// Sends *start* or *finish*. Returns the SPMC's status, or why it could not be asked.
    fn step(&self, step: Step, messenger: &mut dyn Messenger) -> Result<Result<(), i32>, Status> {
        let request = Request::Activation(Activation {
            sender: self.of.sender,
            partition: self.of.id,
            step,
        });
        let answer = messenger.ask(request).map_err(nobody)?;
        Ok(activation_status(&answer))
    }

    fn start(&self, gathered: bool, messenger: &mut dyn Messenger) -> Result<(), Status> {
        let found = self.find(messenger)?.ok_or(Status::ComponentWrongState)?;
        // FF-A 1.3 replaces only partitions with one execution context.
        let fits = found.contexts == 1 && found.properties & LIVE_ACTIVATION != 0;
        if !fits || (found.properties & CPU_RENDEZVOUS != 0 && !gathered) {
            return Err(Status::NotSupported);
        }
        let (image, manifest) = self.staging.image()?;
        self.step(Step::Start { image, manifest }, messenger)?
            .map_err(refused)
    }

    fn finish(&self, messenger: &mut dyn Messenger) -> Result<Progress, Status> {
        match self.step(Step::Finish, messenger) {
            Ok(Ok(())) => {
                self.stopped.store(false, Relaxed);
                self.staging.activated();
                Ok(Progress::Done)
            }
            Ok(Err(BUSY | INTERRUPTED | RETRY)) | Err(Status::Busy) => Ok(Progress::Again),
            failed => {
                self.stopped.store(false, Relaxed);
                // An SPMC that has started the old instance again still lists the partition.
                let back =
                    !matches!(failed, Err(_) | Ok(Err(ABORTED))) && self.find(messenger)?.is_some();
                Err(if back {
                    Status::ActivationFailed
                } else {
                    Status::CriticalError
                })
            }
        }
    }
}

impl<S: Staging> Component for SecurePartition<S> {
    fn describe(&self) -> Description {
        Description {
            uuid: self.of.image,
            capable: true,
            rendezvous: self.of.rendezvous,
            current: self.staging.current(),
            pending: self.staging.pending(),
        }
    }

    fn prime(&self, _: &mut dyn Messenger) -> Result<Progress, Status> {
        self.staging.prime()
    }

    fn activate(&self, gathered: bool, messenger: &mut dyn Messenger) -> Result<Progress, Status> {
        if !self.stopped.load(Relaxed) {
            self.start(gathered, messenger)?;
            self.stopped.store(true, Relaxed);
        }
        self.finish(messenger)
    }

    fn cancel(&self) -> Result<(), Status> {
        if self.stopped.load(Relaxed) {
            return Err(Status::Busy);
        }
        self.staging.cancel();
        Ok(())
    }
}

/// Status codes of FF-A.
const NOT_SUPPORTED: i32 = -1;
const INVALID_PARAMETERS: i32 = -2;
const NO_MEMORY: i32 = -3;
const BUSY: i32 = -4;
const INTERRUPTED: i32 = -5;
const DENIED: i32 = -6;
const RETRY: i32 = -7;
const ABORTED: i32 = -8;

/// Returns the caller's status for an SPMC that refuses *start*. The partition goes on, unless the SPMC says ABORTED.
fn refused(status: i32) -> Status {
    match status {
        NOT_SUPPORTED => Status::NotSupported,
        INVALID_PARAMETERS => Status::InvalidParameters,
        NO_MEMORY => Status::NoMemory,
        BUSY | INTERRUPTED | RETRY => Status::Busy,
        DENIED => Status::ComponentWrongState,
        ABORTED => Status::CriticalError,
        _ => Status::ActivationFailed,
    }
}

/// Returns the caller's status where the SPMC cannot be asked.
fn nobody(why: NotAvailable) -> Status {
    match why {
        NotAvailable::Busy => Status::Busy,
        NotAvailable::Died => Status::CriticalError,
        _ => Status::NotSupported,
    }
}
