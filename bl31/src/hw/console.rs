//! The EL3 console: a PL011 behind `log`.
//!
//! Lines of EL3's own start with its name and their level. What an SPMC prints by FFA_CONSOLE_LOG
//! comes through [`spmc_line`], one line at a time with a mark of its own, so that it can forge
//! nothing.

use arm_pl011_uart::{PL011Registers, Uart};
use core::fmt::{self, Write};
use core::ptr::{NonNull, with_exposed_provenance_mut};
use janus_plat::{Plat, Platform};
use log::{LevelFilter, Log, Metadata, Record};
use safe_mmio::UniqueMmioPointer;
use spin::mutex::SpinMutex;

/// The console's hardware. Writing waits for room in the FIFO.
struct Console;

impl Console {
    fn write_bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        let Some(registers) = NonNull::new(with_exposed_provenance_mut(Plat::CONSOLE)) else {
            return Err(fmt::Error);
        };
        // SAFETY: the platform's console is a PL011, mapped as a device. Two users at once (a crash
        // report does not wait for the lock) mix their bytes; each register access is whole.
        let registers: UniqueMmioPointer<'_, PL011Registers> =
            unsafe { UniqueMmioPointer::new(registers) };
        let mut uart = Uart::new(registers);
        for &byte in bytes {
            if byte == b'\n' {
                put(&mut uart, b'\r');
            }
            put(&mut uart, byte);
        }
        Ok(())
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes())
    }

    // EL3 writes ASCII.
    fn write_char(&mut self, character: char) -> fmt::Result {
        self.write_bytes(&[u8::try_from(character).unwrap_or(b'?')])
    }
}

/// Waits for room in the FIFO and writes a byte.
fn put(uart: &mut Uart<'_>, byte: u8) {
    while uart.is_tx_fifo_full() {}
    uart.write_word(byte);
}

static CONSOLE: SpinMutex<Console> = SpinMutex::new(Console);

/// Writes EL3's log lines to the console.
struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let _ = writeln!(
            CONSOLE.lock(),
            "[janus] {}: {}",
            record.level(),
            record.args()
        );
    }

    fn flush(&self) {}
}

/// Sends `log`'s records to the console. Boot firmware has set the UART up already.
pub fn init() {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(if cfg!(debug_assertions) {
            LevelFilter::Debug
        } else {
            LevelFilter::Info
        });
    }
}

/// Prints a line of the SPMC's, marked as such.
pub fn spmc_line(line: janus_spmd::Line<'_>) {
    let _ = writeln!(CONSOLE.lock(), "[spmc] {line}");
}

/// The console for a crash report, which waits for no lock: its holder may be what crashed.
pub fn unlocked() -> impl Write {
    Console
}
