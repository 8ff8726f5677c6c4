//! The console of this image: one PL011, whole lines.

use arm_pl011_uart::{
    DataBits, LineConfig, PL011Registers, Parity, StopBits, Uart, UniqueMmioPointer,
};
use core::fmt::{self, Write};
use core::ptr::NonNull;
use spin::Mutex;

struct Console(Option<Uart<'static>>);

static CONSOLE: Mutex<Console> = Mutex::new(Console(None));

impl Write for Console {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if let Some(uart) = &mut self.0 {
            for byte in s.bytes() {
                if byte == b'\n' {
                    put(uart, b'\r');
                }
                put(uart, byte);
            }
        }
        Ok(())
    }
}

fn put(uart: &mut Uart, byte: u8) {
    while uart.is_tx_fifo_full() {
        core::hint::spin_loop();
    }
    uart.write_word(byte);
}

/// Takes the PL011 at `base` as this image's console.
pub fn init(base: usize) {
    let registers = NonNull::new(base as *mut PL011Registers).expect("a UART's address");
    // SAFETY: the UARTs are mapped as device memory for ever, and this image uses one of them only
    // through this value.
    let mut uart = Uart::new(unsafe { UniqueMmioPointer::new(registers) });
    let line = LineConfig {
        data_bits: DataBits::Bits8,
        parity: Parity::None,
        stop_bits: StopBits::One,
    };
    // The PL011 has a 24 MHz clock; these figures are always accepted.
    let _ = uart.enable(line, 115_200, 24_000_000);
    CONSOLE.lock().0 = Some(uart);
}

/// Prints; use [`crate::println!`].
pub fn print(arguments: fmt::Arguments) {
    // Writing to the console never fails.
    let _ = CONSOLE.lock().write_fmt(arguments);
}

/// Takes the console from whoever holds it: for the last words of a core.
pub fn take_over() {
    // SAFETY: the holder, if there is one, is this core's own interrupted code, which does not
    // go on, or another core in the middle of a line: worth less than the reason of a failure.
    unsafe { CONSOLE.force_unlock() }
}

/// Prints a line on this image's console.
#[macro_export]
macro_rules! println {
    () => { $crate::framework::console::print(format_args!("\n")) };
    ($($argument:tt)*) => {
        $crate::framework::console::print(format_args!("{}\n", format_args!($($argument)*)))
    };
}
