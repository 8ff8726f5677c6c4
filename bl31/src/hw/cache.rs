//! Cache maintenance, for what is shared with cores whose caches are off.

use aarch64_cpu::asm::barrier;
use core::arch::asm;

/// Writes `what` back to the point of coherency, and waits for it.
pub fn clean<T: ?Sized>(what: &T) {
    clean_range((&raw const *what).addr(), size_of_val(what));
}

/// Writes `bytes` bytes at `address` back to the point of coherency, and waits for it.
#[inline(never)]
pub fn clean_range(address: usize, bytes: usize) {
    let ctr: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    let line = 4 << (ctr >> 16 & 0xf);
    let end = address.wrapping_add(bytes);
    let mut at = address & !(line - 1);
    // At least one line: the loop needs no test before it.
    loop {
        // SAFETY: cleaning and invalidating a line changes no memory as this core sees it.
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) };
        at = at.wrapping_add(line);
        if at >= end {
            break;
        }
    }
    barrier::dsb(barrier::SY);
}
