//! The EL3 console: the platform's device behind `log`.
//!
//! Lines of EL3's own start with its name and their level. What an SPMC prints by FFA_CONSOLE_LOG
//! comes through [`spmc_line`], one line at a time with a mark of its own, so that it can forge
//! nothing.

use aarch64_cpu::registers::{MPIDR_EL1, Readable};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};
use janus_arm::AFFINITY_MASK;
use janus_drivers::console::{Console as _, Transmitter};
use janus_plat::{Plat, Platform};
use log::{LevelFilter, Log, Metadata, Record};
use spin::mutex::TicketMutex;

type Device = <Plat as Platform>::Console;

/// The console's hardware, and how it has behaved. Writing waits for room, with a bound.
struct Console(Transmitter<Device>);

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }

    // EL3 writes ASCII.
    fn write_char(&mut self, character: char) -> fmt::Result {
        self.0.write(&[u8::try_from(character).unwrap_or(b'?')]);
        Ok(())
    }
}

/// Fair: a core that says one thing does not wait for those that talk all the time.
static CONSOLE: TicketMutex<Console> = TicketMutex::new(Console(Transmitter::new()));

/// The core that holds the lock, by its affinity and [`PRESENT`]; zero: nobody.
static HOLDER: AtomicU64 = AtomicU64::new(0);
/// Tells core 0 from nobody.
const PRESENT: u64 = 1 << 63;

/// This core, as [`HOLDER`] has it.
fn me() -> u64 {
    PRESENT | MPIDR_EL1.get() & AFFINITY_MASK
}

/// Writes `text`, while no other core writes.
fn write(text: fmt::Arguments<'_>) {
    let mut console = CONSOLE.lock();
    HOLDER.store(me(), Ordering::Relaxed);
    let _ = console.write_fmt(text);
    let lost = console.0.take_dropped();
    if lost != 0 {
        #[cfg(feature = "lab")]
        if let Some(core) = Plat::core_index(me() & AFFINITY_MASK) {
            crate::lab::count(core, janus_plat::lab::Counter::LostBytes, lost);
        }
        let _ = writeln!(
            console,
            "\n[janus] WARN: {lost} bytes before this were lost: the UART had no room"
        );
    }
    HOLDER.store(0, Ordering::Relaxed);
}

/// This core has crashed and writes nothing any more: if it was writing, others may now.
pub fn give_up() {
    if HOLDER.load(Ordering::Relaxed) == me() {
        HOLDER.store(0, Ordering::Relaxed);
        // SAFETY: this core holds the lock, and what it did with it will never go on.
        unsafe { CONSOLE.force_unlock() };
    }
}

/// Writes EL3's log lines to the console.
struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        write(format_args!(
            "[janus] {}: {}\n",
            record.level(),
            record.args()
        ));
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
    write(format_args!("[spmc] {line}\n"));
}

/// Prints a line of a report of EL3's own, in parts. With `wait`, when the console is free.
pub fn line(parts: &[&[u8]], wait: bool) {
    let mut held = wait.then(|| CONSOLE.lock());
    let mut own = Console(Transmitter::new());
    let console = held.as_deref_mut().unwrap_or(&mut own);
    console.0.write(b"[janus] ");
    for part in parts {
        console.0.write(part);
    }
    console.0.write(b"\n");
}

/// The console for a crash report, which waits for no lock: its holder may be what crashed.
pub fn unlocked() -> impl Write {
    Console(Transmitter::new())
}
