// SPDX-License-Identifier: BSD-3-Clause

//! Why a call is refused: the rule behind an FFA_ERROR of the dispatcher, in words.
//!
//! For tools that replay what a machine did (`cargo xtask trace --errors`), and to count refusals in a lab. The
//! product's image does not contain this module. It follows [`crate::normal`] and [`crate::secure`] rule by rule.
//! A test compares them: a call is answered with an error if and only if this module says so, with the same
//! status.

use crate::call::{Call, ErrorCode, Regs, SPMD_ID, endpoints, is_secure, number};
use crate::direct::{may_address, may_answer, may_request, may_respond};
use crate::dispatch::{SpmcConfig, Spmd};
use crate::requests::Pending;
use crate::state::{Core, State, StateName};
use crate::table::{FromNormal, FromSecure, rules};
use core::fmt;
use janus_arm::World;
use janus_arm::ffa::Version;

/// A refusal: the status, and the rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status code that the caller gets.
    pub code: ErrorCode,
    /// The rule that the call breaks.
    pub why: Why,
}

/// A rule by which calls are refused. Displayed, it is a sentence without its full stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// No SPMC serves the core, whose state is this.
    NoSpmc(StateName),
    /// The SPMC has something else to end first: the core's state is this.
    Busy(StateName),
    /// FF-A has no such function.
    NoSuchFunction,
    /// The function does not exist in this calling convention, for a caller of this version.
    Convention(Option<Version>),
    /// The function is not for this world to call.
    NotFor(World),
    /// The function exists since the first version; the caller's is the second.
    Since(Version, Version),
    /// Both sides must be at least at the version; theirs are the other two.
    BothSince(Version, Option<Version>, Version),
    /// Both sides must be at 1.0; theirs are these.
    BothAt1_0(Option<Version>, Version),
    /// The sender's ID is not one of the world that calls.
    Sender(u16),
    /// The receiver's ID is not one of the other world.
    Receiver(u16),
    /// This framework message is not for that world to send.
    Framework(u32),
    /// The SPMC sends the normal world a request, which FF-A does not allow.
    NormalWorldIsNotAsked,
    /// The normal world sends an answer, but no request was sent to it.
    NothingAsked,
    /// FFA_CONSOLE_LOG with a number of characters that does not fit.
    Characters(u32),
    /// FFA_SECONDARY_EP_REGISTER outside the SPMC's initialisation on the boot core.
    EntryTooLate,
    /// This address is no instruction of the SPMC's image.
    Entry(u64),
    /// FFA_FEATURES asked for this, which does not exist.
    Feature(u32),
    /// No EL3 logical partition has the UUID, or the index is past the last one.
    NoPartition,
    /// FFA_VERSION with a value that is no version.
    NotAVersion(u32),
    /// EL3 waits for one particular call in this state, and this is another one.
    NotAnAnswer(StateName),
    /// FFA_NORMAL_WORLD_RESUME while no secure interrupt is handled.
    NoInterrupt,
}

impl Refusal {
    /// How many rules there are.
    pub const RULES: u8 = 21;

    /// Returns the number of the rule, below [`Refusal::RULES`]: what a counter of refusals goes by. Rules keep
    /// their numbers.
    pub fn rule(&self) -> u8 {
        match self.why {
            Why::NoSpmc(_) => 0,
            Why::Busy(_) => 1,
            Why::NoSuchFunction => 2,
            Why::Convention(_) => 3,
            Why::NotFor(_) => 4,
            Why::Since(..) => 5,
            Why::BothSince(..) => 6,
            Why::BothAt1_0(..) => 7,
            Why::Sender(_) => 8,
            Why::Receiver(_) => 9,
            Why::Framework(_) => 10,
            Why::NormalWorldIsNotAsked => 11,
            Why::NothingAsked => 12,
            Why::Characters(_) => 13,
            Why::EntryTooLate => 14,
            Why::Entry(_) => 15,
            Why::Feature(_) => 16,
            Why::NoPartition => 17,
            Why::NotAVersion(_) => 18,
            Why::NotAnAnswer(_) => 19,
            Why::NoInterrupt => 20,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |version: Option<Version>| version.unwrap_or(Version::V1_0);
        match *self {
            Self::NoSpmc(state) => write!(f, "no SPMC serves this core ({state:?})"),
            Self::Busy(state) => write!(f, "the SPMC has to end something else first ({state:?})"),
            Self::NoSuchFunction => f.write_str("FF-A has no such function"),
            Self::Convention(version) => write!(
                f,
                "the function does not exist in this calling convention at FF-A {}",
                side(version)
            ),
            Self::NotFor(World::Normal) => {
                f.write_str("the function is not for the normal world to call")
            }
            Self::NotFor(World::Secure) => f.write_str("the function is not for the SPMC to call"),
            Self::Since(since, caller) => {
                write!(
                    f,
                    "the function exists since FF-A {since}, the caller is at {caller}"
                )
            }
            Self::BothSince(since, normal, secure) => write!(
                f,
                "both sides must be at FF-A {since} or later: the normal world is at {}, the SPMC at {secure}",
                side(normal)
            ),
            Self::BothAt1_0(normal, secure) => write!(
                f,
                "the function is for two sides at FF-A 1.0: the normal world is at {}, the SPMC at {secure}",
                side(normal)
            ),
            Self::Sender(id) => {
                write!(f, "the sender {id:#06x} is not one of the world that calls")
            }
            Self::Receiver(id) => write!(f, "the receiver {id:#06x} is not one of the other world"),
            Self::Framework(w2) => write!(
                f,
                "the framework message {w2:#x} is not for this world to send"
            ),
            Self::NormalWorldIsNotAsked => f.write_str("nobody in the normal world can be asked"),
            Self::NothingAsked => f.write_str("the normal world was asked nothing"),
            Self::Characters(count) => {
                write!(
                    f,
                    "{count} characters: 1 to 24, or to 128 in the 64-bit form"
                )
            }
            Self::EntryTooLate => {
                f.write_str("only the boot core may register it, before FFA_MSG_WAIT")
            }
            Self::Entry(entry) => write!(f, "{entry:#x} is no instruction of the SPMC's image"),
            Self::Feature(asked) => write!(f, "{asked:#x} is nothing that the SPMC may call"),
            Self::NoPartition => f.write_str("EL3 has no logical partition for this"),
            Self::NotAVersion(w1) => write!(f, "{w1:#x} is no version: bit 31 is set"),
            Self::NotAnAnswer(state) => {
                write!(
                    f,
                    "this does not answer what the SPMC has to answer ({state:?})"
                )
            }
            Self::NoInterrupt => f.write_str("no secure interrupt is being handled"),
        }
    }
}

impl Spmd {
    /// Returns why the dispatcher would refuse the call that is in `caller`, the registers of `from`, on this
    /// core. `None`: it would not. Changes nothing.
    ///
    /// FFA_VERSION has no FFA_ERROR form: for it, NOT_SUPPORTED in w0 is a refusal too.
    pub fn refusal(&self, core: &Core, from: World, caller: &Regs) -> Option<Refusal> {
        let (code, why) = match from {
            World::Normal => self.normal_refusal(core, caller),
            World::Secure => self.secure_refusal(core, caller),
        }?;
        Some(Refusal { code, why })
    }

    fn normal_refusal(&self, core: &Core, caller: &Regs) -> Option<(ErrorCode, Why)> {
        use ErrorCode::{Denied, InvalidParameters, NotSupported};
        let call = Call::of(caller);
        let rules = rules(call);
        let state = core.state();
        let Some(_) = self.spmc.as_ref().filter(|_| core.is_running()) else {
            let version = call.number() == number::VERSION && !call.is_64();
            return Some(match core.has_spmc() {
                true if !version => (Denied, Why::Busy(state)),
                true => (NotSupported, Why::Busy(state)),
                false => (NotSupported, Why::NoSpmc(state)),
            });
        };
        if rules.normal == FromNormal::Version && rules.has(call) {
            let asked = caller[1] as u32;
            return (Version::from_register(asked).is_none())
                .then_some((NotSupported, Why::NotAVersion(asked)));
        }
        let pair = self.pair(core);
        let asked = pair.asked();
        if !rules.has_for(call, asked) {
            return Some((NotSupported, Why::Convention(asked)));
        }
        let both = |since| (NotSupported, Why::BothSince(since, asked, pair.secure()));
        let (sender, receiver) = endpoints(caller);
        let wrong_ids = if is_secure(sender) {
            Why::Sender(sender)
        } else {
            Why::Receiver(receiver)
        };
        match rules.normal {
            FromNormal::Forward
            | FromNormal::Features
            | FromNormal::IdGet
            | FromNormal::Version => None,
            FromNormal::DirectReq if may_request(caller) => None,
            FromNormal::DirectReq if may_address(caller) => {
                Some((InvalidParameters, Why::Framework(caller[2] as u32)))
            }
            FromNormal::DirectReq => Some((InvalidParameters, wrong_ids)),
            FromNormal::DirectReq2 if !pair.both_wide() => Some(both(Version::V1_2)),
            FromNormal::DirectReq2 if may_address(caller) => None,
            FromNormal::DirectReq2 => Some((InvalidParameters, wrong_ids)),
            FromNormal::Send2 if !is_secure(sender) => None,
            FromNormal::Send2 => Some((InvalidParameters, Why::Sender(sender))),
            FromNormal::ForwardAt1_0 if pair.both_at_1_0() => None,
            FromNormal::ForwardAt1_0 => Some((NotSupported, Why::BothAt1_0(asked, pair.secure()))),
            FromNormal::ForwardSince1_3 if pair.both_since_1_3() => None,
            FromNormal::ForwardSince1_3 => Some(both(Version::V1_3)),
            FromNormal::SpmIdGet => {
                asked
                    .filter(|version| !rules.exists_at(*version))
                    .map(|version| {
                        (
                            NotSupported,
                            Why::Since(Version::new(1, rules.since.into()), version),
                        )
                    })
            }
            FromNormal::DirectResp => Some((Denied, Why::NothingAsked)),
            FromNormal::DirectResp2 if pair.both_wide() => Some((Denied, Why::NothingAsked)),
            FromNormal::DirectResp2 => Some(both(Version::V1_2)),
            FromNormal::NotSupported => Some((NotSupported, not_for(call, World::Normal))),
        }
    }

    fn secure_refusal(&self, core: &Core, caller: &Regs) -> Option<(ErrorCode, Why)> {
        use ErrorCode::{Denied, InvalidParameters, NotSupported};
        let call = Call::of(caller);
        let rules = rules(call);
        let pair = self.pair(core);
        let version = pair.secure();
        let state = core.state();
        let Some(spmc) = self.spmc.as_ref().filter(|_| core.has_spmc()) else {
            return Some((NotSupported, Why::NoSpmc(state)));
        };
        if !rules.has_for(call, Some(version)) {
            return Some((NotSupported, Why::Convention(Some(version))));
        }
        let rule = rules.secure;
        if rule.is_local() {
            if !rules.exists_at(version) && rule != FromSecure::Abort {
                let since = Version::new(1, rules.since.into());
                return Some((NotSupported, Why::Since(since, version)));
            }
            return self.local_refusal(core, spmc, call, caller);
        }
        let both = || {
            Some((
                NotSupported,
                Why::BothSince(Version::V1_2, pair.asked(), version),
            ))
        };
        let (sender, receiver) = endpoints(caller);
        let wrong_ids = if is_secure(sender) && sender != SPMD_ID {
            Why::Receiver(receiver)
        } else {
            Why::Sender(sender)
        };
        // The SPMC dies of the last one: no refusal.
        let not_an_answer =
            (!core.dies_of_next_wrong_call()).then_some((Denied, Why::NotAnAnswer(state)));
        match core.state {
            State::Running | State::AskedSri => match rule {
                FromSecure::Resume => Some((Denied, Why::NoInterrupt)),
                FromSecure::DirectResp if may_respond(caller) => None,
                FromSecure::DirectResp if may_answer(caller) => {
                    Some((InvalidParameters, Why::Framework(caller[2] as u32)))
                }
                FromSecure::DirectResp2 if !pair.both_wide() => both(),
                FromSecure::DirectResp2 if may_answer(caller) => None,
                FromSecure::DirectResp | FromSecure::DirectResp2 => {
                    Some((InvalidParameters, wrong_ids))
                }
                FromSecure::ForwardAt1_0 if !pair.both_at_1_0() => {
                    Some((NotSupported, Why::BothAt1_0(pair.asked(), version)))
                }
                _ => None,
            },
            State::Booting { .. } => {
                (rule == FromSecure::Resume).then_some((Denied, Why::NoInterrupt))
            }
            State::Interrupted if rule == FromSecure::Resume => None,
            State::Interrupted => not_an_answer,
            State::Requested(Pending::Version(_)) => {
                match crate::version::answer(spmc, call, rule, caller) {
                    None => not_an_answer,
                    Some(_) => None,
                }
            }
            State::Requested(pending) => match spmc.request_answer(pending, call, rule, caller) {
                None => not_an_answer,
                Some(_) => None,
            },
            State::Off | State::Failed | State::Dead => Some((NotSupported, Why::NoSpmc(state))),
        }
    }

    fn local_refusal(
        &self,
        core: &Core,
        spmc: &SpmcConfig,
        call: Call,
        caller: &Regs,
    ) -> Option<(ErrorCode, Why)> {
        use ErrorCode::{Denied, InvalidParameters, NotSupported};
        let pair = self.pair(core);
        // What is answered without a look at the state is asked of a copy.
        let mut copy = *caller;
        let refused = |regs: &Regs| regs[0] as u32 == crate::call::id::ERROR;
        match rules(call).secure {
            FromSecure::Version => {
                crate::version::from_secure(&mut copy);
                (copy[0] as u32 == crate::version::NOT_SUPPORTED)
                    .then_some((NotSupported, Why::NotAVersion(caller[1] as u32)))
            }
            FromSecure::Features => {
                crate::features::from_secure(pair.secure(), &mut copy);
                refused(&copy).then_some((NotSupported, Why::Feature(caller[1] as u32)))
            }
            FromSecure::PartitionInfo => {
                spmc.partition_info(pair.secure(), &mut copy);
                let code = match copy[2] as u32 as i32 {
                    -1 => NotSupported,
                    _ => InvalidParameters,
                };
                refused(&copy).then_some((code, Why::NoPartition))
            }
            FromSecure::SecondaryEntry if core.state != (State::Booting { primary: true }) => {
                Some((Denied, Why::EntryTooLate))
            }
            FromSecure::SecondaryEntry => {
                let entry = if call.is_64() {
                    caller[1]
                } else {
                    u64::from(caller[1] as u32)
                };
                let good = spmc.image.contains(&entry) && entry.is_multiple_of(4) && entry != 0;
                (!good).then_some((InvalidParameters, Why::Entry(entry)))
            }
            FromSecure::ConsoleLog => {
                let refuses = matches!(
                    crate::console::from_secure(call.is_64(), &mut copy),
                    crate::action::Action::Return
                );
                refuses.then_some((InvalidParameters, Why::Characters(caller[1] as u32)))
            }
            FromSecure::DirectReq2 if !pair.both_wide() => Some((
                NotSupported,
                Why::BothSince(Version::V1_2, pair.asked(), pair.secure()),
            )),
            FromSecure::DirectReq | FromSecure::DirectReq2 => Some(if may_answer(caller) {
                (Denied, Why::NormalWorldIsNotAsked)
            } else {
                (InvalidParameters, Why::Sender(endpoints(caller).0))
            }),
            FromSecure::NotSupported => Some((NotSupported, not_for(call, World::Secure))),
            _ => None,
        }
    }
}

/// Why a row is NOT_SUPPORTED.
fn not_for(call: Call, world: World) -> Why {
    let named = crate::table::ROWS
        .iter()
        .any(|row| u32::from(row.number) == call.number());
    if named {
        Why::NotFor(world)
    } else {
        Why::NoSuchFunction
    }
}
