// SPDX-License-Identifier: BSD-3-Clause

//! Direct messages between the worlds: who may send what to whom.
//!
//! w1 = sender << 16 | receiver. In REQ and RESP bit 31 of w2 marks a framework message; in REQ2 and
//! RESP2, x2 and x3 are a UUID. Whether a response answers a request of the normal world is the SPMC's
//! to check: between the two there can be an interrupt, a FFA_RUN and another core.

use crate::action::Answer;
use crate::call::{Call, ErrorCode, Regs, SPMD_ID, endpoints, is_secure, number};
use crate::dispatch::SpmcConfig;
use crate::requests::{Pending, framework, power_answer};
use crate::table::FromSecure;

/// Bits of w2 that make a framework message: the mark and its number.
const FRAMEWORK: u32 = framework::BIT | 0xFF;

/// Returns whether the IDs go from the normal world to the secure one, and not to the SPMD.
#[inline(always)]
pub(crate) fn may_address(caller: &Regs) -> bool {
    let (sender, receiver) = endpoints(caller);
    !is_secure(sender) && is_secure(receiver) && receiver != SPMD_ID
}

/// REQ of the normal world: a plain message, or one by which the hypervisor (ID 0) tells of its VMs.
#[inline(always)]
pub(crate) fn may_request(caller: &Regs) -> bool {
    may_address(caller)
        && (caller[2] as u32 & framework::BIT == 0
            || (endpoints(caller).0 == 0
                && matches!(
                    caller[2] as u32 & FRAMEWORK,
                    framework::VM_CREATED | framework::VM_DESTROYED
                )))
}

/// Returns whether the IDs go from the secure world, but not from the SPMD, to the normal one.
#[inline(always)]
pub(crate) fn may_answer(caller: &Regs) -> bool {
    let (sender, receiver) = endpoints(caller);
    is_secure(sender) && sender != SPMD_ID && !is_secure(receiver)
}

/// RESP of the secure world: a plain message, or the answer to a message about a VM.
#[inline(always)]
pub(crate) fn may_respond(caller: &Regs) -> bool {
    may_answer(caller)
        && (caller[2] as u32 & framework::BIT == 0
            || matches!(
                caller[2] as u32 & FRAMEWORK,
                framework::VM_CREATED_RESPONSE | framework::VM_DESTROYED_RESPONSE
            ))
}

/// REQ or REQ2 of the secure world: well-formed or not, the normal world is not asked.
pub(crate) fn refusal_of_request(caller: &Regs) -> ErrorCode {
    if may_answer(caller) {
        ErrorCode::Denied
    } else {
        ErrorCode::InvalidParameters
    }
}

impl SpmcConfig {
    /// What `call` says to the request that is `pending` (not a version), or `None` where it is no
    /// answer to it. [`Answer::Aborted`]: an answer that says nothing.
    pub(crate) fn request_answer(
        &self,
        pending: Pending,
        call: Call,
        rule: FromSecure,
        caller: &Regs,
    ) -> Option<Answer> {
        match (pending, rule) {
            (Pending::Power(_), FromSecure::Error) => {
                Some(Answer::Ignored(caller[2] as u32 as i32))
            }
            (Pending::Power(_), FromSecure::DirectResp) => power_answer(self.id, caller),
            (
                Pending::Message {
                    endpoints: asked,
                    req2,
                    ..
                },
                FromSecure::DirectResp | FromSecure::DirectResp2,
            ) => {
                let (sender, receiver) = endpoints(caller);
                let swapped = u32::from(receiver) << 16 | u32::from(sender);
                let response = if req2 {
                    number::DIRECT_RESP2
                } else {
                    number::DIRECT_RESP
                };
                let plain = req2 || caller[2] as u32 & framework::BIT == 0;
                (swapped == asked && call.number() == response && plain).then_some(Answer::Message)
            }
            (Pending::Activation { sender, response }, FromSecure::DirectResp) => {
                (endpoints(caller) == (self.id, sender) && caller[2] as u32 == response)
                    .then_some(Answer::Message)
            }
            (
                Pending::Message { .. } | Pending::Discover | Pending::Activation { .. },
                FromSecure::Error,
            ) => Some(Answer::Message),
            (
                Pending::Message {
                    gives_way: true, ..
                },
                FromSecure::Forward,
            ) if matches!(call.number(), number::INTERRUPT | number::YIELD) => {
                Some(Answer::Message)
            }
            (Pending::Discover, FromSecure::Success) if call.is_64() => Some(Answer::Message),
            (_, FromSecure::Success) => Some(Answer::Aborted),
            _ => None,
        }
    }
}
