// SPDX-License-Identifier: BSD-3-Clause

//! Live activation of a secure partition: the framework messages by which an EL3 logical partition has the SPMC
//! replace one (DEN0077A 1.3).
//!
//! Two requests, in this order: *start*, on which the SPMC has the running instance stop and takes the new image,
//! and *finish*, on which the new instance starts. Each has its own response, with a status. They pass between EL3
//! and the SPMC alone: whatever either world sends of them in another place is refused as any framework message is
//! ([`crate::table::FromNormal::DirectReq`]).

use crate::call::{Call, ErrorCode, Regs, id, number};
use crate::dispatch::SpmcConfig;
use crate::requests::{framework, message};

/// The size of a page, in which the messages count.
const PAGE: u64 = 4096;

/// Memory that holds a new image or a new manifest: at least one page of 4 KiB, not at address 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pages {
    base: u64,
    count: u32,
}

impl Pages {
    /// Names `count` pages from the physical address `base` on. `None`: the address is 0 or no page's, there are no
    /// pages, or they do not end below 2^64.
    pub const fn new(base: u64, count: u32) -> Option<Self> {
        // A u32 of pages is less than 2^44 bytes.
        let bytes = (count as u64).wrapping_mul(PAGE);
        if base == 0 || base & (PAGE - 1) != 0 || count == 0 || base.checked_add(bytes).is_none() {
            return None;
        }
        Some(Self { base, count })
    }

    /// Returns the physical address of the first page.
    pub const fn base(self) -> u64 {
        self.base
    }

    /// Returns the number of pages.
    pub const fn count(self) -> u32 {
        self.count
    }
}

/// A step of a live activation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Stop the running instance and take the new one.
    Start {
        /// The new image.
        image: Pages,
        /// Its manifest; `None`: the image has it with it.
        manifest: Option<Pages>,
    },
    /// Start the new instance. To be sent after a successful [`Step::Start`].
    Finish,
}

/// A live activation message of a logical partition to the SPMC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Activation {
    /// The logical partition's ID.
    pub sender: u16,
    /// The ID of the secure partition that is replaced.
    pub partition: u16,
    /// What the SPMC is to do.
    pub step: Step,
}

impl Activation {
    /// Returns whether both IDs are of partitions that can be in such a message.
    pub(crate) fn fits(&self, spmc: &SpmcConfig) -> bool {
        spmc.partition(self.sender).is_some()
            && spmc.may_receive(self.partition)
            && self.partition != spmc.id
    }

    /// w2 of the response.
    pub(crate) fn response(&self) -> u32 {
        match self.step {
            Step::Start { .. } => framework::START_RESPONSE,
            Step::Finish => framework::FINISH_RESPONSE,
        }
    }

    /// Writes the message: SMC64, for it has addresses.
    pub(crate) fn write(&self, spmc: u16, secure: &mut Regs) {
        let endpoints = u32::from(self.sender) << 16 | u32::from(spmc);
        let request = match self.step {
            Step::Start { .. } => framework::START_REQUEST,
            Step::Finish => framework::FINISH_REQUEST,
        };
        let partition = u32::from(self.partition);
        message(secure, [id::DIRECT_REQ_64, endpoints, request, partition]);
        if let Step::Start { image, manifest } = self.step {
            [secure[4], secure[5]] = [image.base, image.count.into()];
            if let Some(manifest) = manifest {
                [secure[6], secure[7]] = [manifest.base, manifest.count.into()];
            }
        }
    }
}

/// Reads what [`crate::Messenger::ask`] returned for a [`crate::Request::Activation`].
///
/// # Errors
/// The status code of FF-A with which the SPMC refused it, or failed.
pub fn activation_status(answer: &Regs) -> Result<(), i32> {
    let error = Call::of(answer).number() == number::ERROR;
    match answer[if error { 2 } else { 3 }] as u32 as i32 {
        // FFA_ERROR is no success, whatever its code.
        0 if error => Err(ErrorCode::NotSupported as i32),
        0 => Ok(()),
        status => Err(status),
    }
}
