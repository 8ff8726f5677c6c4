// SPDX-License-Identifier: BSD-3-Clause

//! The dispatcher's entry points: one call in, one action out.
//!
//! Nearly every call is forwarded while the SPMC runs. That path is here, and does nothing but look
//! up the row, copy and return; whatever is not on it is decided in full by [`crate::normal`] and
//! [`crate::secure`], which know nothing of the short cut.

use crate::action::{Action, Work};
use crate::call::{Call, Regs, WITH_HINT, WITHOUT_HINT, id, number, set, set_success};
use crate::direct::{may_address, may_answer, may_request, may_respond};
use crate::features::SCHEDULE_RECEIVER;
use crate::negotiation::{Negotiation, Versions};
use crate::partitions::LogicalPartition;
use crate::requests::Unknown;
use crate::state::{Core, State, Wide};
use crate::table::{ShortCut, rules};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64};
use janus_arm::World;
use janus_arm::ffa::Version;

/// What the monitor knows of the SPMC when it makes the [`Spmd`]: from the manifest and from BL2.
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
    /// The bits of a function ID that the SPMC may see.
    id_mask: u32,
    pub(crate) versions: Negotiation,
    /// Where the other cores enter; 0: as the boot core.
    pub(crate) secondary_entry: AtomicU64,
    /// Whether the SPMC has initialised on the boot core.
    pub(crate) ready: AtomicBool,
    /// The messages that the SPMC does not know and is not sent again.
    pub(crate) unknown: Unknown,
}

impl Spmd {
    /// Makes the dispatcher of a system without SPMC: every FF-A call is NOT_SUPPORTED.
    pub const fn new() -> Self {
        Self {
            spmc: None,
            id_mask: WITHOUT_HINT,
            versions: Negotiation::new(Version::V1_0),
            secondary_entry: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            unknown: Unknown::new(),
        }
    }

    /// Makes the dispatcher of a system with the SPMC that `config` describes, which has not booted yet.
    pub const fn with_spmc(config: SpmcConfig) -> Self {
        Self {
            id_mask: if config.sel2 { WITH_HINT } else { WITHOUT_HINT },
            versions: Negotiation::new(config.version),
            spmc: Some(config),
            secondary_entry: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            unknown: Unknown::new(),
        }
    }

    /// Returns what the dispatcher was told of the SPMC; `None` without one.
    pub fn spmc(&self) -> Option<&SpmcConfig> {
        self.spmc.as_ref()
    }

    /// Returns the versions in force: the one that the normal world asked for, if it did, and the SPMC's.
    pub fn versions(&self) -> (Option<Version>, Version) {
        let pair = self.versions.load();
        (pair.asked(), pair.secure())
    }

    /// Handles a call that `from` makes on this core. Give it every SMC for which [`crate::is_ffa`] holds.
    ///
    /// `caller` is x0 to x17 of the world that calls, `other` of the other one, in place in their saved
    /// contexts. Registers that the action does not need stay as they are.
    pub fn call(
        &self,
        core: &mut Core,
        from: World,
        caller: &mut Regs,
        other: &mut Regs,
    ) -> Action {
        if self.forwards(core, from, caller, other) {
            return Action::Enter;
        }
        match from {
            World::Normal if self.answers(core, caller) => Action::Return,
            World::Secure if self.resumes(core, caller) => Action::Enter,
            _ => self.decide(core, from, caller, other),
        }
    }

    /// Forwards the call if it needs no decision, which is so for nearly all calls: the first part of [`Spmd::call`].
    ///
    /// `true`: `other` has the registers that the other world sees; go on as for [`Action::Enter`]. `false`: nothing has
    /// changed; go on with [`Spmd::answers`] or [`Spmd::resumes`]. Takes any call, also one that is not of FF-A.
    #[inline(always)]
    pub fn forwards(&self, core: &Core, from: World, caller: &Regs, other: &mut Regs) -> bool {
        match from {
            World::Normal => self.normal_forwards(core, caller, other),
            World::Secure => self.secure_forwards(core, caller, other),
        }
    }

    /// Answers a call of the normal world for an ID, if its version is 1.2 or later. Call [`Spmd::forwards`] first.
    ///
    /// `true`: `caller` holds the answer; go on as for [`Action::Return`]. `false`: nothing has changed. Takes any
    /// call. [`Spmd::decide`] answers in the same way.
    #[inline(always)]
    pub fn answers(&self, core: &Core, caller: &mut Regs) -> bool {
        let call = Call::of(caller);
        let answers = core.path.cuts(World::Normal, call).has(ShortCut::ID);
        if answers {
            let spmc = self.spmc.as_ref().map_or(0, |spmc| spmc.id);
            let own = call.number() == number::ID_GET;
            set_success(caller, if own { 0 } else { spmc.into() });
        }
        answers
    }

    /// Ends a secure interrupt, if this call of the SPMC does. Call [`Spmd::forwards`] first.
    ///
    /// `true`: go on as for [`Action::Enter`]; the normal world's registers are as they were. `false`: nothing has
    /// changed. Takes any call. [`Spmd::decide`] resumes in the same way.
    #[inline(always)]
    pub fn resumes(&self, core: &mut Core, caller: &Regs) -> bool {
        let resumes =
            matches!(core.state, State::Interrupted) && caller[0] as u32 == id::NORMAL_WORLD_RESUME;
        if resumes {
            core.enter(State::Running);
        }
        resumes
    }

    /// Decides about a call that no other part of [`Spmd::call`] took: the last part.
    #[inline(always)]
    pub fn decide(
        &self,
        core: &mut Core,
        from: World,
        caller: &mut Regs,
        other: &mut Regs,
    ) -> Action {
        let call = Call::of(caller);
        let rules = rules(call);
        match from {
            World::Normal => self.normal_decide(core, call, rules, caller, other),
            World::Secure => self.secure_decide(core, call, rules, caller, other),
        }
    }

    #[inline(always)]
    fn normal_forwards(&self, core: &Core, caller: &Regs, other: &mut Regs) -> bool {
        let call = Call::of(caller);
        let path = &core.path;
        let cut = path.cuts(World::Normal, call);
        let forwarded = if cut.has(ShortCut::FORWARD) {
            true
        } else if cut.has(ShortCut::REQUEST) {
            may_request(caller)
        } else if cut.has(ShortCut::REQUEST2) {
            may_address(caller)
        } else {
            cut.has(ShortCut::FEATURES) && caller[1] as u32 != SCHEDULE_RECEIVER
        };
        if !forwarded {
            return false;
        }
        forward(call, path.id_mask, || path.from_normal, caller, other);
        true
    }

    #[inline(always)]
    fn secure_forwards(&self, core: &Core, caller: &Regs, other: &mut Regs) -> bool {
        let call = Call::of(caller);
        let path = &core.path;
        let cut = path.cuts(World::Secure, call);
        let forwarded = if cut.has(ShortCut::PASS) {
            true
        } else if cut.has(ShortCut::RESPONSE) {
            may_respond(caller)
        } else {
            cut.has(ShortCut::RESPONSE2) && may_answer(caller)
        };
        if !forwarded {
            return false;
        }
        // The call has no SVE hint, or it would have no short cut.
        forward(call, WITH_HINT, || path.from_secure, caller, other);
        true
    }

    /// Hands a secure Group 1 interrupt that came while the normal world ran to the SPMC. `secure` is x0 to x17
    /// of the secure world. Do not acknowledge the interrupt at EL3.
    ///
    /// [`Action::Enter`]: switch to the secure world; the normal world's registers stay as they are.
    /// [`Action::El3`] with [`Work::Unclaimed`]: no SPMC takes it. [`Action::Return`]: nothing has changed,
    /// because it is not the normal world that runs; a monitor that asks only when it should never sees this.
    pub fn secure_interrupt(&self, core: &mut Core, secure: &mut Regs) -> Action {
        match core.state {
            State::Running => {
                set(secure, [id::INTERRUPT, 0, 0, 0]);
                core.enter(State::Interrupted);
                Action::Enter
            }
            State::Off | State::Failed | State::Dead => Action::El3(Work::Unclaimed),
            State::Booting { .. } | State::AskedSri | State::Interrupted | State::Requested(_) => {
                Action::Return
            }
        }
    }

    /// The versions for a call of the normal world that ends the negotiation.
    pub(crate) fn fixed_pair(&self, core: &mut Core) -> Versions {
        if !core.pair.fixed() {
            core.fix(self.versions.fix(), self.id_mask);
        }
        core.pair
    }

    /// The versions for a call of the SPMC, which ends nothing.
    pub(crate) fn pair(&self, core: &Core) -> Versions {
        if core.pair.fixed() {
            core.pair
        } else {
            self.versions.load()
        }
    }

    /// Forwards a call of the normal world to the SPMC.
    pub(crate) fn hand_over(
        &self,
        call: Call,
        pair: Versions,
        caller: &Regs,
        secure: &mut Regs,
    ) -> Action {
        forward(
            call,
            self.id_mask,
            || pair.wide(World::Normal),
            caller,
            secure,
        );
        Action::Enter
    }
}

impl Default for Spmd {
    fn default() -> Self {
        Self::new()
    }
}

/// Forwards a call of the SPMC to the normal world. The SVE hint does not go with it: it has no meaning in an
/// answer.
#[inline(always)]
pub(crate) fn pass(call: Call, pair: Versions, caller: &Regs, normal: &mut Regs) -> Action {
    forward(
        call,
        WITHOUT_HINT,
        || pair.wide(World::Secure),
        caller,
        normal,
    );
    Action::Enter
}

/// Copies the registers of a forwarded call: w0 to w7 of SMC32, x0 to x17 of SMC64 between sides that have
/// them. x8 to x17 of a receiver below 1.2 keep what they hold; from a sender below 1.2 they are zero.
///
/// `wide` says which sides have 18 registers. It is called for SMC64 only.
/// It is written out, because loops and copies of slices become calls and counters at `opt-level = "s"`.
#[inline(always)]
fn forward(call: Call, id_mask: u32, wide: impl FnOnce() -> Wide, from: &Regs, to: &mut Regs) {
    let id = u64::from(call.id(id_mask));
    if !call.is_64() {
        let low = |i: usize| u64::from(from[i] as u32);
        [to[0], to[1], to[2], to[3]] = [id, low(1), low(2), low(3)];
        [to[4], to[5], to[6], to[7]] = [low(4), low(5), low(6), low(7)];
        return;
    }
    let [_, x1, x2, x3, x4, x5, x6, x7, ..] = *from;
    [to[0], to[1], to[2], to[3]] = [id, x1, x2, x3];
    [to[4], to[5], to[6], to[7]] = [x4, x5, x6, x7];
    match wide() {
        Wide::Both => {
            let [.., x8, x9, x10, x11, x12, x13, x14, x15, x16, x17] = *from;
            [to[8], to[9], to[10], to[11], to[12]] = [x8, x9, x10, x11, x12];
            [to[13], to[14], to[15], to[16], to[17]] = [x13, x14, x15, x16, x17];
        }
        Wide::Receiver => clear_upper(to),
        Wide::NotReceiver => {}
    }
}

/// Clears x8 to x17, which a sender below 1.2 does not have. A function of its own, so that the usual copy is in one piece.
#[cold]
#[inline(never)]
fn clear_upper(to: &mut Regs) {
    let [.., x8, x9, x10, x11, x12, x13, x14, x15, x16, x17] = to;
    for x in [x8, x9, x10, x11, x12, x13, x14, x15, x16, x17] {
        *x = 0;
    }
}
