//! Power state coordination.

pub mod basics;
