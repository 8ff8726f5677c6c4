// SPDX-License-Identifier: BSD-3-Clause

//! FFA_FEATURES: w1 is a function ID (bit 31 set) or the ID of a feature.

use crate::action::Action;
use crate::call::{Call, ErrorCode, Regs, WITHOUT_HINT, set_error, set_success};
use crate::dispatch::Spmd;
use crate::state::{Core, State};
use crate::table::{FromSecure, rules};
use janus_arm::ffa::Version;

/// The feature ID of the schedule receiver interrupt (DEN0077A, "Feature IDs").
pub(crate) const SCHEDULE_RECEIVER: u32 = 2;

/// FFA_FEATURES from the SPMC: whether the dispatcher accepts the function in w1 from it, in this
/// convention and at the SPMC's version. It has none of the features with an ID for it.
pub(crate) fn from_secure(version: Version, caller: &mut Regs) {
    let asked = caller[1] as u32;
    let function = Call::named(asked);
    let rules = rules(function);
    let accepted = match rules.secure {
        // Refused, whatever their arguments.
        FromSecure::NotSupported | FromSecure::DirectReq | FromSecure::DirectReq2 => false,
        FromSecure::ForwardAt1_0 => version == Version::V1_0,
        _ => rules.exists_at(version),
    };
    // The SVE hint belongs to a call, not to a function, so it is not allowed here.
    let named = function.id(WITHOUT_HINT) == asked && rules.has_for(function, Some(version));
    if accepted && named {
        set_success(caller, 0);
    } else {
        set_error(caller, ErrorCode::NotSupported);
    }
}

impl Spmd {
    /// Returns whether the normal world asks for the schedule receiver interrupt and EL3 could send it.
    pub(crate) fn asks_for_sri(&self, caller: &Regs) -> bool {
        caller[1] as u32 == SCHEDULE_RECEIVER && self.doorbell_sri().is_some()
    }

    fn doorbell_sri(&self) -> Option<u32> {
        self.spmc.as_ref().and_then(|spmc| spmc.doorbell_sri)
    }

    /// Passes on the SPMC's answer to FFA_FEATURES(0x2). If the SPMC has no schedule receiver interrupt but rings EL3's
    /// doorbell, the answer is the interrupt that EL3 sends.
    #[inline(never)]
    pub(crate) fn secure_asked_sri(
        &self,
        core: &mut Core,
        call: Call,
        rule: FromSecure,
        caller: &mut Regs,
        normal: &mut Regs,
    ) -> Action {
        let unknown =
            rule == FromSecure::Error && caller[2] as u32 == ErrorCode::NotSupported as i32 as u32;
        if let (true, Some(sri)) = (unknown, self.doorbell_sri()) {
            core.enter(State::Running);
            set_success(normal, sri);
            return Action::Enter;
        }
        let action = self.secure_running(core, call, rule, caller, normal);
        if action == Action::Enter {
            core.enter(State::Running);
        }
        action
    }
}
