// SPDX-License-Identifier: BSD-3-Clause

//! Live activation of a secure partition (DEN0077A 1.3): the framework messages by which an EL3 logical partition asks
//! the SPMC to replace a partition.
//!
//! There are two requests, in this order. At *start* the SPMC stops the running instance and takes the new image. At
//! *finish* it starts the new instance. Each has its own response, with a status. Only EL3 sends these requests and only
//! the SPMC answers them: any other such message is refused, as framework messages are
//! ([`crate::table::FromNormal::DirectReq`]).

use crate::call::{Call, ErrorCode, Regs, id, number};
use crate::dispatch::SpmcConfig;
use crate::requests::{framework, message};

/// The size of a page in the messages, in bytes.
const PAGE: u64 = 4096;

/// Memory that holds a new image or a new manifest: at least one page of 4 KiB, not at address 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pages {
    base: u64,
    count: u32,
}

impl Pages {
    /// Names `count` pages from the physical address `base` on. `None`: `base` is 0 or not a multiple of 4 KiB, `count` is
    /// 0, or the pages do not end below 2^64.
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
        /// The manifest; `None`: it is part of the image.
        manifest: Option<Pages>,
    },
    /// Start the new instance. Send it after a successful [`Step::Start`].
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
    /// Returns whether both IDs are valid in such a message.
    pub(crate) fn fits(&self, spmc: &SpmcConfig) -> bool {
        spmc.partition(self.sender).is_some()
            && spmc.may_receive(self.partition)
            && self.partition != spmc.id
    }

    /// Returns w2 of the response.
    pub(crate) fn response(&self) -> u32 {
        match self.step {
            Step::Start { .. } => framework::START_RESPONSE,
            Step::Finish => framework::FINISH_RESPONSE,
        }
    }

    /// Writes the message. It is SMC64, because it has addresses.
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

/// Reads the answer to a [`crate::Request::Activation`], as [`crate::Messenger::ask`] returned it.
///
/// # Errors
/// The FF-A status code with which the SPMC refused the request or failed.
pub fn activation_status(answer: &Regs) -> Result<(), i32> {
    let error = Call::of(answer).number() == number::ERROR;
    match answer[if error { 2 } else { 3 }] as u32 as i32 {
        // FFA_ERROR is a failure, whatever its code.
        0 if error => Err(ErrorCode::NotSupported as i32),
        0 => Ok(()),
        status => Err(status),
    }
}
