//! The dispatcher's entry points: one call in, one action out.
//!
//! The world a call comes from and the state of the core choose a handler; the handler looks at the
//! row of the call. A path that forwards does nothing but look up, copy and return.

use crate::call::{
    Call, ErrorCode, Regs, SPMD_ID, SVE_HINT, World, id, number, set, set_error, set_success,
};
use crate::console::ConsoleLog;
use crate::partitions::LogicalPartition;
use crate::power::Pending;
use crate::state::{Core, State};
use crate::table::{FromNormal, FromSecure, Rules, rules};
use crate::version::{Negotiation, Pair, Version};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What bl31 does next on this core. Exactly one of three.
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

/// What EL3 has to do. All of it comes from the secure world, except [`Work::Unclaimed`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Work {
    /// The SPMC is initialised on this core: go on with the boot or CPU_ON flow that entered it. It
    /// expects no answer; its registers are written when it is entered next.
    SpmcReady,
    /// The SPMC failed to initialise on this core, with this FF-A status code: report it and go on
    /// with the boot or CPU_ON flow; the core has no SPMC (on the boot core: no core has).
    SpmcFailed(i32),
    /// The SPMC called this function ID before it was initialised, and may not: as
    /// [`Work::SpmcFailed`].
    SpmcStrayed(u32),
    /// The request made by [`Spmd::request`] is answered: go on with what needed it. The SPMC waits;
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
    /// A power request: answered with FFA_ERROR and this status; the SPMC does not know such
    /// messages, go on.
    Ignored(i32),
    /// A logical partition's: x0 to x17 of the answer (w0 to w7 of an SMC32 one) are in the secure
    /// world's registers.
    Message,
    /// The SPMC died over it on this core: report it; go on without.
    Aborted,
}

// Both in one register: nothing is returned through memory.
const _: () = assert!(size_of::<Action>() <= 8);

/// What bl31 knows of the SPMC when it makes the [`Spmd`]: from the manifest and from BL2.
#[derive(Clone)]
pub struct SpmcConfig {
    /// Its FF-A ID; bit 15 set, not 0xFFFF.
    pub id: u16,
    /// Its version by the manifest.
    pub version: Version,
    /// Whether it is at S-EL2 (else S-EL1).
    pub sel2: bool,
    /// The physical addresses of its image.
    pub image: Range<u64>,
    /// Its primary entry point, a physical address.
    pub entry: u64,
    /// The schedule receiver interrupt's ID where a Group 0 doorbell is in use, so that EL3 itself
    /// can send it: the answer to FFA_FEATURES(0x2) if the SPMC has none.
    pub doorbell_sri: Option<u32>,
    /// EL3's logical partitions; see [`crate::check_partitions`].
    pub partitions: &'static [&'static dyn LogicalPartition],
}

/// The dispatcher: what all cores share. Only its atomics change after boot.
pub struct Spmd {
    pub(crate) spmc: Option<SpmcConfig>,
    /// [`SVE_HINT`] where the SPMC may see it.
    hint: u32,
    pub(crate) versions: Negotiation,
    /// Where the other cores enter; 0: as the boot core.
    pub(crate) secondary_entry: AtomicU64,
    /// Whether the SPMC has initialised on the boot core.
    pub(crate) ready: AtomicBool,
}

impl Spmd {
    /// A system without SPMC: every FF-A call is NOT_SUPPORTED.
    pub const fn new() -> Self {
        Self {
            spmc: None,
            hint: 0,
            versions: Negotiation::new(Version::V1_0),
            secondary_entry: AtomicU64::new(0),
            ready: AtomicBool::new(false),
        }
    }

    /// A system with the SPMC that `config` describes, not booted yet.
    pub const fn with_spmc(config: SpmcConfig) -> Self {
        Self {
            hint: if config.sel2 { SVE_HINT } else { 0 },
            versions: Negotiation::new(config.version),
            spmc: Some(config),
            secondary_entry: AtomicU64::new(0),
            ready: AtomicBool::new(false),
        }
    }

    /// What is known of the SPMC, if there is one.
    pub fn spmc(&self) -> Option<&SpmcConfig> {
        self.spmc.as_ref()
    }

    /// Whether there is an SPMC that has not failed on the boot core.
    pub fn has_spmc(&self) -> bool {
        self.spmc.is_some() && self.ready.load(Relaxed)
    }

    /// The versions in force, for reports: the one the normal world asked for, and the SPMC's.
    pub fn versions(&self) -> (Option<Version>, Version) {
        let pair = self.versions.load();
        (pair.asked(), pair.secure())
    }

    /// One call of `from` on this core, to be given every SMC for which [`crate::is_ffa`] holds.
    ///
    /// `caller` is x0 to x17 of the world that called, `other` of the other one, both in place in
    /// their saved contexts. Of the two only what the action says is changed.
    #[inline]
    pub fn call(
        &self,
        core: &mut Core,
        from: World,
        caller: &mut Regs,
        other: &mut Regs,
    ) -> Action {
        match from {
            World::Normal => self.normal_call(core, caller, other),
            World::Secure => self.secure_call(core, caller, other),
        }
    }

    /// A secure Group 1 interrupt came while the normal world ran; `secure` is x0 to x17 of the
    /// secure world. The interrupt must not be acknowledged at EL3.
    ///
    /// [`Action::Enter`]: switch to the secure world, the normal world's registers stay as they are.
    /// [`Action::El3`]: [`Work::Unclaimed`]. [`Action::Return`]: resume the normal world (never while
    /// bl31 calls this only when the normal world runs).
    pub fn secure_interrupt(&self, core: &mut Core, secure: &mut Regs) -> Action {
        match core.state {
            State::Running | State::AskedSri => {
                set(secure, [id::INTERRUPT, 0, 0, 0]);
                core.state = State::Interrupted;
                Action::Enter
            }
            State::Off | State::Failed | State::Dead => Action::El3(Work::Unclaimed),
            State::Booting { .. } | State::Interrupted | State::Requested(_) => Action::Return,
        }
    }

    #[inline]
    fn normal_call(&self, core: &mut Core, caller: &mut Regs, other: &mut Regs) -> Action {
        let call = Call::of(caller);
        let rules = rules(call.number());
        if !matches!(core.state, State::Running) {
            return no_spmc(core, call, caller);
        }
        if rules.normal == FromNormal::Version && !call.is_64() {
            return self.version_from_normal(core, caller, other);
        }
        let pair = self.fixed_pair(core);
        if !rules.has_convention(call.is_64(), || pair.asked()) {
            return refuse(caller, ErrorCode::NotSupported);
        }
        match rules.normal {
            FromNormal::Forward => {}
            FromNormal::DirectReq => {
                if !crate::direct::may_request(caller) {
                    return refuse(caller, ErrorCode::InvalidParameters);
                }
            }
            _ => match self.normal_rest(core, pair, rules, caller) {
                Rest::Forward => {}
                Rest::Answered => return Action::Return,
            },
        }
        forward(call, self.hint, pair.normal(), pair.secure(), caller, other);
        Action::Enter
    }

    /// The rules of the normal world that are less often used than forwarding.
    #[inline(never)]
    fn normal_rest(&self, core: &mut Core, pair: Pair, rules: Rules, caller: &mut Regs) -> Rest {
        let code = match rules.normal {
            FromNormal::Forward => return Rest::Forward,
            FromNormal::ForwardAt1_0 => {
                if pair.normal() == Version::V1_0 && pair.secure() == Version::V1_0 {
                    return Rest::Forward;
                }
                ErrorCode::NotSupported
            }
            FromNormal::ForwardSince1_3 => {
                if pair.both(Version::V1_3) {
                    return Rest::Forward;
                }
                ErrorCode::NotSupported
            }
            FromNormal::Features => {
                if self.asks_for_sri(caller) {
                    core.state = State::AskedSri;
                }
                return Rest::Forward;
            }
            FromNormal::IdGet => {
                set_success(caller, 0);
                return Rest::Answered;
            }
            FromNormal::SpmIdGet => match &self.spmc {
                Some(spmc) if pair.asked().is_none_or(|version| rules.exists_at(version)) => {
                    set_success(caller, u32::from(spmc.id));
                    return Rest::Answered;
                }
                _ => ErrorCode::NotSupported,
            },
            FromNormal::Send2 => {
                if !crate::call::is_secure(crate::call::endpoints(caller).0) {
                    return Rest::Forward;
                }
                ErrorCode::InvalidParameters
            }
            FromNormal::DirectReq2 => {
                if !pair.both(Version::V1_2) {
                    ErrorCode::NotSupported
                } else if crate::direct::may_address(caller) {
                    return Rest::Forward;
                } else {
                    ErrorCode::InvalidParameters
                }
            }
            FromNormal::DirectResp => ErrorCode::Denied,
            FromNormal::DirectResp2 if pair.both(Version::V1_2) => ErrorCode::Denied,
            FromNormal::DirectReq
            | FromNormal::DirectResp2
            | FromNormal::Version
            | FromNormal::NotSupported => ErrorCode::NotSupported,
        };
        set_error(caller, code);
        Rest::Answered
    }

    #[inline]
    fn secure_call(&self, core: &mut Core, caller: &mut Regs, other: &mut Regs) -> Action {
        let call = Call::of(caller);
        let rules = rules(call.number());
        if !rules.has_convention(call.is_64(), || Some(self.secure_version(core))) {
            return refuse(caller, ErrorCode::NotSupported);
        }
        if rules.secure.is_local() {
            return self.secure_local(core, call, rules, caller, other);
        }
        match core.state {
            State::Running => self.secure_running(core, call, rules.secure, caller, other),
            State::AskedSri => self.secure_asked_sri(core, call, rules.secure, caller, other),
            State::Booting { primary } => {
                self.secure_booting(core, primary, call, rules.secure, caller)
            }
            State::Interrupted => secure_interrupted(core, rules.secure, caller),
            State::Requested(pending) => {
                self.secure_requested(core, pending, call, rules.secure, caller, other)
            }
            State::Off | State::Failed | State::Dead => refuse(caller, ErrorCode::NotSupported),
        }
    }

    /// What keeps the secure world running, or is EL3's affair: the same in every state.
    #[inline(never)]
    fn secure_local(
        &self,
        core: &mut Core,
        call: Call,
        rules: Rules,
        caller: &mut Regs,
        other: &mut Regs,
    ) -> Action {
        let Some(spmc) = &self.spmc else {
            return refuse(caller, ErrorCode::NotSupported);
        };
        let version = self.secure_version(core);
        let direct_req2 = rules.secure == FromSecure::DirectReq2;
        let known =
            rules.exists_at(version) && (!direct_req2 || self.pair(core).both(Version::V1_2));
        if !core.has_spmc() || !known {
            return refuse(caller, ErrorCode::NotSupported);
        }
        match rules.secure {
            FromSecure::Version => crate::version::from_secure(caller),
            FromSecure::Features => crate::features::from_secure(version, caller),
            FromSecure::IdGet => set_success(caller, u32::from(spmc.id)),
            FromSecure::SpmIdGet => set_success(caller, u32::from(SPMD_ID)),
            FromSecure::PartitionInfo => spmc.partition_info(version, caller),
            FromSecure::SecondaryEntry => self.register_entry(core, spmc, call.is_64(), caller),
            FromSecure::ConsoleLog => return crate::console::from_secure(call.is_64(), caller),
            FromSecure::El3Interrupt => {
                set_success(caller, 0);
                return Action::El3(Work::Group0Interrupt);
            }
            FromSecure::DirectReq | FromSecure::DirectReq2 => {
                set_error(caller, crate::direct::refusal_of_request(caller));
            }
            FromSecure::Abort => return self.dies(core, other),
            _ => set_error(caller, ErrorCode::NotSupported),
        }
        Action::Return
    }

    /// What would go to the normal world, while that waits for the SPMC.
    #[inline]
    pub(crate) fn secure_running(
        &self,
        core: &mut Core,
        call: Call,
        rule: FromSecure,
        caller: &mut Regs,
        other: &mut Regs,
    ) -> Action {
        let pair = self.pair(core);
        let code = match rule {
            FromSecure::Resume => ErrorCode::Denied,
            FromSecure::DirectResp => {
                if crate::direct::may_respond(caller) {
                    return pass(call, pair, caller, other);
                }
                ErrorCode::InvalidParameters
            }
            FromSecure::DirectResp2 => {
                if !pair.both(Version::V1_2) {
                    ErrorCode::NotSupported
                } else if crate::direct::may_answer(caller) {
                    return pass(call, pair, caller, other);
                } else {
                    ErrorCode::InvalidParameters
                }
            }
            FromSecure::ForwardAt1_0
                if pair.normal() != Version::V1_0 || pair.secure() != Version::V1_0 =>
            {
                ErrorCode::NotSupported
            }
            _ => return pass(call, pair, caller, other),
        };
        refuse(caller, code)
    }

    /// The SPMC has a request of the SPMD to answer.
    fn secure_requested(
        &self,
        core: &mut Core,
        pending: Pending,
        call: Call,
        rule: FromSecure,
        caller: &mut Regs,
        other: &mut Regs,
    ) -> Action {
        let Some(spmc) = &self.spmc else {
            return refuse(caller, ErrorCode::NotSupported);
        };
        match pending {
            Pending::Version(question) => match crate::version::answer(spmc, call, rule, caller) {
                None => refuse(caller, ErrorCode::Denied),
                Some(answer) => self.version_answered(core, question, answer, other),
            },
            _ => match spmc.request_answer(pending, call, rule, caller) {
                None => refuse(caller, ErrorCode::Denied),
                Some(Answer::Aborted) => self.dies(core, other),
                Some(answer) => {
                    core.state = State::Running;
                    Action::El3(Work::Answered(answer))
                }
            },
        }
    }

    /// The SPMC dies on this core; `normal` is x0 to x17 of the normal world.
    ///
    /// bl31 calls it too when the secure world does something that EL3 cannot let it go on after (an
    /// exception it cannot handle). The action is [`Action::El3`] with what died:
    /// [`Work::SpmcFailed`], [`Work::Answered`] or [`Work::Aborted`].
    pub fn abort(&self, core: &mut Core, normal: &mut Regs) -> Action {
        self.dies(core, normal)
    }

    pub(crate) fn dies(&self, core: &mut Core, normal: &mut Regs) -> Action {
        let work = match core.state {
            State::Booting { .. } => {
                core.state = State::Dead;
                return Action::El3(Work::SpmcFailed(ErrorCode::Aborted as i32));
            }
            State::Interrupted | State::Off | State::Failed | State::Dead => Work::Aborted,
            State::Running | State::AskedSri => {
                set_error(normal, ErrorCode::Aborted);
                Work::Aborted
            }
            State::Requested(Pending::Version(_)) => {
                set(normal, [crate::version::NOT_SUPPORTED, 0, 0, 0]);
                Work::Aborted
            }
            State::Requested(_) => Work::Answered(Answer::Aborted),
        };
        core.state = State::Dead;
        Action::El3(work)
    }

    /// The versions for a call of the normal world that ends the negotiation.
    #[inline(always)]
    fn fixed_pair(&self, core: &mut Core) -> Pair {
        if !core.pair.fixed() {
            core.pair = self.versions.fix();
        }
        core.pair
    }

    /// The versions for a call of the SPMC, which ends nothing.
    #[inline(always)]
    pub(crate) fn pair(&self, core: &Core) -> Pair {
        if core.pair.fixed() {
            core.pair
        } else {
            self.versions.load()
        }
    }

    /// The SPMC's version.
    #[inline(always)]
    pub(crate) fn secure_version(&self, core: &Core) -> Version {
        self.pair(core).secure()
    }
}

impl Default for Spmd {
    fn default() -> Self {
        Self::new()
    }
}

/// What a rule leaves to do.
#[derive(Eq, PartialEq)]
enum Rest {
    Forward,
    Answered,
}

/// The normal world called where no SPMC serves it.
#[cold]
#[inline(never)]
fn no_spmc(core: &Core, call: Call, caller: &mut Regs) -> Action {
    if call.number() == number::VERSION && !call.is_64() {
        // This call has no FFA_ERROR form.
        set(caller, [crate::version::NOT_SUPPORTED, 0, 0, 0]);
        return Action::Return;
    }
    // In a state with an SPMC the normal world does not run; should it, nothing happens.
    let code = if core.has_spmc() {
        ErrorCode::Denied
    } else {
        ErrorCode::NotSupported
    };
    refuse(caller, code)
}

/// The secure interrupt's handling ends with one call; whatever else would go to the normal world is
/// DENIED.
fn secure_interrupted(core: &mut Core, rule: FromSecure, caller: &mut Regs) -> Action {
    if rule == FromSecure::Resume {
        core.state = State::Running;
        return Action::Enter;
    }
    refuse(caller, ErrorCode::Denied)
}

/// Answers the caller with an error.
#[inline]
pub(crate) fn refuse(caller: &mut Regs, code: ErrorCode) -> Action {
    set_error(caller, code);
    Action::Return
}

/// Forwards a call of the SPMC to the normal world.
#[inline(always)]
pub(crate) fn pass(call: Call, pair: Pair, caller: &Regs, other: &mut Regs) -> Action {
    forward(call, 0, pair.secure(), pair.normal(), caller, other);
    Action::Enter
}

/// The registers of a forwarded call: w0 to w7 of SMC32, x0 to x17 of SMC64 between sides that have
/// them. x8 to x17 of a receiver below 1.2 keep what they hold; from a sender below 1.2 they are zero.
#[inline(always)]
fn forward(call: Call, hint: u32, from: Version, to: Version, caller: &Regs, other: &mut Regs) {
    other[0] = u64::from(call.id(hint));
    if call.is_64() {
        other[1..8].copy_from_slice(&caller[1..8]);
        if to >= Version::V1_2 {
            if from >= Version::V1_2 {
                other[8..].copy_from_slice(&caller[8..]);
            } else {
                other[8..].fill(0);
            }
        }
    } else {
        for (to, from) in other[1..8].iter_mut().zip(&caller[1..8]) {
            *to = u64::from(*from as u32);
        }
    }
}
