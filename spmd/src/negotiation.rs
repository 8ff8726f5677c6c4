// SPDX-License-Identifier: BSD-3-Clause

//! The versions that a normal world of many cores and one SPMC have agreed on.
//!
//! Both versions are one 64-bit word, so that cores that race always agree on a pair. The word changes
//! until the normal world's first call other than FFA_VERSION sets its top bit; from then on it is
//! constant and every core keeps a copy of its own: forwarding reads no shared memory.

use crate::state::Wide;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use janus_arm::World;
use janus_arm::ffa::Version;

/// Both sides' versions: bit 63 fixed, bits 62:32 the normal world's (0: it never asked), bits 31:0
/// the SPMC's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Versions(u64);

const FIXED: u64 = 1 << 63;

impl Versions {
    pub const fn unasked(spmc: Version) -> Self {
        Self(spmc.to_register() as u64)
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
            w => Some(Version::from_bits(w)),
        }
    }

    #[inline(always)]
    pub fn secure(self) -> Version {
        Version::from_bits(self.0 as u32)
    }

    /// Returns whether the normal world has 18-register messages.
    #[inline(always)]
    pub fn normal_is_wide(self) -> bool {
        (self.0 >> 32) as u32 & 0x7FFF_FFFF >= Version::V1_2.to_register()
    }

    /// Returns whether the SPMC has 18-register messages.
    #[inline(always)]
    pub fn secure_is_wide(self) -> bool {
        self.secure() >= Version::V1_2
    }

    /// Returns whether both sides are at least at 1.2, and so have the calls of 18 registers.
    #[inline(always)]
    pub fn both_wide(self) -> bool {
        self.normal_is_wide() && self.secure_is_wide()
    }

    /// Returns which sides of a call of `from` have 18 registers.
    pub fn wide(self, from: World) -> Wide {
        let (sender, receiver) = match from {
            World::Normal => (self.normal_is_wide(), self.secure_is_wide()),
            World::Secure => (self.secure_is_wide(), self.normal_is_wide()),
        };
        match (sender, receiver) {
            (true, true) => Wide::Both,
            (false, true) => Wide::Receiver,
            (_, false) => Wide::NotReceiver,
        }
    }

    /// Returns whether both sides are at 1.0.
    pub fn both_at_1_0(self) -> bool {
        self.normal() == Version::V1_0 && self.secure() == Version::V1_0
    }

    /// Returns whether both sides are at least at 1.3.
    pub fn both_since_1_3(self) -> bool {
        self.normal() >= Version::V1_3 && self.secure() >= Version::V1_3
    }

    const fn with_normal(self, normal: Version) -> Self {
        Self((self.0 & (FIXED | 0xFFFF_FFFF)) | ((normal.to_register() as u64) << 32))
    }

    const fn with_secure(self, secure: Version) -> Self {
        Self((self.0 & !0xFFFF_FFFF) | secure.to_register() as u64)
    }
}

/// A question for a version that the SPMC has not answered yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Question {
    /// The pair before and after the question was noted, to take it back should the SPMC refuse.
    before: Versions,
    noted: Versions,
    /// Whether the answer can change anything: not a mere query, not of another major version.
    negotiates: bool,
}

/// A word that cores share: an atomic one, or that of the model that the tests explore.
pub(crate) trait Word {
    fn load(&self) -> u64;
    fn set_bits(&self, bits: u64) -> u64;
    fn exchange(&self, old: u64, new: u64) -> Result<u64, u64>;
}

/// Nothing else is published with the word, so no order is needed beyond that of the word itself.
impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        self.load(Relaxed)
    }

    fn set_bits(&self, bits: u64) -> u64 {
        self.fetch_or(bits, Relaxed)
    }

    fn exchange(&self, old: u64, new: u64) -> Result<u64, u64> {
        self.compare_exchange(old, new, Relaxed, Relaxed)
    }
}

/// The pair that all cores share.
pub(crate) struct Negotiation<W = AtomicU64>(W);

impl Negotiation {
    pub const fn new(spmc: Version) -> Self {
        Self(AtomicU64::new(Versions::unasked(spmc).0))
    }
}

impl<W: Word> Negotiation<W> {
    /// The pair as it is now.
    pub fn load(&self) -> Versions {
        Versions(self.0.load())
    }

    /// The normal world made another call than FFA_VERSION: nothing changes from here on.
    pub fn fix(&self) -> Versions {
        Versions(self.0.set_bits(FIXED) | FIXED)
    }

    /// Notes that the normal world asks for `version`.
    ///
    /// It is noted with the question and not with the answer: another core's first other call may
    /// come in between, and would otherwise fix a version that nobody asked for. Only a version of
    /// the architecture's one major number can become the normal world's; a `query` (the flags of
    /// 1.3) never does.
    pub fn ask(&self, version: Version, query: bool) -> Question {
        let mut before = self.load();
        let unchanged = |now| Question {
            before: now,
            noted: now,
            negotiates: false,
        };
        if query || version.major() != Version::OWN.major() {
            return unchanged(before);
        }
        // Another core's change makes the exchange fail; each core changes the word once per
        // FFA_VERSION, so the bound is never met in practice, and without it this could not be total.
        for _ in 0..64 {
            if before.fixed() {
                break;
            }
            let noted = before.with_normal(version);
            match self.0.exchange(before.0, noted.0) {
                Ok(_) => {
                    return Question {
                        before,
                        noted,
                        negotiates: true,
                    };
                }
                Err(now) => before = Versions(now),
            }
        }
        unchanged(before)
    }

    /// The SPMC answered with `version`: that is its own from now on, unless the pair is fixed.
    pub fn accepted(&self, question: Question, version: Version) {
        let now = self.load();
        if question.negotiates && !now.fixed() {
            // Where another core gets in between, its answer is the later one and counts.
            let _ = self.0.exchange(now.0, now.with_secure(version).0);
        }
    }

    /// The SPMC refused: the question is taken back, if nobody has built on it.
    pub fn refused(&self, question: Question) {
        if question.negotiates {
            let (noted, before) = (question.noted.0, question.before.0);
            let _ = self.0.exchange(noted, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Negotiation, Versions, Word};
    use janus_arm::ffa::Version;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use loom::thread;

    /// loom explores every interleaving of the cores' accesses to the word.
    impl Word for AtomicU64 {
        fn load(&self) -> u64 {
            self.load(Relaxed)
        }

        fn set_bits(&self, bits: u64) -> u64 {
            self.fetch_or(bits, Relaxed)
        }

        fn exchange(&self, old: u64, new: u64) -> Result<u64, u64> {
            self.compare_exchange(old, new, Relaxed, Relaxed)
        }
    }

    type Shared = Arc<Negotiation<AtomicU64>>;

    fn shared(spmc: Version) -> Shared {
        Arc::new(Negotiation(AtomicU64::new(Versions::unasked(spmc).0)))
    }

    /// A core that asks, gets its answer and makes another call; what it then holds.
    fn negotiate(word: &Shared, asked: Version, answer: Option<Version>) -> Versions {
        let question = word.ask(asked, false);
        match answer {
            Some(version) => word.accepted(question, version),
            None => word.refused(question),
        }
        word.fix()
    }

    const V1_0: Version = Version::V1_0;
    const V1_1: Version = Version::V1_1;
    const V1_2: Version = Version::V1_2;
    const V1_3: Version = Version::V1_3;

    #[test]
    fn two_cores_agree_on_a_version_that_one_of_them_asked_for() {
        loom::model(|| {
            let word = shared(V1_3);
            let other = word.clone();
            let other = thread::spawn(move || negotiate(&other, V1_1, Some(V1_2)));
            let here = negotiate(&word, V1_2, Some(V1_2));
            let there = other.join().unwrap();
            assert_eq!(here, there, "the pair is constant once a core uses it");
            assert_eq!(here, word.load());
            assert!(matches!(here.asked(), Some(V1_1 | V1_2)));
            assert!(matches!(here.secure(), V1_2 | V1_3));
        });
    }

    #[test]
    fn a_call_of_another_core_fixes_the_question_and_not_the_lack_of_one() {
        loom::model(|| {
            let word = shared(V1_2);
            let question = word.ask(V1_2, false);
            let other = word.clone();
            let other = thread::spawn(move || other.fix());
            word.accepted(question, V1_2);
            let there = other.join().unwrap();
            assert_eq!(there.asked(), Some(V1_2));
            assert_eq!(there, word.fix());
        });
    }

    #[test]
    fn nothing_changes_after_the_first_other_call() {
        loom::model(|| {
            let word = shared(V1_1);
            let other = word.clone();
            let other = thread::spawn(move || {
                let question = other.ask(V1_3, false);
                other.accepted(question, V1_0);
            });
            let fixed = word.fix();
            other.join().unwrap();
            assert_eq!(word.load(), fixed);
            assert_eq!(word.fix(), fixed);
        });
    }

    #[test]
    fn a_refused_question_leaves_what_was_before() {
        loom::model(|| {
            let word = shared(V1_2);
            let before = word.ask(V1_1, false);
            word.accepted(before, V1_2);
            let other = word.clone();
            let other = thread::spawn(move || {
                let question = other.ask(V1_3, false);
                other.refused(question);
            });
            other.join().unwrap();
            assert_eq!(word.load().asked(), Some(V1_1));
            assert_eq!(word.load().secure(), V1_2);
        });
    }

    #[test]
    fn refusals_and_answers_of_two_cores_leave_a_version_somebody_asked_for() {
        loom::model(|| {
            let word = shared(V1_2);
            let other = word.clone();
            let other = thread::spawn(move || negotiate(&other, V1_3, None));
            let here = negotiate(&word, V1_1, Some(V1_2));
            let there = other.join().unwrap();
            assert_eq!(here, there);
            assert!(matches!(here.asked(), None | Some(V1_1 | V1_3)));
        });
    }

    #[test]
    fn renegotiation_is_open_until_then_and_queries_change_nothing() {
        loom::model(|| {
            let word = shared(V1_3);
            for (asked, query, then) in [
                (V1_0, false, V1_0),
                (V1_2, false, V1_2),
                (V1_3, true, V1_2),
                (Version::new(2, 0), false, V1_2),
                (V1_1, false, V1_1),
            ] {
                let question = word.ask(asked, query);
                word.accepted(question, V1_3);
                assert_eq!(word.load().asked(), Some(then));
            }
            assert!(!word.load().fixed());
            assert!(word.fix().fixed());
        });
    }
}
