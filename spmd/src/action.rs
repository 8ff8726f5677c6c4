// SPDX-License-Identifier: BSD-3-Clause

//! What the dispatcher tells the monitor to do.

use crate::call::{ErrorCode, Regs, set_error};
use crate::console::ConsoleLog;

/// What the monitor does next on this core: exactly one of three things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Action {
    /// Resume the world that called; its registers hold the answer.
    Return,
    /// Switch to the other world; its registers hold what it sees (after a secure interrupt: what it
    /// had).
    Enter,
    /// EL3 has something to do first.
    El3(Work),
}

/// What EL3 has to do. The secure world is the cause of all of it, except of [`Work::Unclaimed`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Work {
    /// The SPMC is initialised on this core: go on with the boot or CPU_ON flow that entered it. It
    /// expects no answer; its registers are written when it is entered next.
    SpmcReady,
    /// The SPMC failed to initialise on this core, with this FF-A status code: report it and go on
    /// with the boot or CPU_ON flow; the core has no SPMC (on the boot core: no core has).
    SpmcFailed(i32),
    /// The SPMC called this function ID, which it may not call before it is initialised. Treat it as
    /// [`Work::SpmcFailed`].
    SpmcCalledEarly(u32),
    /// The request made by [`crate::Spmd::request`] is answered: go on with what needed it. The SPMC waits;
    /// its registers are written when it is entered next.
    Answered(Answer),
    /// Take the characters out of the secure registers ([`ConsoleLog::lines`], which also writes the
    /// answer) and print them, then resume the secure world.
    ConsoleLog(ConsoleLog),
    /// Acknowledge, handle and end the pending Group 0 interrupt if it is still there, then resume
    /// the secure world; the answer is already in its registers.
    Group0Interrupt,
    /// The SPMC died on this core: report it, then switch to the normal world. Its registers hold
    /// what it sees: FFA_ERROR ABORTED, or after a secure interrupt what it had.
    Aborted,
    /// No SPMC on this core takes the secure interrupt: acknowledge it at EL3, disable and end it,
    /// and resume the normal world.
    Unclaimed,
}

/// How the SPMC answered a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A power request: done, go on.
    Done,
    /// A power request: refused with this PSCI status; the caller of PSCI gets DENIED.
    Refused(i32),
    /// A power request: answered with FFA_ERROR and this status, or with PSCI's NOT_SUPPORTED; the
    /// SPMC does not know such messages, go on.
    Ignored(i32),
    /// A logical partition's: x0 to x17 of the answer (w0 to w7 of an SMC32 one) are in the secure
    /// world's registers. It may be FFA_INTERRUPT or FFA_YIELD, where the partition takes them.
    Message,
    /// The SPMC died over it on this core: report it; go on without.
    Aborted,
}

// Both in one register: nothing is returned through memory.
const _: () = assert!(size_of::<Action>() <= 8);

/// Answers the caller with an error.
#[inline]
pub(crate) fn refuse(caller: &mut Regs, code: ErrorCode) -> Action {
    set_error(caller, code);
    Action::Return
}
