//! PL061 GPIO controller: eight lines, of which a platform uses some to power off and to reset.
//!
//! GPIODATA is masked by address: bits 9 to 2 of the offset choose the lines that an access sees,
//! so one line changes by one store and no other is read or written (DDI 0190, 3.3.2).

use core::ptr::{NonNull, with_exposed_provenance_mut};
use safe_mmio::UniqueMmioPointer;
use safe_mmio::fields::ReadPureWrite;

/// Offset of the direction register, GPIODIR: 1 is output.
const GPIODIR: usize = 0x400;

/// A PL061.
#[derive(Debug)]
pub struct Pl061 {
    base: usize,
}

impl Pl061 {
    /// Makes the driver of the PL061 at physical address `base`.
    ///
    /// # Safety
    ///
    /// A PL061 is mapped there as device memory, readable and writable, for as long as the value
    /// lives, and nobody else uses it.
    pub const unsafe fn new(base: usize) -> Self {
        Self { base }
    }

    /// Makes `line` (0 to 7) an output at level `high`. Writes the level first, so that the line
    /// does not show another one on the way.
    ///
    /// The write has reached the device when the next DSB completes; who powers off by it waits in
    /// WFI afterwards.
    pub fn set(&mut self, line: u8, high: bool) {
        let bit = 1u32 << (line % 8);
        self.register(bit as usize * 4)
            .write(if high { bit } else { 0 });
        let mut direction = self.register(GPIODIR);
        let outputs = direction.read();
        direction.write(outputs | bit);
        // Once more: a line that was an input ignored the first write.
        self.register(bit as usize * 4)
            .write(if high { bit } else { 0 });
    }

    /// Gives `line` a pulse, low to high: for devices that act on the edge.
    pub fn pulse(&mut self, line: u8) {
        self.set(line, false);
        self.set(line, true);
    }

    fn register(&mut self, offset: usize) -> UniqueMmioPointer<'_, ReadPureWrite<u32>> {
        let register = NonNull::new(with_exposed_provenance_mut(self.base + offset))
            .unwrap_or(NonNull::dangling());
        // SAFETY: `new`'s caller promises the device; offsets are its own, word-aligned and within
        // its 4 KiB. `&mut self` is the only way to it.
        unsafe { UniqueMmioPointer::new(register) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_set_through_its_own_address() {
        let memory: &'static mut [u32] = vec![0; 1024].leak();
        let memory = memory.as_mut_ptr();
        let word = |offset: usize| {
            // SAFETY: within the memory above.
            unsafe { memory.add(offset / 4).read_volatile() }
        };
        // SAFETY: the memory above, which lives for ever.
        let mut gpio = unsafe { Pl061::new(memory.expose_provenance()) };
        gpio.pulse(1);
        assert_eq!((word(0b10 << 2), word(GPIODIR)), (0b10, 0b10));
        gpio.set(0, true);
        assert_eq!((word(0b1 << 2), word(GPIODIR)), (0b1, 0b11));
        gpio.set(1, false);
        assert_eq!((word(0b10 << 2), word(GPIODIR)), (0, 0b11));
    }
}
