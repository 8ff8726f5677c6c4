//! How a cluster leaves the interconnect with its last core and joins it with its first one.
//!
//! The last core may leave while the first one comes. Both run without caches, so that no lock of the usual
//! kind can keep them apart. Each core has a flag, *present*, and each cluster a state.
//! Both are in memory that nobody caches ([`Cluster`]).
//!
//! * A coming core sets its flag and then reads the state. A leaving core sets the state to *leaving* and then
//!   reads the flags. So at least one of the two sees the other.
//! * A coming core waits while the cluster is leaving. A leaving core reads the flags again when it has taken
//!   the cluster out of the interconnect. If another core came, it undoes everything. Otherwise the cluster is
//!   gone, and the leaving core does not touch the interconnect any more.
//! * A coming core that finds the cluster gone joins it to the interconnect again, and cancels its power-off,
//!   which may still be pending.
//!
//! All waits have a bound. The bound of a leaving core is shorter: it gives up first, and then its cluster stays
//! on. If a coming core ever gives up, its cluster may be out of the interconnect until the leaving core has read
//! the flags again and joined it.
//!
//! The tests go through every order in which two cores can do this.

/// Whether a cluster takes part in the interconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// The cluster takes part.
    In = 0,
    /// Its last core is about to take it out.
    Leaving = 0x4c65_6176,
    /// The cluster does not take part.
    Gone = 0x476f_6e65,
}

impl State {
    /// Reads a state from a word. Any value but those of the other two states is [`State::In`], such as what memory
    /// holds before the first write.
    pub fn of(word: u32) -> Self {
        [Self::Leaving, Self::Gone]
            .into_iter()
            .find(|state| *state as u32 == word)
            .unwrap_or(Self::In)
    }
}

/// A cluster, as the calling core sees it. Other cores see each write before anything that this core does later.
pub trait Cluster {
    /// Says whether this core is present.
    fn set_present(&self, present: bool);
    /// Returns whether any core of the cluster is present.
    fn any_present(&self) -> bool;
    /// Sets the state.
    fn set_state(&self, state: State);
    /// The state.
    fn state(&self) -> State;

    /// Waits until `over` returns true, with a bound that is longer than that of [`Cluster::wait_to_leave`].
    fn wait_to_join(&self, over: impl Fn() -> bool);
    /// Waits, with a bound, until `alone` returns true. Returns whether it did.
    fn wait_to_leave(&self, alone: impl Fn() -> bool) -> bool;

    /// Makes the interconnect snoop the cluster's caches.
    fn join_interconnect(&self);
    /// Makes the interconnect stop snooping the cluster's caches.
    fn leave_interconnect(&self);
    /// Asks that the cluster loses its power together with this core.
    fn power_off(&self);
    /// Cancels [`Cluster::power_off`]: the cluster keeps its power.
    fn stay_on(&self);
}

/// Joins this core, which comes on or back, to its cluster. Its caches are still off.
pub fn join(cluster: &impl Cluster) {
    cluster.set_present(true);
    cluster.wait_to_join(|| cluster.state() != State::Leaving);
    // The cluster is gone, or the leaving core takes longer than it may.
    if cluster.state() != State::In {
        cluster.stay_on();
    }
    cluster.join_interconnect();
    cluster.set_state(State::In);
}

/// Takes this core out of its cluster, and the cluster out of the interconnect if the core is the `last`. The
/// core's caches are off and clean.
pub fn leave(cluster: &impl Cluster, last: bool) {
    cluster.set_present(false);
    if !last {
        return;
    }
    cluster.set_state(State::Leaving);
    if !cluster.wait_to_leave(|| !cluster.any_present()) {
        cluster.set_state(State::In);
        return;
    }
    cluster.leave_interconnect();
    cluster.power_off();
    if cluster.any_present() {
        cluster.stay_on();
        cluster.join_interconnect();
        cluster.set_state(State::In);
    } else {
        cluster.set_state(State::Gone);
    }
}

#[cfg(test)]
mod tests {
    //! loom takes a sequentially consistent load or store for less than it is, so that all accesses here read and
    //! write in one.

    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
    use loom::thread;

    /// Two cores of a cluster.
    struct Shared {
        present: [AtomicBool; 2],
        state: AtomicU32,
        joined: AtomicBool,
        off: AtomicBool,
    }

    fn get(flag: &AtomicBool) -> bool {
        flag.fetch_or(false, SeqCst)
    }

    impl Shared {
        fn new(present: [bool; 2], state: State) -> Arc<Self> {
            Arc::new(Self {
                present: present.map(AtomicBool::new),
                state: AtomicU32::new(state as u32),
                joined: AtomicBool::new(state == State::In),
                off: AtomicBool::new(state == State::Gone),
            })
        }

        /// As core `me` sees it.
        fn by(&self, me: usize) -> Seen<'_> {
            Seen {
                of: self,
                me,
                hasty: false,
            }
        }

        /// Core `me` comes; its caches are on from then on.
        fn comes(&self, me: usize) {
            join(&self.by(me));
            assert!(get(&self.joined), "caches on outside of the interconnect");
            assert!(!get(&self.off), "its power is about to go");
        }

        fn works(&self) -> bool {
            get(&self.joined) && !get(&self.off)
        }
    }

    /// The cluster as one of its cores sees it.
    struct Seen<'a> {
        of: &'a Shared,
        me: usize,
        /// It does not wait for the one that leaves.
        hasty: bool,
    }

    impl Cluster for Seen<'_> {
        fn set_present(&self, present: bool) {
            self.of.present[self.me].swap(present, SeqCst);
        }

        fn any_present(&self) -> bool {
            self.of.present.iter().any(get)
        }

        fn set_state(&self, state: State) {
            self.of.state.swap(state as u32, SeqCst);
        }

        fn state(&self) -> State {
            State::of(self.of.state.fetch_or(0, SeqCst))
        }

        fn wait_to_join(&self, over: impl Fn() -> bool) {
            while !self.hasty && !over() {
                thread::yield_now();
            }
        }

        fn wait_to_leave(&self, alone: impl Fn() -> bool) -> bool {
            alone() || {
                thread::yield_now();
                alone()
            }
        }

        fn join_interconnect(&self) {
            self.of.joined.swap(true, SeqCst);
        }

        fn leave_interconnect(&self) {
            self.of.joined.swap(false, SeqCst);
        }

        fn power_off(&self) {
            self.of.off.swap(true, SeqCst);
        }

        fn stay_on(&self) {
            self.of.off.swap(false, SeqCst);
        }
    }

    #[test]
    fn a_core_that_gives_up_waiting_is_in_the_interconnect_in_the_end() {
        loom::model(|| {
            let cluster = Shared::new([true, false], State::In);
            let other = cluster.clone();
            let other = thread::spawn(move || {
                join(&Seen {
                    hasty: true,
                    ..other.by(1)
                })
            });
            leave(&cluster.by(0), true);
            other.join().unwrap();
            assert!(cluster.works());
        });
    }

    #[test]
    fn a_core_that_comes_while_the_last_one_goes_is_in_the_interconnect_and_has_power() {
        loom::model(|| {
            let cluster = Shared::new([true, false], State::In);
            let other = cluster.clone();
            let other = thread::spawn(move || other.comes(1));
            leave(&cluster.by(0), true);
            other.join().unwrap();
            assert!(cluster.works());
        });
    }

    #[test]
    fn two_cores_that_come_to_a_cluster_that_is_gone_bring_it_back() {
        loom::model(|| {
            let cluster = Shared::new([false; 2], State::Gone);
            let other = cluster.clone();
            let other = thread::spawn(move || other.comes(1));
            cluster.comes(0);
            other.join().unwrap();
            assert!(cluster.works());
        });
    }

    #[test]
    fn the_last_core_takes_its_cluster_along() {
        loom::model(|| {
            let cluster = Shared::new([true, true], State::In);
            let other = cluster.clone();
            let other = thread::spawn(move || leave(&other.by(1), false));
            leave(&cluster.by(0), true);
            other.join().unwrap();
            // Or the coming core gave up before the other one was gone.
            let gone = !get(&cluster.joined) && get(&cluster.off);
            let state = cluster.by(0).state();
            assert!(state == State::Gone && gone || state == State::In && cluster.works());
        });
    }

    #[test]
    fn a_word_that_was_never_written_is_no_state_to_wait_for() {
        assert_eq!(State::of(0xdead_beef), State::In);
        for state in [State::In, State::Leaving, State::Gone] {
            assert_eq!(State::of(state as u32), state);
        }
    }
}
