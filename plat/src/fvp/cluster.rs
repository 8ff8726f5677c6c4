//! A cluster joins the interconnect when its first core comes and leaves it when its last one goes: the order is
//! [`janus_drivers::cluster`]'s; the flags and states are in memory that nobody caches ([`mailbox`]).

use super::{CLUSTER, CLUSTERS, interconnect, mailbox, power, wait_until};
use crate::Platform;
use janus_drivers::cluster::{self, Cluster, State};

/// Microseconds that a leaving core waits for cores that execute their last instructions.
const LEAVE_WAIT: u64 = 1_000;
/// Microseconds that a coming core waits for a leaving one: far more than leaving takes, even where the cores of a
/// simulated machine wait for a processor of the host. A core that gives up joins while the other may still leave.
const JOIN_WAIT: u64 = 2_000_000;

/// Sets the start state: only this core takes part, and no cluster is leaving. Called once, on the boot core,
/// while it is alone.
pub fn init() {
    let me = super::Fvp::core_index(super::this_core());
    for index in 0..CLUSTERS * CLUSTER {
        mailbox::set_present(index, Some(index) == me);
        mailbox::set_stayed(index, false);
    }
    for cluster in 0..CLUSTERS {
        mailbox::set_state(cluster, State::In as u32);
    }
}

/// Joins core `index`, with this affinity, to its cluster when it comes on or back. The core itself calls this, with
/// its caches still off.
pub fn join(index: usize, mpidr: u64) {
    cluster::join(&Own { index, mpidr });
}

/// Takes core `index`, with this affinity, out of its cluster, and the cluster out of the interconnect if it is the
/// `last` core. The core itself calls this, with its caches off and clean.
pub fn leave(index: usize, mpidr: u64, last: bool) {
    cluster::leave(&Own { index, mpidr }, last);
}

/// The cluster of a core.
struct Own {
    index: usize,
    mpidr: u64,
}

impl Own {
    fn number(&self) -> usize {
        self.index / CLUSTER
    }
}

impl Cluster for Own {
    fn set_present(&self, present: bool) {
        mailbox::set_present(self.index, present);
    }

    fn any_present(&self) -> bool {
        let mut cores = 0..CLUSTERS * CLUSTER;
        cores.any(|core| core / CLUSTER == self.number() && mailbox::is_present(core))
    }

    fn set_state(&self, state: State) {
        mailbox::set_state(self.number(), state as u32);
    }

    fn state(&self) -> State {
        State::of(mailbox::state(self.number()))
    }

    fn wait_to_join(&self, over: impl Fn() -> bool) {
        wait_until(JOIN_WAIT, over);
    }

    fn wait_to_leave(&self, alone: impl Fn() -> bool) -> bool {
        wait_until(LEAVE_WAIT, alone)
    }

    fn join_interconnect(&self) {
        interconnect::join(self.number());
    }

    fn leave_interconnect(&self) {
        interconnect::leave(self.number());
    }

    fn power_off(&self) {
        power::cluster_off(self.mpidr);
    }

    fn stay_on(&self) {
        power::stay_on(self.mpidr);
    }
}
