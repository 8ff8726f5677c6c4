//! The hold pen: where secondary cores wait in the boot loader until they are wanted.
//!
//! The cores wait on 64-byte slots in shared memory. A slot holds, at 0, the entry point (all ones:
//! wait), at 8 and 16 two magic numbers that say that the pen is open. The cores read with caches
//! off, so every write here is cleaned to the point of coherency. A core that leaves writes all
//! ones back into its slot itself.

use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU64, Ordering};

/// The entry point that means "wait".
pub const WAIT: u64 = u64::MAX;

/// What says that the slots are valid.
pub const MAGIC: [u64; 2] = [0xcafe_cafe, 0xbeef_beef];

/// A cache line, and nothing but one core's mailbox in it.
#[derive(Debug)]
#[repr(C, align(64))]
struct Slot {
    entry: AtomicU64,
    magic: [AtomicU64; 2],
    unused: [u64; 5],
}

/// The pen.
#[derive(Debug)]
pub struct HoldPen {
    slots: &'static [Slot],
    clean: fn(usize, usize),
}

impl HoldPen {
    /// The pen of `count` slots at address `base`.
    ///
    /// `clean(address, bytes)` cleans and invalidates the data cache to the point of coherency and
    /// ends with a DSB.
    ///
    /// # Safety
    ///
    /// `base` is 64-byte aligned and the start of `64 * count` bytes of memory, mapped readable
    /// and writable, that only the pen's waiting cores and this value use.
    pub unsafe fn new(base: usize, count: usize, clean: fn(usize, usize)) -> Self {
        let slots = with_exposed_provenance_mut::<Slot>(base);
        // SAFETY: the caller promises aligned memory of that size; any bytes are a `Slot`, and
        // what changes behind our back is atomic.
        let slots = unsafe { core::slice::from_raw_parts(slots, count) };
        Self { slots, clean }
    }

    /// Opens the pen: every slot waits, and then says that it is valid. The boot core, once,
    /// before the first [`HoldPen::release`].
    pub fn init(&self) {
        for slot in self.slots {
            slot.entry.store(WAIT, Ordering::Relaxed);
            self.clean(slot);
        }
        // A waiting core believes an entry when it sees the magic: that comes second.
        for slot in self.slots {
            for (magic, value) in slot.magic.iter().zip(MAGIC) {
                magic.store(value, Ordering::Release);
            }
            self.clean(slot);
        }
    }

    /// Sends the core that waits on slot `index` to `entry`. Wakes it by SEV.
    ///
    /// False if there is no such slot, or if an earlier release is still in it: that core has not
    /// left yet.
    pub fn release(&self, index: usize, entry: u64) -> bool {
        let Some(slot) = self.slots.get(index) else {
            return false;
        };
        // What a core wrote with caches off is only seen once our own line is gone.
        self.clean(slot);
        if slot
            .entry
            .compare_exchange(WAIT, entry, Ordering::Release, Ordering::Relaxed)
            .is_err()
        {
            return false;
        }
        self.clean(slot);
        send_event();
        true
    }

    fn clean(&self, slot: &Slot) {
        (self.clean)(core::ptr::from_ref(slot).addr(), size_of::<Slot>());
    }
}

fn send_event() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint to other cores; changes no state of this one.
    unsafe {
        core::arch::asm!("dsb ish", "sev", options(nostack, preserves_flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    static CLEANED: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

    #[test]
    fn a_core_is_released_once() {
        let memory: &'static mut [Slot] = (0..4)
            .map(|_| Slot {
                entry: 0.into(),
                magic: [0.into(), 0.into()],
                unused: [0; 5],
            })
            .collect::<Vec<_>>()
            .leak();
        let base = memory.as_mut_ptr().expose_provenance();
        // SAFETY: the memory above, which lives for ever.
        let pen = unsafe {
            HoldPen::new(base, 4, |address, size| {
                CLEANED.lock().unwrap().push((address, size))
            })
        };
        pen.init();
        for slot in pen.slots {
            assert_eq!(slot.entry.load(Ordering::Relaxed), WAIT);
            assert_eq!(slot.magic[0].load(Ordering::Relaxed), MAGIC[0]);
            assert_eq!(slot.magic[1].load(Ordering::Relaxed), MAGIC[1]);
        }
        assert_eq!(CLEANED.lock().unwrap().len(), 8);
        assert!(pen.release(2, 0x1000));
        assert_eq!(CLEANED.lock().unwrap().last(), Some(&(base + 2 * 64, 64)));
        assert_eq!(pen.slots[2].entry.load(Ordering::Relaxed), 0x1000);
        assert!(!pen.release(2, 0x2000), "the first entry is still there");
        pen.slots[2].entry.store(WAIT, Ordering::Relaxed);
        assert!(pen.release(2, 0x2000));
        assert!(!pen.release(4, 0x1000));
        assert_eq!(pen.slots[1].entry.load(Ordering::Relaxed), WAIT);
    }
}
