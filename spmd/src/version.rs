//! Versions and their negotiation between a normal world of many cores and one SPMC.
//!
//! The versions of both sides are one 64-bit word, so that cores that race always agree on a pair.
//! The word changes until the normal world's first call other than FFA_VERSION sets its top bit; from
//! then on it is constant and every core keeps a copy of its own: forwarding reads no shared memory.

use crate::action::Action;
use crate::call::{Call, ErrorCode, Regs, SPMD_ID, endpoints, id, set};
use crate::dispatch::{SpmcConfig, Spmd};
use crate::power::{Pending, framework};
use crate::state::{Core, State};
use crate::table::FromSecure;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An FF-A version: major in bits 30:16, minor in bits 15:0, bit 31 clear.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Version(u32);

impl Version {
    /// FF-A 1.0.
    pub const V1_0: Self = Self::new(1, 0);
    /// FF-A 1.1.
    pub const V1_1: Self = Self::new(1, 1);
    /// FF-A 1.2: 18-register messages.
    pub const V1_2: Self = Self::new(1, 2);
    /// FF-A 1.3, the dispatcher's own.
    pub const V1_3: Self = Self::new(1, 3);
    /// The highest version the dispatcher speaks.
    pub const OWN: Self = Self::V1_3;

    /// Version `major`.`minor`; of `major` 15 bits count.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self(((major as u32 & 0x7FFF) << 16) | minor as u32)
    }

    /// A version as it stands in a register; `None` where bit 31 is set.
    pub const fn from_register(w: u32) -> Option<Self> {
        if w >> 31 == 0 { Some(Self(w)) } else { None }
    }

    /// The version as it stands in a register.
    pub const fn to_register(self) -> u32 {
        self.0
    }

    /// The major version.
    pub const fn major(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The minor version.
    pub const fn minor(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

/// Both sides' versions: bit 63 fixed, bits 62:32 the normal world's (0: it never asked), bits 31:0
/// the SPMC's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pair(u64);

const FIXED: u64 = 1 << 63;

impl Pair {
    pub const fn unasked(spmc: Version) -> Self {
        Self(spmc.0 as u64)
    }

    #[inline(always)]
    pub fn fixed(self) -> bool {
        self.0 & FIXED != 0
    }

    /// The normal world's version; one that never asked is taken as 1.0.
    #[inline(always)]
    pub fn normal(self) -> Version {
        self.asked().unwrap_or(Version::V1_0)
    }

    /// The version the normal world asked for, if it did.
    #[inline(always)]
    pub fn asked(self) -> Option<Version> {
        match (self.0 >> 32) as u32 & 0x7FFF_FFFF {
            0 => None,
            w => Some(Version(w)),
        }
    }

    #[inline(always)]
    pub fn secure(self) -> Version {
        Version(self.0 as u32)
    }

    /// Whether the normal world has 18-register messages.
    #[inline(always)]
    pub fn normal_is_wide(self) -> bool {
        (self.0 >> 32) as u32 & 0x7FFF_FFFF >= Version::V1_2.0
    }

    /// Whether the SPMC has 18-register messages.
    #[inline(always)]
    pub fn secure_is_wide(self) -> bool {
        self.secure() >= Version::V1_2
    }

    /// Whether both sides are at least at 1.2, and so have the calls of 18 registers.
    #[inline(always)]
    pub fn both_wide(self) -> bool {
        self.normal_is_wide() && self.secure_is_wide()
    }

    /// Whether both sides are at 1.0.
    pub fn both_at_1_0(self) -> bool {
        self.normal() == Version::V1_0 && self.secure() == Version::V1_0
    }

    /// Whether both sides are at least at 1.3.
    pub fn both_since_1_3(self) -> bool {
        self.normal() >= Version::V1_3 && self.secure() >= Version::V1_3
    }

    const fn with_normal(self, normal: Version) -> Self {
        Self((self.0 & (FIXED | 0xFFFF_FFFF)) | ((normal.0 as u64) << 32))
    }

    const fn with_secure(self, secure: Version) -> Self {
        Self((self.0 & !0xFFFF_FFFF) | secure.0 as u64)
    }
}

/// A question for a version that the SPMC has not answered yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Question {
    /// The pair before and after the question was noted, to take it back should the SPMC refuse.
    before: Pair,
    noted: Pair,
    /// Whether the answer can change anything: not a mere query, not of another major version.
    negotiates: bool,
}

/// The pair that all cores share.
pub(crate) struct Negotiation(AtomicU64);

impl Negotiation {
    pub const fn new(spmc: Version) -> Self {
        Self(AtomicU64::new(Pair::unasked(spmc).0))
    }

    /// The pair as it is now.
    pub fn load(&self) -> Pair {
        Pair(self.0.load(Relaxed))
    }

    /// The normal world made another call than FFA_VERSION: nothing changes from here on.
    pub fn fix(&self) -> Pair {
        Pair(self.0.fetch_or(FIXED, Relaxed) | FIXED)
    }

    /// Notes that the normal world asks for `version`.
    ///
    /// It is noted with the question and not with the answer: another core's first other call may
    /// come in between, and would otherwise fix a version that nobody asked for. Only a version of
    /// the architecture's one major number can become the normal world's; a `query` (the flags of
    /// 1.3) never does.
    pub fn ask(&self, version: Version, query: bool) -> Question {
        let negotiates = !query && version.major() == Version::OWN.major();
        let mut before = self.load();
        // Another core's change makes the exchange fail; each core changes the word once per
        // FFA_VERSION, so the bound is never met in practice, and without it this could not be total.
        for _ in 0..64 {
            if !negotiates || before.fixed() {
                break;
            }
            let noted = before.with_normal(version);
            match self.0.compare_exchange(before.0, noted.0, Relaxed, Relaxed) {
                Ok(_) => {
                    return Question {
                        before,
                        noted,
                        negotiates,
                    };
                }
                Err(now) => before = Pair(now),
            }
        }
        Question {
            before,
            noted: before,
            negotiates: false,
        }
    }

    /// The SPMC answered with `version`: that is its own from now on, unless the pair is fixed.
    pub fn accepted(&self, question: Question, version: Version) {
        let now = self.load();
        if question.negotiates && !now.fixed() {
            // Where another core gets in between, its answer is the later one and counts.
            let _ = self
                .0
                .compare_exchange(now.0, now.with_secure(version).0, Relaxed, Relaxed);
        }
    }

    /// The SPMC refused: the question is taken back, if nobody has built on it.
    pub fn refused(&self, question: Question) {
        if question.negotiates {
            let (noted, before) = (question.noted.0, question.before.0);
            let _ = self.0.compare_exchange(noted, before, Relaxed, Relaxed);
        }
    }
}

/// NOT_SUPPORTED as FFA_VERSION returns it: in w0, for it has no FFA_ERROR form.
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
        core.state = State::Requested(Pending::Version(question));
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
            VersionAnswer::Nonsense => return self.abort(core, normal),
        };
        set(normal, [w0, 0, 0, 0]);
        core.state = State::Running;
        Action::Enter
    }
}

/// What the SPMC says to the version question.
pub(crate) enum VersionAnswer {
    Version(Version),
    NotSupported,
    /// It means to answer, but that is none.
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
