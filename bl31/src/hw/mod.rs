//! What only the hardware has: EL3's own memory, its entry and its way out, devices, the crash report.
//!
//! Everything that decides lives outside and also builds on the host, for its tests.

pub mod cache;
pub mod console;
pub mod crash;
pub mod crash_record;
pub mod entry;
pub mod gic;
pub mod layout;
pub mod mmu;
pub mod pen;
pub mod shared_ram;
