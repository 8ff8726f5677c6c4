//! A cluster joins the interconnect when its first core comes and leaves it when its last one goes.
//!
//! The last one that goes and the first one that comes may be there at the same time, both without caches,
//! so that no lock of the usual kind can part them. Each core has a flag, *present*, and each cluster a state.
//! Both are in memory that nobody caches ([`mailbox`]).
//!
//! * Who comes first says that it is present and then looks at the state; who leaves first says that the
//!   cluster is leaving and then looks who is present. So at least one of the two sees the other.
//! * Who comes waits while the cluster is leaving. Who leaves looks again when it has left the interconnect:
//!   if somebody came, it takes everything back; else the cluster is gone, and who goes touches the
//!   interconnect no more.
//! * Who finds the cluster gone joins it to the interconnect again, and takes back its power-off, which may
//!   be pending still.
//!
//! All waits have a bound. What bounds the wait of who leaves is shorter: it gives up first, and then its
//! cluster stays on.

use super::{CLUSTER, CLUSTERS, interconnect, mailbox, power, wait_until};
use crate::Platform;

/// The states of a cluster. Any other value, as SRAM has it before it was written, is as good as [`IN`].
const IN: u32 = 0;
const LEAVING: u32 = 0x4c65_6176;
const GONE: u32 = 0x476f_6e65;

/// Microseconds that who leaves waits for those who are on their last instructions.
const LEAVE_WAIT: u64 = 1_000;
/// Microseconds that who comes waits for who leaves.
const JOIN_WAIT: u64 = 20_000;

/// No core but this one takes part, and no cluster is leaving. Once, on the boot core, while it is alone.
pub fn init() {
    let me = super::Fvp::core_index(super::this_core());
    for index in 0..CLUSTERS * CLUSTER {
        mailbox::set_present(index, Some(index) == me);
        mailbox::set_stayed(index, false);
    }
    for cluster in 0..CLUSTERS {
        mailbox::set_state(cluster, IN);
    }
}

/// This core comes on or back. Its caches are still off.
pub fn join(index: usize, mpidr: u64) {
    let cluster = index / CLUSTER;
    mailbox::set_present(index, true);
    wait_until(JOIN_WAIT, || mailbox::state(cluster) != LEAVING);
    if mailbox::state(cluster) == GONE {
        power::stay_on(mpidr);
    }
    interconnect::join(cluster);
    mailbox::set_state(cluster, IN);
}

/// This core goes, and its cluster with it if it is the `last`. Its caches are off and clean.
pub fn leave(index: usize, mpidr: u64, last: bool) {
    let cluster = index / CLUSTER;
    mailbox::set_present(index, false);
    if !last {
        return;
    }
    let others = || {
        (0..CLUSTERS * CLUSTER).any(|core| core / CLUSTER == cluster && mailbox::is_present(core))
    };
    mailbox::set_state(cluster, LEAVING);
    if !wait_until(LEAVE_WAIT, || !others()) {
        mailbox::set_state(cluster, IN);
        return;
    }
    interconnect::leave(cluster);
    power::cluster_off(mpidr);
    if others() {
        power::stay_on(mpidr);
        interconnect::join(cluster);
        mailbox::set_state(cluster, IN);
    } else {
        mailbox::set_state(cluster, GONE);
    }
}
