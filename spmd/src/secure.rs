// SPDX-License-Identifier: BSD-3-Clause

//! Calls of the SPMC, decided in full: what it may do in every state, then a handler for each state.

use crate::action::{Action, Answer, Work, refuse};
use crate::call::{Call, ErrorCode, Regs, SPMD_ID, set, set_error, set_success};
use crate::direct::{may_answer, may_respond, refusal_of_request};
use crate::dispatch::{SpmcConfig, Spmd, pass};
use crate::requests::Pending;
use crate::state::{Core, Death, State};
use crate::table::{FromSecure, Rules};
use crate::version::NOT_SUPPORTED;

impl Spmd {
    /// Decides about `call`; `caller` is the SPMC's registers, `normal` the normal world's.
    #[inline(never)]
    pub(crate) fn secure_decide(
        &self,
        core: &mut Core,
        call: Call,
        rules: &Rules,
        caller: &mut Regs,
        normal: &mut Regs,
    ) -> Action {
        let Some(spmc) = self.spmc.as_ref() else {
            return refuse(caller, ErrorCode::NotSupported);
        };
        // Nearly all functions exist at any version; only for the others the version is looked up.
        if !rules.has(call) && !rules.has_for(call, Some(self.pair(core).secure())) {
            return refuse(caller, ErrorCode::NotSupported);
        }
        let rule = rules.secure;
        if rule.is_local() {
            return self.secure_local(core, spmc, call, rules, caller, normal);
        }
        // Tested first: the normal world's FFA_VERSION waits for it.
        if let State::Requested(Pending::Version(question)) = core.state {
            return match crate::version::answer(spmc, call, rule, caller) {
                None => self.wrong_call(core, caller, normal),
                Some(answer) => self.version_answered(core, question, answer, normal),
            };
        }
        match core.state {
            State::Running => self.secure_running(core, call, rule, caller, normal),
            State::AskedSri => self.secure_asked_sri(core, call, rule, caller, normal),
            State::Booting { primary } => self.secure_booting(core, primary, call, rule, caller),
            State::Interrupted if rule == FromSecure::Resume => {
                core.enter(State::Running);
                Action::Enter
            }
            State::Interrupted => self.wrong_call(core, caller, normal),
            State::Requested(_) => self.request_answered(core, spmc, call, rule, caller, normal),
            State::Off | State::Failed | State::Dead => refuse(caller, ErrorCode::NotSupported),
        }
    }

    /// Decides about a call while EL3 waits for the answer to a request of its own.
    #[inline(never)]
    fn request_answered(
        &self,
        core: &mut Core,
        spmc: &SpmcConfig,
        call: Call,
        rule: FromSecure,
        caller: &mut Regs,
        normal: &mut Regs,
    ) -> Action {
        let State::Requested(pending) = core.state else {
            return self.wrong_call(core, caller, normal);
        };
        match spmc.request_answer(pending, call, rule, caller) {
            None => self.wrong_call(core, caller, normal),
            Some(Answer::Aborted) => self.die(core, Death::Nonsense, normal),
            Some(answer) => {
                if matches!(answer, Answer::Ignored(_)) {
                    self.ignored(pending, answer);
                }
                core.enter(State::Running);
                Action::El3(Work::Answered(answer))
            }
        }
    }

    /// Answers the calls whose rule is the same in every state in which there is an SPMC.
    #[inline(never)]
    fn secure_local(
        &self,
        core: &mut Core,
        spmc: &SpmcConfig,
        call: Call,
        rules: &Rules,
        caller: &mut Regs,
        normal: &mut Regs,
    ) -> Action {
        let pair = self.pair(core);
        // An SPMC that says it is dead is believed at any version.
        let exists = rules.exists_at(pair.secure()) || rules.secure == FromSecure::Abort;
        if !exists || !core.has_spmc() {
            return refuse(caller, ErrorCode::NotSupported);
        }
        match rules.secure {
            FromSecure::Version => crate::version::from_secure(caller),
            FromSecure::Features => crate::features::from_secure(pair.secure(), caller),
            FromSecure::IdGet => set_success(caller, u32::from(spmc.id)),
            FromSecure::SpmIdGet => set_success(caller, u32::from(SPMD_ID)),
            FromSecure::PartitionInfo => spmc.partition_info(pair.secure(), caller),
            FromSecure::SecondaryEntry => self.register_entry(core, spmc, call.is_64(), caller),
            FromSecure::ConsoleLog => return crate::console::from_secure(call.is_64(), caller),
            FromSecure::El3Interrupt => {
                set_success(caller, 0);
                return Action::El3(Work::Group0Interrupt);
            }
            FromSecure::DirectReq => set_error(caller, refusal_of_request(caller)),
            FromSecure::DirectReq2 if pair.both_wide() => {
                set_error(caller, refusal_of_request(caller));
            }
            FromSecure::Abort => return self.die(core, Death::Abort, normal),
            _ => set_error(caller, ErrorCode::NotSupported),
        }
        Action::Return
    }

    /// Decides about a call that hands over to the normal world, which waits for the SPMC.
    #[inline(never)]
    pub(crate) fn secure_running(
        &self,
        core: &mut Core,
        call: Call,
        rule: FromSecure,
        caller: &mut Regs,
        normal: &mut Regs,
    ) -> Action {
        let pair = self.pair(core);
        let code = match rule {
            FromSecure::Resume => ErrorCode::Denied,
            FromSecure::DirectResp if !may_respond(caller) => ErrorCode::InvalidParameters,
            FromSecure::DirectResp2 if !pair.both_wide() => ErrorCode::NotSupported,
            FromSecure::DirectResp2 if !may_answer(caller) => ErrorCode::InvalidParameters,
            FromSecure::ForwardAt1_0 if !pair.both_at_1_0() => ErrorCode::NotSupported,
            _ => return pass(call, pair, caller, normal),
        };
        refuse(caller, code)
    }

    /// EL3 waits for one particular call, and this is another one. DENIED, until it
    /// has made too many of them.
    #[inline(never)]
    fn wrong_call(&self, core: &mut Core, caller: &mut Regs, normal: &mut Regs) -> Action {
        if core.dies_of_next_wrong_call() {
            return self.die(core, Death::WrongCalls, normal);
        }
        core.wrong_calls = core.wrong_calls.saturating_add(1);
        refuse(caller, ErrorCode::Denied)
    }

    /// Ends the SPMC on this core, because it did something after which EL3 cannot let it go on (an exception
    /// that has no handler). `normal` is x0 to x17 of the normal world.
    ///
    /// The action is [`Action::El3`] with what died: [`Work::SpmcFailed`], [`Work::Answered`] or
    /// [`Work::Aborted`].
    pub fn abort(&self, core: &mut Core, normal: &mut Regs) -> Action {
        self.die(core, Death::Fault, normal)
    }

    /// Ends the SPMC on this core, because it has not answered a request of EL3's in time. As [`Spmd::abort`].
    pub fn time_out(&self, core: &mut Core, normal: &mut Regs) -> Action {
        self.die(core, Death::Silence, normal)
    }

    #[inline(never)]
    pub(crate) fn die(&self, core: &mut Core, death: Death, normal: &mut Regs) -> Action {
        let work = match core.state {
            State::Booting { .. } => Work::SpmcFailed(ErrorCode::Aborted as i32),
            State::Running | State::AskedSri => {
                set_error(normal, ErrorCode::Aborted);
                Work::Aborted
            }
            State::Requested(Pending::Version(question)) => {
                self.versions.refused(question);
                // FFA_VERSION has no FFA_ERROR form.
                set(normal, [NOT_SUPPORTED, 0, 0, 0]);
                Work::Aborted
            }
            State::Requested(_) => Work::Answered(Answer::Aborted),
            State::Interrupted | State::Off | State::Failed | State::Dead => Work::Aborted,
        };
        core.enter(State::Dead);
        core.death = Some(death);
        Action::El3(work)
    }
}
