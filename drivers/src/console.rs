//! Where EL3's messages go, byte by byte.

use arm_pl011_uart::{PL011Registers, Uart};
use core::ptr::{NonNull, with_exposed_provenance_mut};
use safe_mmio::UniqueMmioPointer;

/// A console. The crash report uses it too, while another core may be in the middle of [`Console::put`]: what
/// an implementation keeps is in the device, and two users at once mix their bytes but nothing else.
pub trait Console {
    /// Sets the device up, where boot firmware has not. Once, before the first byte.
    fn init() {}

    /// Writes a byte. Waits for room, but not for ever.
    fn put(byte: u8);
}

/// No console: what EL3 says is lost.
pub struct NoConsole;

impl Console for NoConsole {
    fn put(_: u8) {}
}

/// The PL011 at the address `BASE`, mapped as a device, which boot firmware has set up.
pub struct Pl011<const BASE: usize>;

/// How often room in the FIFO is looked for: longer than 32 bytes take at 9600 baud.
const PATIENCE: u32 = 1 << 24;

impl<const BASE: usize> Console for Pl011<BASE> {
    fn put(byte: u8) {
        let Some(registers) = NonNull::new(with_exposed_provenance_mut(BASE)) else {
            return;
        };
        // SAFETY: whoever names the type says that a PL011 is there. Two users at once (a crash report
        // does not wait for a lock) mix their bytes; each register access is whole.
        let registers: UniqueMmioPointer<'_, PL011Registers> =
            unsafe { UniqueMmioPointer::new(registers) };
        let mut uart = Uart::new(registers);
        for _ in 0..PATIENCE {
            if !uart.is_tx_fifo_full() {
                uart.write_word(byte);
                return;
            }
        }
    }
}
