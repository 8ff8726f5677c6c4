//! What boot firmware left in shared RAM: its parameter list and the SPMC manifest.
//!
//! Its addresses come from outside, so each is checked against the range that EL3 maps for it.

use crate::boot_params::Memory;
use core::ops::Range;
use janus_plat::{Plat, Platform};
use janus_spmd::manifest::MAX_SIZE as MANIFEST_MAX;

/// What boot firmware left in shared RAM.
pub struct SharedRam;

impl Memory for SharedRam {
    fn word(&self, address: u64) -> Option<u64> {
        let address = usize::try_from(address).ok()?;
        let word = address..address.checked_add(8)?;
        if address % 8 != 0 || !in_shared_ram(&word) {
            return None;
        }
        // SAFETY: aligned, and inside memory that is mapped as data for as long as EL3 runs.
        Some(unsafe { (address as *const u64).read_volatile() })
    }
}

/// The bytes from `at` to the end of its page: where a manifest is. None if it is not in shared RAM,
/// or not aligned to 8 bytes.
pub fn page_from(at: u64) -> Option<&'static [u8]> {
    let start = usize::try_from(at).ok()?;
    let end = (start & !(MANIFEST_MAX - 1)).checked_add(MANIFEST_MAX)?;
    if start == 0 || start % 8 != 0 || !in_shared_ram(&(start..end)) {
        return None;
    }
    // SAFETY: boot firmware's RAM, mapped for as long as EL3 runs; nobody writes it any more.
    Some(unsafe { core::slice::from_raw_parts(start as *const u8, end - start) })
}

/// Whether an address range is mapped as boot firmware's shared RAM, so that it can be read.
fn in_shared_ram(range: &Range<usize>) -> bool {
    let shared = Plat::MEMORY.shared;
    range.start <= range.end && range.start >= shared.start && range.end <= shared.end
}
