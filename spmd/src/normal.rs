// SPDX-License-Identifier: BSD-3-Clause

//! Calls of the normal world, decided in full.

use crate::action::{Action, refuse};
use crate::call::{Call, ErrorCode, Regs, endpoints, is_secure, number, set, set_success};
use crate::direct::{may_address, may_request};
use crate::dispatch::Spmd;
use crate::state::{Core, State};
use crate::table::{FromNormal, Rules};
use crate::version::NOT_SUPPORTED;

impl Spmd {
    /// Decides about `call`; `caller` is the normal world's registers, `secure` the SPMC's.
    #[inline(never)]
    pub(crate) fn normal_decide(
        &self,
        core: &mut Core,
        call: Call,
        rules: &Rules,
        caller: &mut Regs,
        secure: &mut Regs,
    ) -> Action {
        let Some(spmc) = self.spmc.as_ref().filter(|_| core.is_running()) else {
            return no_spmc(core, call, caller);
        };
        if rules.normal == FromNormal::Version && rules.has(call) {
            return self.version_from_normal(core, spmc, caller, secure);
        }
        let pair = self.fixed_pair(core);
        if !rules.has_for(call, pair.asked()) {
            return refuse(caller, ErrorCode::NotSupported);
        }
        let wrong = match rules.normal {
            FromNormal::Forward => None,
            FromNormal::Features => {
                if self.asks_for_sri(caller) {
                    core.enter(State::AskedSri);
                }
                None
            }
            FromNormal::DirectReq if may_request(caller) => None,
            FromNormal::DirectReq2 if pair.both_wide() && may_address(caller) => None,
            FromNormal::Send2 if !is_secure(endpoints(caller).0) => None,
            FromNormal::ForwardAt1_0 if pair.both_at_1_0() => None,
            FromNormal::ForwardSince1_3 if pair.both_since_1_3() => None,
            FromNormal::IdGet => {
                set_success(caller, 0);
                return Action::Return;
            }
            FromNormal::SpmIdGet if pair.asked().is_none_or(|version| rules.exists_at(version)) => {
                set_success(caller, u32::from(spmc.id));
                return Action::Return;
            }
            FromNormal::DirectReq | FromNormal::Send2 => Some(ErrorCode::InvalidParameters),
            FromNormal::DirectReq2 if pair.both_wide() => Some(ErrorCode::InvalidParameters),
            FromNormal::DirectResp => Some(ErrorCode::Denied),
            FromNormal::DirectResp2 if pair.both_wide() => Some(ErrorCode::Denied),
            FromNormal::NotSupported
            | FromNormal::Version
            | FromNormal::SpmIdGet
            | FromNormal::ForwardAt1_0
            | FromNormal::ForwardSince1_3
            | FromNormal::DirectReq2
            | FromNormal::DirectResp2 => Some(ErrorCode::NotSupported),
        };
        match wrong {
            None => self.hand_over(call, pair, caller, secure),
            Some(code) => refuse(caller, code),
        }
    }
}

/// Answers a call of the normal world on a core that no SPMC serves.
fn no_spmc(core: &Core, call: Call, caller: &mut Regs) -> Action {
    if call.number() == number::VERSION && !call.is_64() {
        // This call has no FFA_ERROR form.
        set(caller, [NOT_SUPPORTED, 0, 0, 0]);
        return Action::Return;
    }
    // In the other states with an SPMC the normal world does not run; should it, nothing happens.
    let code = if core.has_spmc() {
        ErrorCode::Denied
    } else {
        ErrorCode::NotSupported
    };
    refuse(caller, code)
}
