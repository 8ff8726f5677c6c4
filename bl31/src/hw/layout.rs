//! The addresses of the image's parts: the linker script's symbols, and the stacks. All are addresses at which the
//! image runs, which can differ from those at which it was linked.

use core::cell::UnsafeCell;
use core::ops::Range;
use janus_context::{Simd, SysRegs};
use janus_plat::{MemoryMap, Plat, Platform};

/// The size in bytes of the page that each core has for its stack. Below it is the guard page.
pub const STACK_PAGE: usize = 0x1000;
/// The distance from one mapped stack page to the next in bytes: a page and its guard page.
pub const STACK_STRIDE: usize = STACK_PAGE + 0x1000;
/// The room in bytes at the top of each stack page for [`parked`]. The boot core uses it as stack until its data are set
/// up. There is none where the stack needs the whole page: if the platform's own code can ask the SPMC, or in an image
/// with landing pads.
#[allow(unexpected_cfgs, reason = "as in mmu.rs")]
pub const PARKED_ROOM: usize = if Plat::PARTITIONS.is_empty() && !cfg!(landing_pads) {
    PARKED_STRIDE
} else {
    0
};
/// The size of [`parked`] in bytes, in whole cache lines.
const PARKED_STRIDE: usize = size_of::<SysRegs>().next_multiple_of(64);
/// The size of each core's stack in bytes.
const STACK_SIZE: usize = STACK_PAGE - PARKED_ROOM;
/// The size in bytes of the stack for crash reports. All cores share it: one core reports at a time.
#[allow(unexpected_cfgs, reason = "as in mmu.rs")]
const CRASH_STACK_SIZE: usize = if cfg!(landing_pads) { 0xc00 } else { 0x800 };

/// The addresses at which EL3 maps the memory for the normal world's transfer list: below the stacks. Empty if the
/// platform has no such memory.
pub const LIST_WINDOW: Range<usize> = {
    let list = Plat::MEMORY.normal_list;
    Plat::MEMORY.stacks - (list.end - list.start) as usize..Plat::MEMORY.stacks
};

/// Memory for a stack. It is used only by its address.
#[repr(C, align(16))]
struct Stack<const SIZE: usize>(UnsafeCell<[u8; SIZE]>);
// SAFETY: nothing borrows a stack. Each belongs to the core that gets its address.
unsafe impl<const SIZE: usize> Sync for Stack<SIZE> {}

/// The stacks of all cores, each in pages of its own.
#[repr(C, align(4096))]
pub struct Stacks([Stack<STACK_PAGE>; Plat::MAX_CORES]);

/// The stacks of all cores.
#[unsafe(link_section = ".noinit.stacks")]
pub static STACKS: Stacks =
    Stacks([const { Stack(UnsafeCell::new([0; STACK_PAGE])) }; Plat::MAX_CORES]);

/// The memory for [`parked`] where the stack pages have no room.
#[repr(C, align(64))]
struct Parked<const SIZE: usize>(UnsafeCell<[u8; SIZE]>);
// SAFETY: nothing borrows it. Each core's part belongs to the core that gets its address.
unsafe impl<const SIZE: usize> Sync for Parked<SIZE> {}

/// The number of cores that have it there.
const PARKED_CORES: usize = if PARKED_ROOM == 0 { Plat::MAX_CORES } else { 0 };
#[unsafe(link_section = ".noinit.parked")]
static PARKED: Parked<{ PARKED_CORES * PARKED_STRIDE }> = Parked(UnsafeCell::new([0; _]));

static CRASH_STACK: Stack<CRASH_STACK_SIZE> = Stack(UnsafeCell::new([0; CRASH_STACK_SIZE]));

core::arch::global_asm!(
    ".global boot_stack_end",
    ".set boot_stack_end, {stacks} + {size}",
    ".global crash_stack_end",
    ".set crash_stack_end, {crash} + {crash_size}",
    stacks = sym STACKS,
    size = const STACK_PAGE,
    crash = sym CRASH_STACK,
    crash_size = const CRASH_STACK_SIZE,
);

// The sizes of the stacks, for xtask.
core::arch::global_asm!(
    ".global stack_size",
    ".set stack_size, {stack}",
    ".global boot_stack_size",
    ".set boot_stack_size, {boot}",
    ".global crash_stack_size",
    ".set crash_stack_size, {crash}",
    stack = const STACK_SIZE,
    boot = const STACK_PAGE,
    crash = const CRASH_STACK_SIZE,
);

// The image's place in the platform's memory map, for the linker script and for xtask.
core::arch::global_asm!(
    ".global platform_image",
    ".set platform_image, {image}",
    ".global platform_loaded_end",
    ".set platform_loaded_end, {loaded_end}",
    ".global platform_end",
    ".set platform_end, {end}",
    image = const Plat::MEMORY.image.start,
    loaded_end = const Plat::MEMORY.loaded_end,
    end = const Plat::MEMORY.image.end,
);

unsafe extern "C" {
    static text_start: u8;
    static text_end: u8;
    static rodata_start: u8;
    static rodata_end: u8;
    static data_start: u8;
    static data_end: u8;
}

/// The address range between two linker symbols.
macro_rules! range {
    ($start:ident, $end:ident) => {
        &raw const $start as usize..&raw const $end as usize
    };
}

/// Returns the addresses of the code.
pub fn text() -> Range<usize> {
    range!(text_start, text_end)
}

/// Returns the addresses of the constants.
pub fn rodata() -> Range<usize> {
    range!(rodata_start, rodata_end)
}

/// Returns the addresses of the data: with initial values, zeroed, and uninitialised; the page tables; and the stacks
/// at their physical address.
pub fn data() -> Range<usize> {
    range!(data_start, data_end)
}

/// Returns the addresses of boot firmware's RAM. If the memory map has it end where the image begins, it ends at the
/// address at which the image really is.
pub fn shared() -> Range<usize> {
    const MAP: MemoryMap = Plat::MEMORY;
    if MAP.shared.end == MAP.image.start {
        MAP.shared.start..text().start
    } else {
        MAP.shared
    }
}

/// Returns the physical address of the lowest byte of a core's stack page.
pub fn stack(core: usize) -> usize {
    STACKS.0[core].0.get() as usize
}

/// Returns the addresses at which a core's stack page is mapped for its use.
pub fn mapped_stack(core: usize) -> Range<usize> {
    // The platform's number of cores and addresses are such that nothing wraps: mmu.rs maps all of them.
    let stride = core.wrapping_add(1).wrapping_mul(STACK_STRIDE);
    let top = Plat::MEMORY.stacks.wrapping_add(stride);
    top.wrapping_sub(STACK_PAGE)..top
}

/// Returns the address of the top of a core's stack.
pub fn stack_top(core: usize) -> usize {
    mapped_stack(core).end.wrapping_sub(PARKED_ROOM)
}

/// Returns the address of the memory for the registers of the world that is not current on a core.
pub fn parked(core: usize) -> *mut SysRegs {
    let address = if PARKED_ROOM == 0 {
        (PARKED.0.get() as usize).wrapping_add(core.wrapping_mul(PARKED_STRIDE))
    } else {
        stack_top(core)
    };
    address as *mut SysRegs
}

/// Returns the addresses of the memory for a core's vector registers. Both ends are multiples of 16.
pub fn vectors(core: usize) -> Range<usize> {
    const NEAR: Range<usize> = Plat::MEMORY.vectors;
    const _: () = assert!(
        share(&NEAR) >= Simd::room(16) && NEAR.start.is_multiple_of(16),
        "the platform's memory for vector registers is too small for FP on all cores"
    );
    const _: () = if let Some(far) = Plat::MEMORY.far_vectors {
        assert!(
            share(&far.memory) >= Simd::room(16) && far.mapped_at.is_multiple_of(16),
            "the platform's far memory for vector registers is too small for FP on all cores"
        );
    };
    let memory = match Plat::MEMORY.far_vectors {
        Some(far) if Plat::has_far_vectors() => far.mapped_at..far.mapped_at + far.memory.len(),
        _ => NEAR,
    };
    let start = memory.start + core * share(&memory);
    start..start + share(&memory)
}

/// Returns the size of one core's part of `memory`, in bytes: a multiple of 16.
const fn share(memory: &Range<usize>) -> usize {
    (memory.end - memory.start) / Plat::MAX_CORES & !15
}

/// Returns the addresses of the stack for crash reports.
pub fn crash_stack() -> Range<usize> {
    let bottom = CRASH_STACK.0.get() as usize;
    bottom..bottom + CRASH_STACK_SIZE
}
