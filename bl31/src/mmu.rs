//! EL3's own translation: what is executable is not writable, and nothing else is mapped.
//!
//! The boot core builds the tables before any core's MMU is on; they never change afterwards.
//! Everything is mapped at its physical address but for the stacks, which lie apart at
//! [`janus_plat::MemoryMap::stacks`] with an unmapped guard page under each.

use crate::layout::{self, STACK_SIZE, STACK_STRIDE};
use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ID_AA64MMFR0_EL1, Readable};
use aarch64_paging::descriptor::{El23Attributes, PhysicalAddress};
use aarch64_paging::paging::{
    Constraints, El3, MemoryRegion, PAGE_SIZE, PageTable, RootTable, Translation,
};
use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem;
use core::ops::Range;
use core::ptr::NonNull;
use janus_plat::{Plat, Platform};

/// How many tables the mapping may take: the root, and the second and third levels under it.
const TABLES: usize = 8;
/// A 4 GiB address space starts at level 1.
const ROOT_LEVEL: usize = 1;

/// MAIR_EL3: attribute 0 is Device-nGnRnE, attribute 1 normal write-back memory.
const MAIR: u64 = 0xff00;
/// SCTLR_EL3 with the MMU off: RES1 bits, SA (stack alignment) and A (alignment) checks, I-cache.
pub const SCTLR_OFF: u64 = 0x30c5_0830 | 1 << 12 | 1 << 3 | 1 << 1;
/// And on: M, C and WXN (writable memory is never executable).
const SCTLR_ON: u64 = SCTLR_OFF | 1 << 19 | 1 << 2 | 1;

const DEVICE: El23Attributes = El23Attributes::VALID
    .union(El23Attributes::ATTRIBUTE_INDEX_0)
    .union(El23Attributes::ACCESSED)
    .union(El23Attributes::XN);
const MEMORY: El23Attributes = El23Attributes::VALID
    .union(El23Attributes::ATTRIBUTE_INDEX_1)
    .union(El23Attributes::INNER_SHAREABLE)
    .union(El23Attributes::ACCESSED);
const CODE: El23Attributes = MEMORY.union(El23Attributes::READ_ONLY);
const CONSTANTS: El23Attributes = CODE.union(El23Attributes::XN);
const DATA: El23Attributes = MEMORY.union(El23Attributes::XN);

/// The registers that turn the MMU on; entry.S reads it, on every core.
#[repr(C)]
struct MmuConfig {
    mair_el3: u64,
    tcr_el3: u64,
    ttbr0_el3: u64,
    sctlr_el3: u64,
}

/// A value that one core writes before any other can look at it.
#[repr(transparent)]
struct BootCell<T>(UnsafeCell<T>);
// SAFETY: only build_page_tables writes, on the boot core, before another core runs EL3 code.
unsafe impl<T> Sync for BootCell<T> {}

#[unsafe(no_mangle)]
static MMU_CONFIG: BootCell<MmuConfig> = BootCell(UnsafeCell::new(MmuConfig {
    mair_el3: MAIR,
    tcr_el3: 0,
    ttbr0_el3: 0,
    sctlr_el3: SCTLR_ON,
}));

type Page = [u64; PAGE_SIZE / 8];

#[repr(C, align(4096))]
struct Pages([Page; TABLES]);

#[unsafe(link_section = ".noinit.pages")]
static PAGES: BootCell<Pages> = BootCell(UnsafeCell::new(Pages([[0; PAGE_SIZE / 8]; TABLES])));

/// Hands out the pages of [`PAGES`]; addresses are physical, as the MMU is off.
struct Pool {
    used: usize,
}

impl Translation<El23Attributes> for Pool {
    fn allocate_table(&mut self) -> (NonNull<PageTable<El23Attributes>>, PhysicalAddress) {
        assert!(self.used < TABLES, "mmu: too few page tables");
        let page = PAGES.0.get().cast::<Page>().wrapping_add(self.used);
        self.used += 1;
        // SAFETY: the index is below TABLES, and only the boot core is here, once.
        unsafe { page.write([0; PAGE_SIZE / 8]) };
        let table = NonNull::new(page.cast()).expect("mmu: no table");
        (table, PhysicalAddress(page as usize))
    }

    // The builder is forgotten, not dropped; the pool takes nothing back.
    unsafe fn deallocate_table(&mut self, _: NonNull<PageTable<El23Attributes>>) {}

    fn physical_to_virtual(&self, pa: PhysicalAddress) -> NonNull<PageTable<El23Attributes>> {
        NonNull::new(pa.0 as *mut PageTable<El23Attributes>).expect("mmu: no table")
    }
}

/// Builds the page tables and leaves the register values for entry.S. MMU off, boot core only.
#[unsafe(no_mangle)]
extern "C" fn build_page_tables() {
    let mut root = RootTable::new(Pool { used: 0 }, ROOT_LEVEL, El3);
    let mut map = |va: Range<usize>, pa: usize, attributes| {
        let region = MemoryRegion::new(va.start, va.end);
        let pa = PhysicalAddress(pa);
        let mapped = root.map_range(&region, pa, attributes, Constraints::empty());
        // The error's own text would drag its formatting into the image.
        assert!(
            mapped.is_ok(),
            "mmu: the memory map overlaps or is not page-aligned"
        );
    };

    let ram = Plat::MEMORY;
    let text = layout::text();
    map(text.clone(), text.start, CODE);
    let constants = layout::rodata();
    map(constants.clone(), constants.start, CONSTANTS);
    let data = layout::data();
    map(data.clone(), data.start, DATA);
    map(ram.shared.clone(), ram.shared.start, DATA);
    for device in ram.devices {
        map(device.clone(), device.start, DEVICE);
    }
    for core in 0..Plat::MAX_CORES {
        let top = ram.stacks + (core + 1) * STACK_STRIDE;
        map(top - STACK_SIZE..top, layout::stack(core), DATA);
    }

    let config = MMU_CONFIG.0.get();
    // SAFETY: the boot core is alone and its MMU is off; nobody reads before this function is done.
    unsafe {
        (*config).ttbr0_el3 = root.to_physical().0 as u64;
        (*config).tcr_el3 = tcr();
    }
    // The tables outlive their builder: they are in use from now on.
    mem::forget(root);
}

/// TCR_EL3: 32-bit addresses, 4 KiB granule, walks through write-back inner-shareable memory, and
/// the physical address size of this CPU.
fn tcr() -> u64 {
    const RES1: u64 = 1 << 31 | 1 << 23;
    const T0SZ: u64 = 64 - 32;
    const WALKS: u64 = 3 << 12 | 1 << 10 | 1 << 8;
    let pa_size = ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange).min(5);
    RES1 | pa_size << 16 | WALKS | T0SZ
}

/// Whether an address range is mapped as boot firmware's shared RAM, so that it can be read.
pub fn in_shared_ram(range: &Range<usize>) -> bool {
    let shared = Plat::MEMORY.shared;
    range.start <= range.end && range.start >= shared.start && range.end <= shared.end
}

/// Writes `bytes` bytes at `address` back to the point of coherency, and waits for it.
pub fn clean(address: usize, bytes: usize) {
    let ctr: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    let line = 4 << (ctr >> 16 & 0xf);
    let mut at = address & !(line - 1);
    while at < address + bytes {
        // SAFETY: cleaning and invalidating a line changes no memory as this core sees it.
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) };
        at += line;
    }
    barrier::dsb(barrier::SY);
}
