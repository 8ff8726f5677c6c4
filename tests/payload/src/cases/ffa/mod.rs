//! Cases about the dispatcher, by kinds of calls.

pub mod direct;
pub mod failure;
pub mod ids;
pub mod interrupt;
pub mod partition;
pub mod power;
pub mod services;
pub mod table;
pub mod verbatim;
pub mod version;
pub mod vm_messages;
