//! Cache maintenance, for memory that is shared with cores whose caches are off.

use aarch64_cpu::asm::barrier;
use core::arch::asm;

/// Cleans and invalidates the cache lines of `what` to the point of coherency, and waits until that is done.
pub fn clean<T: ?Sized>(what: &T) {
    clean_range((&raw const *what).addr(), size_of_val(what));
}

/// Cleans and invalidates the cache lines of `bytes` bytes at `address` to the point of coherency, and waits until that
/// is done.
#[inline(never)]
pub fn clean_range(address: usize, bytes: usize) {
    let ctr: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    let line = 4 << (ctr >> 16 & 0xf);
    let end = address.wrapping_add(bytes);
    let mut at = address & !(line - 1);
    // There is at least one line, so the test is at the end of the loop.
    loop {
        // SAFETY: cleaning and invalidating a line changes no value that this core reads.
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) };
        at = at.wrapping_add(line);
        if at >= end {
            break;
        }
    }
    barrier::dsb(barrier::SY);
}
