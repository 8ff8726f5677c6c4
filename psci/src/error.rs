// SPDX-License-Identifier: BSD-3-Clause

//! Why a call is refused.

use crate::decision::Decision;
use smccc::psci::error;

/// Why a call is refused: PSCI's error codes. (Those of `smccc` have a variant for any other number, and so would take more
/// room in each result, and a table to turn them into the number.)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub(crate) enum Error {
    NotSupported = error::NOT_SUPPORTED,
    InvalidParameters = error::INVALID_PARAMETERS,
    Denied = error::DENIED,
    AlreadyOn = error::ALREADY_ON,
    OnPending = error::ON_PENDING,
    InternalFailure = error::INTERNAL_FAILURE,
    InvalidAddress = error::INVALID_ADDRESS,
}

impl From<Error> for i64 {
    /// Returns the caller's x0.
    fn from(error: Error) -> Self {
        error as i32 as i64
    }
}

impl From<Error> for Decision {
    fn from(error: Error) -> Self {
        Decision::Return(error.into())
    }
}
