//! Where the exceptions of an SPMC go that has not set its vectors yet: to EL3, by FFA_ABORT.
//!
//! VBAR_ELx has no value at reset that means anything. What boot firmware left there would have the SPMC
//! run whatever is in that memory by then, for ever and in silence.

use super::cache;
use core::arch::asm;
use core::cell::UnsafeCell;

/// Instructions in a vector (DDI0487, D1.3.1).
const VECTOR: usize = 0x80 / 4;

/// VBAR_ELx has its bits 10 to 0 RES0.
#[repr(C, align(2048))]
struct Table(UnsafeCell<[u32; 16 * VECTOR]>);
// SAFETY: [`fill`] alone writes it, once, and nothing in EL3 reads it.
unsafe impl Sync for Table {}

#[unsafe(link_section = ".noinit")]
static TABLE: Table = Table(UnsafeCell::new([0; 16 * VECTOR]));

/// FFA_ABORT, which does not return.
const ABORT: [u32; 3] = [
    0x5280_1200, // mov w0, #0x90
    0x72b0_8000, // movk w0, #0x8400, lsl #16
    0xd400_0003, // smc #0
];

/// Writes the table. On the boot core, before any other core and the SPMC run.
pub fn fill() {
    // SAFETY: nobody else runs yet.
    let table = unsafe { &mut *TABLE.0.get() };
    for vector in table.chunks_exact_mut(VECTOR) {
        vector[..ABORT.len()].copy_from_slice(&ABORT);
    }
    // The SPMC's MMU and caches are off.
    cache::clean(table);
    // SAFETY: what boot firmware ran in this memory may be in this core's cache; the others' were off.
    unsafe {
        asm!(
            "ic iallu",
            "dsb nsh",
            "isb",
            options(nostack, preserves_flags)
        )
    };
}

/// The table's address.
pub fn address() -> u64 {
    TABLE.0.get().addr() as u64
}

/// Whether an instruction at `pc` is one of the table's.
pub fn contains(pc: u64) -> bool {
    pc.wrapping_sub(address()) < size_of::<Table>() as u64
}
