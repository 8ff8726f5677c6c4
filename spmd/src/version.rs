// SPDX-License-Identifier: BSD-3-Clause

//! FFA_VERSION from both worlds.
//!
//! The normal world's question is passed on to the SPMC as a framework message. An SPMC at 1.0 does not know
//! such messages, so its version is the answer. [`crate::negotiation`] keeps what was agreed on.

use crate::action::Action;
use crate::call::{Call, ErrorCode, Regs, SPMD_ID, endpoints, id, set};
use crate::dispatch::{SpmcConfig, Spmd};
use crate::negotiation::Question;
use crate::requests::{Pending, framework};
use crate::state::{Core, Death, State};
use crate::table::FromSecure;
use janus_arm::ffa::Version;

/// NOT_SUPPORTED as FFA_VERSION returns it: in w0, because it has no FFA_ERROR form.
pub(crate) const NOT_SUPPORTED: u32 = ErrorCode::NotSupported as i32 as u32;

/// w2 of FFA_VERSION (1.3): what the caller wants; anything but 0 changes nothing.
const QUERY_TYPE: u32 = 0b11;

/// FFA_VERSION from the SPMC: the dispatcher's own version, which every 1.x is compatible with.
pub(crate) fn from_secure(caller: &mut Regs) {
    let answer = match Version::from_register(caller[1] as u32) {
        Some(asked) if asked.major() == Version::OWN.major() => Version::OWN.to_register(),
        _ => NOT_SUPPORTED,
    };
    set(caller, [answer, 0, 0, 0]);
}

impl Spmd {
    /// FFA_VERSION from the normal world: the SPMC is asked by a framework message, in 8 registers.
    pub(crate) fn version_from_normal(
        &self,
        core: &mut Core,
        spmc: &SpmcConfig,
        caller: &mut Regs,
        secure: &mut Regs,
    ) -> Action {
        let Some(asked) = Version::from_register(caller[1] as u32) else {
            set(caller, [NOT_SUPPORTED, 0, 0, 0]);
            return Action::Return;
        };
        let flags = caller[2] as u32;
        let question = self.versions.ask(asked, flags & QUERY_TYPE != 0);
        if spmc.version == Version::V1_0 {
            set(caller, [Version::V1_0.to_register(), 0, 0, 0]);
            return Action::Return;
        }
        let to_spmc = u32::from(SPMD_ID) << 16 | u32::from(spmc.id);
        set(
            secure,
            [
                id::DIRECT_REQ_32,
                to_spmc,
                framework::VERSION_REQUEST,
                asked.to_register(),
            ],
        );
        secure[4] = u64::from(flags);
        core.enter(State::Requested(Pending::Version(question)));
        Action::Enter
    }

    /// The SPMC answered; `normal` is x0 to x17 of the normal world, which waits for it in w0.
    pub(crate) fn version_answered(
        &self,
        core: &mut Core,
        question: Question,
        answer: VersionAnswer,
        normal: &mut Regs,
    ) -> Action {
        let w0 = match answer {
            VersionAnswer::Version(version) => {
                self.versions.accepted(question, version);
                version.to_register()
            }
            VersionAnswer::NotSupported => {
                self.versions.refused(question);
                NOT_SUPPORTED
            }
            VersionAnswer::Nonsense => return self.die(core, Death::Nonsense, normal),
        };
        set(normal, [w0, 0, 0, 0]);
        core.enter(State::Running);
        Action::Enter
    }
}

/// What the SPMC answers to the question for its version.
pub(crate) enum VersionAnswer {
    Version(Version),
    NotSupported,
    /// The call is an answer, but its value is no version.
    Nonsense,
}

/// What `call` of the SPMC says to the version question, or `None` where it is no answer to it.
pub(crate) fn answer(
    spmc: &SpmcConfig,
    call: Call,
    rule: FromSecure,
    caller: &Regs,
) -> Option<VersionAnswer> {
    match rule {
        FromSecure::Error => Some(VersionAnswer::NotSupported),
        FromSecure::Success => Some(VersionAnswer::Nonsense),
        FromSecure::DirectResp
            if !call.is_64()
                && endpoints(caller) == (spmc.id, SPMD_ID)
                && caller[2] as u32 == framework::VERSION_RESPONSE =>
        {
            Some(match caller[3] as u32 {
                NOT_SUPPORTED => VersionAnswer::NotSupported,
                w => match Version::from_register(w) {
                    Some(version) if version >= Version::V1_0 => VersionAnswer::Version(version),
                    _ => VersionAnswer::Nonsense,
                },
            })
        }
        _ => None,
    }
}
