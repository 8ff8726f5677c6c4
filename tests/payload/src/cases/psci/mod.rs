//! Power state coordination.

pub mod basics;
pub mod races;
pub mod reset;
pub mod suspend;
