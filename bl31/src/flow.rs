//! The results of handling an exit of a world.

use crate::core_data::Here;
use janus_spmd::World;

/// What handling an exit leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    /// This world runs next.
    Run(World),
    /// The world that came goes on: its call is answered.
    Answered(Here),
    /// The other world goes on with the call of the one that came.
    Forwarded(Here),
    /// The SPMC has finished what EL3 asked of it: `CoreData::event`.
    Spmc,
}
