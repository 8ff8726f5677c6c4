//! A flag per core. A core of the normal world that waits for its flag, without a call, goes on when the SPMC or
//! another core raises it.

use crate::arch::{MAX_CORES, smc};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

static FLAGS: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];

/// Lowers the flag of `core`. Returns its address, by which the SPMC can raise it ([`raise_at`]).
pub fn lower(core: usize) -> u64 {
    FLAGS[core].store(0, SeqCst);
    FLAGS[core].as_ptr() as u64
}

/// Raises the flag of `core`, from another core of the normal world.
pub fn raise(core: usize) {
    FLAGS[core].store(1, SeqCst);
}

/// Raises the flag at `address`, in the SPMC, which maps the normal world's memory.
pub fn raise_at(address: u64) {
    // SAFETY: the normal world's side of the case has sent the address that `lower` returned: an atomic in non-secure
    // memory.
    unsafe { (address as *mut u64).write_volatile(1) }
}

/// Waits for the flag of `core` with a value in every register.
///
/// # Errors
/// The first register that was changed meanwhile, with its value.
pub fn wait_holding(core: usize) -> Result<(), (&'static str, u64)> {
    smc::wait_holding(&FLAGS[core])
}

/// Returns the address of the flag of `core`.
pub fn address(core: usize) -> u64 {
    FLAGS[core].as_ptr() as u64
}
