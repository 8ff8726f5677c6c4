//! The entry into Rust and the exit from it. entry.S has the code for the boot core and the others; [`crate::boot`] is
//! what follows.

use crate::core_data::{CRASH_RECORD, CoreData};
use crate::cpu_power;
use crate::crash_record::CrashRecord;
use crate::hw::layout::{PARKED_ROOM, STACK_PAGE, STACK_STRIDE};
use crate::hw::{cache, layout, mmu, pen};
use crate::speculation;
use crate::topology::MAX_CORES;
use core::arch::global_asm;
use core::cell::UnsafeCell;
use janus_plat::{Composite, Plat, Platform};

global_asm!(
    include_str!("entry.S"),
    max_cores = const MAX_CORES,
    pen_shift = const pen::SLOT_SHIFT,
    core_size = const size_of::<CoreData>(),
    crash_record = const CRASH_RECORD,
    early_record = sym EARLY_RECORD,
    mair = const mmu::MAIR,
    tcr = const mmu::TCR,
    tables = sym mmu::TABLES,
    sctlr_off = const mmu::SCTLR_OFF,
    sctlr_on = const mmu::SCTLR_ON,
    stacks = const Plat::MEMORY.stacks,
    stack_stride = const STACK_STRIDE,
    stack_page = const STACK_PAGE,
    parked_room = const PARKED_ROOM,
    boot_stack = sym layout::STACKS,
    lowest = const Plat::MEMORY.lowest,
    usual_start = const Plat::MEMORY.image.start,
    image_end = const Plat::MEMORY.image.end,
    loses_power = const Plat::POWER.ever_lost() as u8,
);

/// The crash record for a core that crashes before its own record is known. Only vectors.S writes it.
static EARLY_RECORD: EarlyRecord = EarlyRecord(UnsafeCell::new(CrashRecord::EMPTY));

/// The type of [`EARLY_RECORD`].
#[repr(transparent)]
struct EarlyRecord(UnsafeCell<CrashRecord>);
// SAFETY: the only Rust code that borrows it is the report of the core that crashed.
unsafe impl Sync for EarlyRecord {}

unsafe extern "C" {
    fn warm_entry();
    fn park_core(index: usize) -> !;
    fn power_down_core(index: usize, levels: u64, domain: bool) -> !;
    fn run_on_stack(core: *mut (), top: usize) -> !;
    fn come_back_on_stack(core: *mut (), top: usize, pc: u64, context: u64, system: bool) -> !;
}

/// Makes the warm entry the place where cores come on, wake up, or are released by boot firmware. Call it once, on the
/// boot core.
pub fn open() {
    Plat::set_warm_entry(warm_entry as *const () as usize, cache::clean_range);
}

/// Goes on with the run loop, which never ends, on this core's empty stack: nothing on it is needed any more.
pub fn run(core: &mut CoreData) -> ! {
    let top = layout::stack_top(core.index);
    // SAFETY: the code does not come back, so the frames that it gives up are not used again. It passes the core's data
    // on as the only reference to them; they are not on the stack.
    unsafe { run_on_stack((&raw mut *core).cast(), top) }
}

/// Ends a power-down state in which the core has kept its power, on its empty stack. The normal world goes on at `pc` with
/// `context` in x0; `system`: the state was SYSTEM_SUSPEND's.
pub fn come_back(core: &mut CoreData, pc: u64, context: u64, system: bool) -> ! {
    let top = layout::stack_top(core.index);
    // SAFETY: as in `run`.
    unsafe { come_back_on_stack((&raw mut *core).cast(), top, pc, context, system) }
}

/// Turns this core's MMU off and parks it until its next start. The core's stack and data are not used meanwhile.
pub fn park(core: &mut CoreData) -> ! {
    // SAFETY: the code of park_core is mapped at its physical address, so that it runs on when the MMU goes off.
    // It uses no memory but the core's slot in the pen, and does not return to Rust.
    unsafe { park_core(core.index) }
}

/// Cleans this core's caches and lets the platform cut its power. Before that it calls `last`, which makes the core's
/// last access to memory that other cores use.
pub fn power_down_with(core: &mut CoreData, target: &Composite, last: impl FnOnce()) -> ! {
    let index = core.index;
    let domain = target.levels[1..].iter().any(|depth| *depth > 0);
    let [core, cluster, system] = target.levels;
    let levels = u64::from_le_bytes([core, cluster, system, 0, 0, 0, 0, 0]);
    last();
    // SAFETY: the code is mapped at its physical address, uses the core's own stack, and does not return to Rust.
    unsafe { power_down_core(index, levels, domain) }
}

/// Prepares this core for the cleaning of its caches. Called by entry.S with the MMU off.
#[unsafe(no_mangle)]
extern "C" fn before_cleaning() {
    cpu_power::stop_prefetch();
}

/// Takes this core's power: the last code that it runs in Rust. Called by entry.S with the MMU off.
#[unsafe(no_mangle)]
extern "C" fn power_down_now(index: usize, levels: u64) {
    let [core, cluster, system, ..] = levels.to_le_bytes();
    let levels = [core, cluster, system];
    cpu_power::power_down();
    Plat::power_down(index, &Composite { levels });
}

/// Sets up the CPU after a reset: the first code that a core runs in Rust. Called by entry.S with the MMU off.
#[unsafe(no_mangle)]
extern "C" fn reset_core() {
    cpu_power::reset();
    speculation::forbid_store_bypass();
    if Plat::HAS_RESET {
        Plat::reset();
    }
}
