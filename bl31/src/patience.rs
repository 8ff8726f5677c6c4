//! Until when the SPMC of a core may be silent, as part of the core's data. `watch.rs` acts on it.

use crate::hw::power::Lent;
use janus_plat::Stop;

/// A time by which the SPMC has to answer.
pub struct Watch {
    /// A value of the system counter.
    pub deadline: u64,
    /// What happens if the SPMC is silent until then.
    pub overdue: Overdue,
}

/// What happens when the time is over.
pub enum Overdue {
    /// The system stops without the SPMC.
    Stop(Stop),
    /// The SPMC is dead on this core. Until then EL3 has borrowed its timer.
    Dead(Lent),
}
