//! Cases about PSCI, the power state coordination interface.

pub mod arguments;
pub mod basics;
pub mod clusters;
pub mod interrupts;
pub mod races;
pub mod reset;
pub mod suspend;
