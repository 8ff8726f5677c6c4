//! The code that needs the hardware: EL3's own memory, its entry and exit, devices, the crash report.
//!
//! Code that decides is outside of this module. On the host, where it is tested, `fake/` takes the place of this module
//! with functions of the same names.

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

/// Declares statics that all cores share and change. On the host each test has its own.
macro_rules! shared {
    ($($item:item)+) => { $($item)+ };
}
pub(crate) use shared;
