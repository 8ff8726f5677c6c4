//! Access to boot firmware's RAM, with its parameter list, the SPMC manifest and a transfer list, and to the memory for
//! the normal world's transfer list.
//!
//! The addresses come from outside, so each is checked against the ranges that EL3 maps for this.

use crate::boot_params::Memory;
use crate::hw::{cache, layout};
use crate::transfer_list::ListFault;
use core::ops::Range;
use janus_plat::{Plat, Platform};
use janus_spmd::manifest::MAX_SIZE as MANIFEST_MAX;

/// Boot firmware's RAM.
pub struct SharedRam;

impl Memory for SharedRam {
    fn word(&self, address: u64) -> Option<u64> {
        let address = usize::try_from(address).ok()?;
        let word = address..address.checked_add(8)?;
        if address % 8 != 0 || !in_shared_ram(&word) {
            return None;
        }
        // SAFETY: the address is aligned, and inside memory that is mapped as data for as long as EL3 runs.
        Some(unsafe { (address as *const u64).read_volatile() })
    }
}

/// Returns the bytes from `at` to the end of its page, which may be a manifest. Returns None if `at` is not in shared
/// RAM, or not aligned to 8 bytes.
pub fn page_from(at: u64) -> Option<&'static [u8]> {
    let start = usize::try_from(at).ok()?;
    let end = (start & !(MANIFEST_MAX - 1)).checked_add(MANIFEST_MAX)?;
    if start == 0 || start % 8 != 0 || !in_shared_ram(&(start..end)) {
        return None;
    }
    // SAFETY: this is boot firmware's RAM, mapped for as long as EL3 runs, and not written any more.
    Some(unsafe { core::slice::from_raw_parts(start as *const u8, end - start) })
}

/// Returns the bytes from `at` to the end of its memory, which may be a transfer list. Returns None if `at` is not in
/// boot firmware's RAM.
pub fn list_from(at: u64) -> Option<&'static [u8]> {
    let start = usize::try_from(at).ok()?;
    let end = memories()
        .iter()
        .find(|memory| memory.contains(&start))?
        .end;
    if start == 0 {
        return None;
    }
    // SAFETY: this is boot firmware's RAM, mapped for as long as EL3 runs, and not written while EL3 reads it.
    Some(unsafe { core::slice::from_raw_parts(start as *const u8, end - start) })
}

/// Clears the memory for the normal world's transfer list and has `write` fill it. `write` gets the memory and its
/// physical address. Returns the result of `write`, or None if the platform has no such memory. Call it once, on the
/// boot core, after a hand-over by transfer list.
pub fn write_normal_list<T>(
    write: impl FnOnce(&mut [u8], u64) -> Result<T, ListFault>,
) -> Option<Result<T, ListFault>> {
    const WINDOW: Range<usize> = layout::LIST_WINDOW;
    if WINDOW.is_empty() {
        return None;
    }
    // SAFETY: the window is mapped, because x1 said that there is a list. The memory is no part of the image, and the
    // normal world, to which it belongs, does not run yet.
    let to = unsafe {
        core::slice::from_raw_parts_mut(WINDOW.start as *mut u8, WINDOW.end - WINDOW.start)
    };
    to.fill(0);
    let written = write(to, Plat::MEMORY.normal_list.start);
    // The normal world may read it with its caches off.
    cache::clean(to);
    Some(written)
}

/// Returns whether an address range is mapped as boot firmware's RAM, so that it can be read.
fn in_shared_ram(range: &Range<usize>) -> bool {
    memories()
        .iter()
        .any(|memory| range.start >= memory.start && range.end <= memory.end)
        && range.start <= range.end
}

/// Returns the ranges that are mapped as boot firmware's RAM.
fn memories() -> [Range<usize>; 2] {
    [layout::shared(), Plat::MEMORY.lists]
}
