//! Where EL3's messages go, byte by byte.
//!
//! A UART may never take another byte: the normal world can disable it, or stop its flow. So every wait is
//! bounded ([`Transmitter`]).

use arm_pl011_uart::{PL011Registers, Uart};
use core::marker::PhantomData;
use core::ptr::{NonNull, with_exposed_provenance_mut};
use safe_mmio::UniqueMmioPointer;

/// A console. The crash report uses it while another core may be in [`Console::try_put`]. So an implementation keeps
/// its state in the device only, and two users at once mix their bytes but nothing else.
pub trait Console {
    /// Sets the device up, if boot firmware has not done so. Called once, before the boot's first message. A crash before
    /// that, and an image that is in the wrong place, write without it.
    fn init() {}

    /// Writes a byte if the device has room for it, and returns whether it had. Does not wait. The MMU may be off, and
    /// then addresses of the image's own, in constants and statics, may be wrong.
    fn try_put(byte: u8) -> bool;
}

/// No console: messages of EL3 are lost.
pub struct NoConsole;

impl Console for NoConsole {
    fn try_put(_: u8) -> bool {
        true
    }
}

/// The PL011 at the address `BASE`, mapped as a device, which boot firmware has set up.
pub struct Pl011<const BASE: usize>;

impl<const BASE: usize> Console for Pl011<BASE> {
    fn try_put(byte: u8) -> bool {
        let Some(registers) = NonNull::new(with_exposed_provenance_mut(BASE)) else {
            return true;
        };
        // SAFETY: whoever names the type says that a PL011 is there. Two users at once (a crash report
        // does not wait for a lock) mix their bytes; each register access is whole.
        let registers: UniqueMmioPointer<'_, PL011Registers> =
            unsafe { UniqueMmioPointer::new(registers) };
        let mut uart = Uart::new(registers);
        let room = !uart.is_tx_fifo_full();
        if room {
            uart.write_word(byte);
        }
        room
    }
}

/// How often a wait checks for room, for one byte. A check takes at least 50 ns on hardware, a byte at 9600 baud
/// 1 ms. Time is not measured, because the clock may not run yet.
pub const LOOKS: u32 = 200_000;

/// Writes to a console and waits for room, but not for ever. A console without room in time counts as stuck: bytes
/// for it are dropped and counted, each after one check, until it has room again.
#[derive(Debug)]
pub struct Transmitter<C> {
    stuck: bool,
    dropped: u32,
    console: PhantomData<C>,
}

impl<C: Console> Transmitter<C> {
    /// Makes a transmitter for a console that is not stuck.
    #[expect(clippy::new_without_default, reason = "it is made in a static")]
    pub const fn new() -> Self {
        Self {
            stuck: false,
            dropped: 0,
            console: PhantomData,
        }
    }

    /// Writes text, or drops it, with CR before each LF.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.put(b'\r');
                // Each line's last byte finds out whether the console is still stuck.
                self.put(b'\n');
            } else if !C::try_put(byte) {
                self.put(byte);
            }
        }
    }

    /// Writes a byte, or drops it.
    #[inline(never)]
    fn put(&mut self, byte: u8) {
        let looks = if self.stuck { 1 } else { LOOKS };
        self.stuck = !(0..looks).any(|_| C::try_put(byte));
        if self.stuck {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Returns how many bytes were dropped since it last reported them; 0 while the console is stuck. Call it after a
    /// write: the console has room then.
    pub fn take_dropped(&mut self) -> u32 {
        match self.stuck {
            true => 0,
            false => core::mem::take(&mut self.dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::thread_local;
    use std::vec::Vec;

    thread_local! {
        static ROOM: Cell<usize> = const { Cell::new(0) };
        static TRIED: Cell<u32> = const { Cell::new(0) };
        static TAKEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// A UART with room for so many bytes, which never drains by itself.
    struct Stuck;

    impl Console for Stuck {
        fn try_put(byte: u8) -> bool {
            TRIED.set(TRIED.get() + 1);
            let Some(room) = ROOM.get().checked_sub(1) else {
                return false;
            };
            ROOM.set(room);
            TAKEN.with_borrow_mut(|taken| taken.push(byte));
            true
        }
    }

    #[test]
    fn a_uart_that_never_drains_costs_one_wait() {
        ROOM.set(3);
        let mut transmitter = Transmitter::<Stuck>::new();
        transmitter.write(b"abcdef\n");
        TAKEN.with_borrow(|taken| assert_eq!(taken, b"abc"));
        let looks = TRIED.replace(0);
        assert!((LOOKS..LOOKS + 20).contains(&looks), "{looks}");
        assert_eq!(transmitter.take_dropped(), 0);
        // It has room again: what was lost is said once, and it is waited for again.
        ROOM.set(3);
        transmitter.write(b"g\n");
        TAKEN.with_borrow(|taken| assert_eq!(taken, b"abcg\r\n"));
        assert_eq!(transmitter.take_dropped(), 5);
        assert_eq!(transmitter.take_dropped(), 0);
        TRIED.set(0);
        transmitter.write(b"h");
        assert!(TRIED.get() >= LOOKS);
    }
}
