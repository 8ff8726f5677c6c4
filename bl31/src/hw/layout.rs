//! Where the parts of the image are: the linker script's symbols, and the stacks. Addresses are those that the
//! image runs at, which need not be its usual ones.

use crate::context::Simd;
use core::cell::UnsafeCell;
use core::ops::Range;
use janus_plat::{MemoryMap, Plat, Platform};

/// The size of each core's stack, in bytes. A whole number of pages.
pub const STACK_SIZE: usize = 0x1000;
/// From one mapped stack to the next: a stack and its guard page.
pub const STACK_STRIDE: usize = STACK_SIZE + 0x1000;
/// The stack for crash reports, shared: one core reports at a time.
#[allow(unexpected_cfgs, reason = "as in mmu.rs")]
const CRASH_STACK_SIZE: usize = if cfg!(landing_pads) { 0xc00 } else { 0x800 };

/// Where EL3 sees the normal world's memory for its transfer list: below the stacks. Empty without any.
pub const LIST_WINDOW: Range<usize> = {
    let list = Plat::MEMORY.normal_list;
    Plat::MEMORY.stacks - (list.end - list.start) as usize..Plat::MEMORY.stacks
};

/// Memory for a stack, reached only by address.
#[repr(C, align(16))]
struct Stack<const SIZE: usize>(UnsafeCell<[u8; SIZE]>);
// SAFETY: nothing borrows a stack; each belongs to the core that its address is given to.
unsafe impl<const SIZE: usize> Sync for Stack<SIZE> {}

/// Every core's stack, in pages of its own.
#[repr(C, align(4096))]
pub struct Stacks([Stack<STACK_SIZE>; Plat::MAX_CORES]);

/// See [`Stacks`].
#[unsafe(link_section = ".noinit.stacks")]
pub static STACKS: Stacks =
    Stacks([const { Stack(UnsafeCell::new([0; STACK_SIZE])) }; Plat::MAX_CORES]);

static CRASH_STACK: Stack<CRASH_STACK_SIZE> = Stack(UnsafeCell::new([0; CRASH_STACK_SIZE]));

core::arch::global_asm!(
    ".global boot_stack_end",
    ".set boot_stack_end, {stacks} + {size}",
    ".global crash_stack_end",
    ".set crash_stack_end, {crash} + {crash_size}",
    stacks = sym STACKS,
    size = const STACK_SIZE,
    crash = sym CRASH_STACK,
    crash_size = const CRASH_STACK_SIZE,
);

// What the platform's memory map says of the image, for the linker script and for xtask.
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

/// Code.
pub fn text() -> Range<usize> {
    range!(text_start, text_end)
}

/// Constants.
pub fn rodata() -> Range<usize> {
    range!(rodata_start, rodata_end)
}

/// Data, zeroed and not, page tables and (at their physical address) stacks.
pub fn data() -> Range<usize> {
    range!(data_start, data_end)
}

/// Boot firmware's RAM. Where it goes on to the image's usual place, it goes on to where the image is.
pub fn shared() -> Range<usize> {
    const MAP: MemoryMap = Plat::MEMORY;
    if MAP.shared.end == MAP.image.start {
        MAP.shared.start..text().start
    } else {
        MAP.shared
    }
}

/// The physical address of the lowest byte of a core's stack.
pub fn stack(core: usize) -> usize {
    STACKS.0[core].0.get() as usize
}

/// The addresses at which a core uses its stack.
pub fn mapped_stack(core: usize) -> Range<usize> {
    let top = Plat::MEMORY.stacks + (core + 1) * STACK_STRIDE;
    top - STACK_SIZE..top
}

/// The addresses at which a core's vector registers are kept, a multiple of 16 bytes.
pub fn vectors(core: usize) -> Range<usize> {
    const NEAR: Range<usize> = Plat::MEMORY.vectors;
    const _: () = assert!(
        share(&NEAR) >= Simd::room(16) && NEAR.start.is_multiple_of(16),
        "the platform's memory for vector registers is too small for FP on all cores"
    );
    let memory = match Plat::MEMORY.far_vectors {
        Some(far) if Plat::has_far_vectors() => far.mapped_at..far.mapped_at + far.memory.len(),
        _ => NEAR,
    };
    let start = memory.start + core * share(&memory);
    start..start + share(&memory)
}

/// A core's part of memory for all cores, a multiple of 16 bytes.
const fn share(memory: &Range<usize>) -> usize {
    (memory.end - memory.start) / Plat::MAX_CORES & !15
}

/// The addresses of the stack for crash reports.
pub fn crash_stack() -> Range<usize> {
    let bottom = CRASH_STACK.0.get() as usize;
    bottom..bottom + CRASH_STACK_SIZE
}
