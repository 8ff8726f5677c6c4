//! The dispatcher, call by call.

pub mod direct;
pub mod ids;
pub mod version;
