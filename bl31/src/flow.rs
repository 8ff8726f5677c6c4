//! The results of handling an exit of a world.

use janus_spmd::World;

/// What runs after an exit has been handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// This world runs next.
    Run(World),
    /// Whoever in EL3 waits for the SPMC: it has finished. `CoreData::event` says what.
    Spmc,
}

/// What the SPMC has finished on EL3's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpmcEvent {
    /// Its initialisation on this core.
    Ready,
    /// Its initialisation on this core, without success. The reason has been reported.
    Failed,
    /// A request of the SPMD, with this answer.
    Answered(janus_spmd::Answer),
}
