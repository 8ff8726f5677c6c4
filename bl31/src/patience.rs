//! The record of a watch, in the data of each core: until when the SPMC may be silent. [`crate::watch`] uses it.

use crate::hw::power::Lent;
use janus_plat::Stop;

/// A watch that has started: by when the SPMC has to answer.
pub struct Watch {
    /// The last moment for an answer, as a value of the system counter.
    pub deadline: u64,
    /// What happens if the SPMC is silent until then.
    pub overdue: Overdue,
}

/// What EL3 does when the time is over.
pub enum Overdue {
    /// It stops the system without the answer.
    Stop(Stop),
    /// It ends the SPMC on this core. Until then the timer is borrowed from the SPMC.
    Dead(Lent),
}
