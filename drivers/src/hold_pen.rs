//! The hold pen of TF-A's BL1: where secondary cores wait until EL3's runtime calls for them.
//!
//! TF-A has had two layouts of the same page, and a runtime cannot tell which BL1 is below it:
//!
//! * until v2.14: one entry point at 0, then one word a core at `8 + 8 * core`; zero means wait.
//!   Who leaves writes zero into its word;
//! * since v2.15: one slot of 64 bytes a core: its entry point at 0 (all ones: wait) and at 8 and 16
//!   two magic words that say that the slot is valid. Who leaves writes all ones to its entry point.
//!
//! [`open`] writes what both take for "go" and lets every core out at once. From then on cores wait
//! in a pen of the runtime's own, and BL1's page has no more part in anything.

use core::ptr::with_exposed_provenance_mut;

/// The magic words of the later layout.
const MAGIC: [u64; 2] = [0xcafe_cafe, 0xbeef_beef];

/// Words in a slot of the later layout.
const SLOT_WORDS: usize = 8;

/// Returns what a slot says: an entry point and the magic words to the later layout, "go" (anything but zero) for one
/// core each to the earlier one.
const fn slot(entry: u64) -> [u64; SLOT_WORDS] {
    [entry, MAGIC[0], MAGIC[1], 1, 1, 1, 1, 1]
}

/// Lets all cores out of the pen of `slots` slots of 64 bytes at address `base`, to branch to the
/// physical address `entry`. Cores that have not arrived yet leave when they do.
///
/// `clean(address, bytes)` cleans the data cache to the point of coherency and ends with a DSB: the
/// waiting cores run uncached.
///
/// # Safety
///
/// `base` is 64-byte aligned and the start of `64 * slots` bytes of memory, mapped readable and
/// writable, that only the pen's waiting cores use. `entry` is fit to be branched to by any of them.
pub unsafe fn open(base: usize, slots: usize, entry: u64, clean: fn(usize, usize)) {
    const SLOT: usize = SLOT_WORDS * size_of::<u64>();
    let addresses = (base..).step_by(SLOT).take(slots);
    // In both layouts an entry point is believed once another word says so: entry points come first,
    // and that of slot 0 before the others, which are "go" words to the earlier layout.
    for at in addresses.clone() {
        // SAFETY: inside the memory that the caller promises, and aligned.
        unsafe { with_exposed_provenance_mut::<u64>(at).write_volatile(entry) };
        clean(at, size_of::<u64>());
    }
    for at in addresses {
        let to = with_exposed_provenance_mut::<u64>(at);
        for (n, word) in slot(entry).into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { to.add(n).write_volatile(word) };
        }
    }
    clean(base, slots * SLOT);
    send_event();
}

fn send_event() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint to other cores; changes no state of this one.
    unsafe {
        core::arch::asm!("sev", options(nostack, preserves_flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(64))]
    struct Page([u64; 32 * SLOT_WORDS]);

    const ENTRY: u64 = 0x0e09_1234;

    fn opened() -> Page {
        let mut page = Page([0; 32 * SLOT_WORDS]);
        let base = page.0.as_mut_ptr().expose_provenance();
        // SAFETY: the page is that large and nobody else has it.
        unsafe { open(base, 32, ENTRY, |_, _| {}) };
        page
    }

    /// Each entry point is visible before the next is written, and each is cleaned alone.
    #[test]
    fn what_is_cleaned_and_when() {
        extern crate std;
        use std::{sync::Mutex, vec::Vec};
        static CLEANED: Mutex<Vec<(usize, usize, u64)>> = Mutex::new(Vec::new());
        let mut page = Page([0; 32 * SLOT_WORDS]);
        let base = page.0.as_mut_ptr().expose_provenance();
        let clean = |at, bytes| {
            // SAFETY: the page is still there, and `at` is in it.
            let first = unsafe { with_exposed_provenance_mut::<u64>(at).read_volatile() };
            CLEANED.lock().unwrap().push((at, bytes, first));
        };
        // SAFETY: the page is that large and nobody else has it.
        unsafe { open(base, 32, ENTRY, clean) };
        let mut expected: Vec<_> = (0..32).map(|slot| (base + 64 * slot, 8, ENTRY)).collect();
        expected.push((base, 64 * 32, ENTRY));
        assert_eq!(*CLEANED.lock().unwrap(), expected);
    }

    #[test]
    fn the_earlier_layout_lets_every_core_out() {
        let page = opened();
        assert_eq!(page.0[0], ENTRY);
        assert!((0..32).all(|core| page.0[1 + core] != 0));
    }

    #[test]
    fn the_later_layout_lets_every_core_out() {
        let page = opened();
        for slot in page.0.chunks(SLOT_WORDS) {
            assert_eq!(slot[..3], [ENTRY, MAGIC[0], MAGIC[1]]);
        }
    }
}
