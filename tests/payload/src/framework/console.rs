//! The console of an image: one PL011, on which lines are printed as a whole.

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

/// Makes the PL011 at `base` this image's console.
pub fn init(base: usize) {
    let registers = NonNull::new(base as *mut PL011Registers).expect("a UART's address");
    // SAFETY: the UARTs are always mapped as device memory, and this image uses its UART only
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

/// Prints text. Use [`crate::println!`] instead.
pub fn print(arguments: fmt::Arguments) {
    // Writing to the console never fails.
    let _ = CONSOLE.lock().write_fmt(arguments);
}

/// Takes the console from the core that holds it, for the last words of a core.
pub fn take_over() {
    // SAFETY: the holder, if there is one, is this core's own code, which does not go on, or another core in the
    // middle of a line, which may get mixed up: the reason of a failure is worth more.
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
