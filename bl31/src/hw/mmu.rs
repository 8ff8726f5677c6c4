//! EL3's own page tables. Executable memory is not writable, and only memory that EL3 needs is mapped.
//!
//! The boot core builds the tables before any core's MMU is on. They never change afterwards.
//! Everything is mapped at its physical address, with three exceptions: the stacks are at
//! [`janus_plat::MemoryMap::stacks`], with an unmapped guard page under each;
//! [`janus_plat::MemoryMap::far_vectors`] has its own address; and so has the memory for the normal world's transfer
//! list, which is mapped if boot firmware hands over a list.
//!
//! The root table has an entry for each block of 2 MiB. A block that is mapped as a whole, such as a block of
//! devices, needs only this entry. Any other block is *split*: its entry leads to a table of 4 KiB
//! pages. The platform's memory map decides which blocks are split, so the compiler knows the number of tables.

use crate::hw::layout::{self, LIST_WINDOW, STACK_STRIDE};
use crate::transfer_list::X1;
use core::cell::UnsafeCell;
use core::ops::Range;
use janus_plat::{Plat, Platform};

/// The size of the addresses that the root table covers.
const LIMIT: usize = 1 << 30;
const BLOCK: usize = 1 << 21;
const PAGE: usize = 1 << 12;

/// MAIR_EL3: attribute 0 is Device-nGnRnE, attribute 1 normal write-back memory.
pub const MAIR: u64 = 0xff00;
/// TCR_EL3: RES1 bits; addresses of 30 bits, so that the root is a level 2 table of 4 KiB granule;
/// table walks use write-back inner-shareable memory. PS is 32 bits, which every CPU has.
pub const TCR: u64 = 1 << 31 | 1 << 23 | 3 << 12 | 1 << 10 | 1 << 8 | (64 - 30);
/// SCTLR_EL3 with the MMU off: RES1 bits, SA (stack alignment) and A (alignment) checks, I-cache.
pub const SCTLR_OFF: u64 = 0x30c5_0830 | 1 << 12 | 1 << 3 | 1 << 1;
/// SCTLR_EL3 with the MMU on: M, C and WXN (writable memory is never executable) as well.
pub const SCTLR_ON: u64 = SCTLR_OFF | 1 << 19 | 1 << 2 | 1;

/// Bits of descriptors (DDI0487, D8.3): the types of entries, and the attributes of memory.
mod descriptor {
    pub const BLOCK: u64 = 0b01;
    pub const TABLE: u64 = 0b11;
    pub const PAGE: u64 = 0b11;

    /// Attribute 0 of MAIR_EL3. AF; `AP[1]`, which is RES1 for a regime of one EL; XN.
    pub const DEVICE: u64 = 1 << 54 | 1 << 10 | 1 << 6;
    /// Attribute 1, inner shareable.
    pub const DATA: u64 = DEVICE | 3 << 8 | 1 << 2;
    /// NS: the normal world's memory.
    pub const NORMAL_DATA: u64 = DATA | 1 << 5;
    /// `AP[2]`: read-only.
    pub const CONSTANTS: u64 = DATA | 1 << 7;
    pub const CODE: u64 = CONSTANTS & !(1 << 54) | GUARDED;
    /// GP, if the image has landing pads (`cargo xtask build --hardened`): on a CPU with FEAT_BTI an indirect branch
    /// must end at a landing pad. Other CPUs ignore it.
    #[allow(
        unexpected_cfgs,
        reason = "no feature: the compiler's flags go with it"
    )]
    const GUARDED: u64 = (cfg!(landing_pads) as u64) << 50;
}

type Table = [u64; PAGE / 8];

/// Returns which blocks are split: those with parts of the image or stacks, and those that another range covers only in
/// part.
const fn split_blocks() -> [bool; LIMIT / BLOCK] {
    const fn mark(split: &mut [bool; LIMIT / BLOCK], range: Range<usize>, all: bool) {
        assert!(
            range.start.is_multiple_of(PAGE)
                && range.end.is_multiple_of(PAGE)
                && range.end <= LIMIT,
            "the platform's memory map must be page-aligned and lie below 1 GiB"
        );
        let mut at = range.start;
        while at < range.end {
            let block = at / BLOCK;
            let (start, end) = (block * BLOCK, (block + 1) * BLOCK);
            split[block] |= all || range.start > start || range.end < end;
            at = end;
        }
    }
    let map = Plat::MEMORY;
    let mut split = [false; LIMIT / BLOCK];
    mark(&mut split, map.lowest..map.image.end, true);
    let stacks_end = map.stacks + Plat::MAX_CORES * STACK_STRIDE;
    mark(&mut split, map.stacks..stacks_end, true);
    mark(&mut split, LIST_WINDOW, true);
    mark(&mut split, map.vectors, false);
    if let Some(far) = map.far_vectors {
        let size = far.memory.end - far.memory.start;
        mark(&mut split, far.mapped_at..far.mapped_at + size, false);
    }
    mark(&mut split, map.shared, false);
    mark(&mut split, map.lists, false);
    let mut i = 0;
    while i < map.devices.len() {
        mark(&mut split, map.devices[i].start..map.devices[i].end, false);
        i += 1;
    }
    split
}

/// The number of split blocks.
const SPLITS: usize = {
    let (mut count, mut block) = (0, 0);
    while block < LIMIT / BLOCK {
        count += split_blocks()[block] as usize;
        block += 1;
    }
    count
};

/// The numbers of the split blocks.
const SPLIT: [usize; SPLITS] = {
    let split = split_blocks();
    let (mut numbers, mut count, mut block) = ([0; SPLITS], 0, 0);
    while count < SPLITS {
        numbers[count] = block;
        count += split[block] as usize;
        block += 1;
    }
    numbers
};

/// The tables, as the hardware walks them.
#[repr(C, align(4096))]
pub struct Tables {
    root: Table,
    /// The pages of each block of [`SPLIT`].
    pages: [Table; SPLITS],
}

/// EL3's tables. At a cold boot they are zero, which maps nothing.
#[unsafe(link_section = ".tables")]
pub static TABLES: TablesCell = TablesCell(UnsafeCell::new(Tables {
    root: [0; PAGE / 8],
    pages: [[0; PAGE / 8]; SPLITS],
}));

/// The type of [`TABLES`]. One core writes them before any core's MMU reads them.
#[repr(transparent)]
pub struct TablesCell(UnsafeCell<Tables>);
// SAFETY: only build_page_tables borrows it, once, on the boot core.
unsafe impl Sync for TablesCell {}

impl Tables {
    /// Maps the addresses `va` to the physical addresses from `pa` on.
    fn map(&mut self, va: Range<usize>, pa: usize, attributes: u64) {
        let distance = pa.wrapping_sub(va.start);
        let to = |at: usize| at.wrapping_add(distance) as u64 | attributes;
        let mut at = va.start;
        while at < va.end {
            let block = at / BLOCK;
            let block_end = (block + 1) * BLOCK;
            match SPLIT.iter().position(|&split| split == block) {
                Some(n) => {
                    let pages = &mut self.pages[n];
                    for page in (at..va.end.min(block_end)).step_by(PAGE) {
                        set(&mut pages[page % BLOCK / PAGE], to(page) | descriptor::PAGE);
                    }
                }
                None => {
                    let root = &mut self.root[block % (LIMIT / BLOCK)];
                    set(root, to(at) | descriptor::BLOCK);
                }
            }
            at = block_end;
        }
    }
}

/// Sets a descriptor that is not in use yet.
fn set(descriptor: &mut u64, value: u64) {
    assert!(*descriptor == 0, "mmu: the memory map overlaps");
    *descriptor = value;
}

/// Builds the page tables. Called once by entry.S at a cold boot, on the boot core with its MMU off, with BL2's x1.
#[unsafe(no_mangle)]
extern "C" fn build_page_tables(x1: u64) {
    // SAFETY: no other core runs, and this is called once.
    let tables = unsafe { &mut *TABLES.0.get() };
    for (&number, pages) in SPLIT.iter().zip(&tables.pages) {
        tables.root[number] = (&raw const *pages).addr() as u64 | descriptor::TABLE;
    }
    let mut map_flat = |range: Range<usize>, attributes| {
        tables.map(range.clone(), range.start, attributes);
    };
    map_flat(layout::text(), descriptor::CODE);
    map_flat(layout::rodata(), descriptor::CONSTANTS);
    map_flat(layout::data(), descriptor::DATA);
    map_flat(Plat::MEMORY.vectors, descriptor::DATA);
    map_flat(layout::shared(), descriptor::DATA);
    map_flat(Plat::MEMORY.lists, descriptor::DATA);
    for device in Plat::MEMORY.devices {
        map_flat(device.clone(), descriptor::DEVICE);
    }
    if let Some(far) = Plat::MEMORY.far_vectors {
        let end = far.mapped_at + far.memory.len();
        tables.map(far.mapped_at..end, far.memory.start, descriptor::DATA);
    }
    if x1 == X1 {
        let list = Plat::MEMORY.normal_list.start as usize;
        tables.map(LIST_WINDOW, list, descriptor::NORMAL_DATA);
    }
    for core in 0..Plat::MAX_CORES {
        let stack = layout::mapped_stack(core);
        tables.map(stack, layout::stack(core), descriptor::DATA);
    }
}
