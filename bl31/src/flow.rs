//! The results of handling an exit of a world.

use crate::core_data::Here;
use janus_spmd::World;

/// What runs after an exit has been handled.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    /// This world runs next.
    Run(World),
    /// The world that made the call: it is answered. Nobody has switched since it came.
    Answered(Here),
    /// The other world, which gets the call. Nobody has switched since the caller came.
    Forwarded(Here),
    /// Whoever in EL3 waits for the SPMC: it has finished. `CoreData::event` says what.
    Spmc,
}
