//! Power state coordination.

pub mod basics;
pub mod races;
pub mod suspend;
