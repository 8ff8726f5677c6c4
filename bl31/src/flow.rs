//! What handling an exit of a world leads to.

use janus_spmd::World;

/// What handling an exit leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// This world runs next.
    Run(World),
    /// The SPMC has finished what EL3 asked of it: `CoreData::event`.
    Spmc,
}

/// What the SPMC has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpmcEvent {
    /// Its initialisation on this core.
    Ready,
    /// Its initialisation on this core, in vain; why has been reported.
    Failed,
    /// A request of the dispatcher, with this answer.
    Answered(janus_spmd::Answer),
}
