//! The EL3 console: the platform's device behind `log`.
//!
//! Lines of EL3's own start with its name and their level. What an SPMC prints by FFA_CONSOLE_LOG
//! comes through [`spmc_line`], one line at a time with a mark of its own, so that it can forge
//! nothing.

use core::fmt::{self, Write};
use janus_drivers::console::Console as _;
use janus_plat::{Plat, Platform};
use log::{LevelFilter, Log, Metadata, Record};
use spin::mutex::SpinMutex;

/// The console's hardware. Writing waits for room in the FIFO.
struct Console;

type Device = <Plat as Platform>::Console;

impl Console {
    fn write_bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                Device::put(b'\r');
            }
            Device::put(byte);
        }
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes());
        Ok(())
    }

    // EL3 writes ASCII.
    fn write_char(&mut self, character: char) -> fmt::Result {
        self.write_bytes(&[u8::try_from(character).unwrap_or(b'?')]);
        Ok(())
    }
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

/// Sends `log`'s records to the console.
pub fn init() {
    Device::init();
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

/// Prints a line of a report of EL3's own, in parts. With `wait`, when the console is free.
pub fn line(parts: &[&[u8]], wait: bool) {
    let _held = wait.then(|| CONSOLE.lock());
    Console.write_bytes(b"[janus] ");
    for part in parts {
        Console.write_bytes(part);
    }
    Console.write_bytes(b"\n");
}

/// The console for a crash report, which waits for no lock: its holder may be what crashed.
pub fn unlocked() -> impl Write {
    Console
}
