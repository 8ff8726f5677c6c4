//! What only the hardware has: EL3's own memory, its entry and its way out, devices, the crash report.
//!
//! Everything that decides lives outside, and meets on the host a machine made for its tests
//! (`fake/`) with the same names.

pub mod cache;
pub mod console;
pub mod cpu;
pub mod crash;
pub mod entry;
pub mod gic;
pub mod layout;
mod memory;
pub mod mmu;
pub mod no_vectors;
pub mod pen;
mod placement;
pub mod power;
pub mod shared_ram;
pub mod vectors;

/// Declares what all cores share and change: here a static; on the host one for each test.
macro_rules! shared {
    ($($item:item)+) => { $($item)+ };
}
pub(crate) use shared;
