//! The way into Rust: see entry.S for the boot core and the others, [`crate::boot`] for what follows.

use crate::core_data::{CRASH_RECORD, CoreData};
use crate::hw::layout::STACK_STRIDE;
use crate::hw::{cache, mmu, pen};
use crate::topology::MAX_CORES;
use core::arch::global_asm;
use janus_plat::{Plat, Platform};

global_asm!(
    include_str!("entry.S"),
    max_cores = const MAX_CORES,
    pen_shift = const pen::SLOT_SHIFT,
    core_size = const size_of::<CoreData>(),
    crash_record = const CRASH_RECORD,
    mair = const mmu::MAIR,
    tcr = const mmu::TCR,
    tables = sym mmu::TABLES,
    sctlr_off = const mmu::SCTLR_OFF,
    sctlr_on = const mmu::SCTLR_ON,
    stacks = const Plat::MEMORY.stacks,
    stack_stride = const STACK_STRIDE,
);

unsafe extern "C" {
    fn warm_entry();
    fn park_core(index: usize) -> !;
}

/// Has the cores that boot firmware holds come to the warm entry. Once, on the boot core.
pub fn release_held_cores() {
    Plat::release_held_cores(warm_entry as *const () as usize, cache::clean_range);
}

/// Turns this core's MMU off and lets it wait for its next start. The core's stack and data are
/// free afterwards.
pub fn park(core: &mut CoreData) -> ! {
    // SAFETY: the code of park_core is mapped at its physical address, so that turning the MMU off
    // changes nothing for it; it uses no memory but the core's slot, and Rust is not returned to.
    unsafe { park_core(core.index) }
}
