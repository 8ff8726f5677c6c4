//! The vectors of an SPMC that has not set its own yet. They take its exceptions to EL3, by FFA_ABORT.
//!
//! VBAR_ELx is UNKNOWN after reset. With the value that boot firmware left there, an exception would have the SPMC
//! run whatever is in that memory, for ever and in silence.

use super::cache;
use core::arch::asm;
use core::cell::UnsafeCell;

/// The number of instructions in a vector (DDI0487, D1.3.1).
const VECTOR: usize = 0x80 / 4;

/// The table of vectors. Its alignment is that of VBAR_ELx, whose bits 10 to 0 are RES0.
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

/// Writes the table. Call it on the boot core, before any other core and the SPMC run.
pub fn fill() {
    // SAFETY: no other core runs yet.
    let table = unsafe { &mut *TABLE.0.get() };
    for vector in table.chunks_exact_mut(VECTOR) {
        vector[..ABORT.len()].copy_from_slice(&ABORT);
    }
    // The SPMC reads it with its MMU and caches off.
    cache::clean(table);
    // Boot firmware may have run code in this memory, which may be in this core's instruction cache.
    // SAFETY: invalidating the instruction cache changes no memory.
    unsafe {
        asm!(
            "ic iallu",
            "dsb nsh",
            "isb",
            options(nostack, preserves_flags)
        )
    };
}

/// Returns the table's address.
pub fn address() -> u64 {
    TABLE.0.get().addr() as u64
}

/// Returns whether `pc` is in the table.
pub fn contains(pc: u64) -> bool {
    pc.wrapping_sub(address()) < size_of::<Table>() as u64
}
