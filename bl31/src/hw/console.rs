//! The EL3 console: the platform's device behind `log`.
//!
//! Lines of EL3 begin with its name and their level. Lines that an SPMC prints by FFA_CONSOLE_LOG
//! come through [`spmc_line`], one at a time and with a mark of their own, so that the SPMC cannot forge lines of EL3.

use aarch64_cpu::registers::{MPIDR_EL1, Readable};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};
use janus_arm::AFFINITY_MASK;
use janus_drivers::console::{Console as _, Transmitter};
use janus_plat::{Plat, Platform};
use log::{Level, LevelFilter, Log, Metadata, Record};
use spin::mutex::TicketMutex;

type Device = <Plat as Platform>::Console;

/// The console's hardware, and what is known about its state. Writing waits for room in it, but not for ever.
struct Console(Transmitter<Device>);

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }

    // EL3 writes ASCII only.
    fn write_char(&mut self, character: char) -> fmt::Result {
        self.0.write(&[u8::try_from(character).unwrap_or(b'?')]);
        Ok(())
    }
}

/// The console. The lock is fair: a core that prints one line does not have to wait for cores that print all the time.
static CONSOLE: TicketMutex<Console> = TicketMutex::new(Console(Transmitter::new()));

/// The core that holds the lock: its affinity with [`PRESENT`]; zero if no core holds it.
static HOLDER: AtomicU64 = AtomicU64::new(0);
/// The bit that tells core 0 from no core.
const PRESENT: u64 = 1 << 63;

/// Returns the value of [`HOLDER`] that stands for this core.
fn me() -> u64 {
    PRESENT | MPIDR_EL1.get() & AFFINITY_MASK
}

/// Writes a line that begins with `mark` and, if it is EL3's own, its level, while no other core writes.
///
/// They are not in `text`, because a message in a message takes twice the stack.
fn write(mark: &[u8], level: &str, text: fmt::Arguments<'_>) {
    let mut console = CONSOLE.lock();
    HOLDER.store(me(), Ordering::Relaxed);
    console.0.write(mark);
    if !level.is_empty() {
        console.0.write(level.as_bytes());
        console.0.write(b": ");
    }
    let _ = console.write_fmt(text);
    console.0.write(b"\n");
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

/// Releases the lock for good if this core holds it. The core has crashed and writes nothing any more.
pub fn give_up() {
    if HOLDER.load(Ordering::Relaxed) == me() {
        HOLDER.store(0, Ordering::Relaxed);
        // SAFETY: this core holds the lock, and the code that took it never goes on.
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
        own_line(record.level(), *record.args());
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

/// Prints a line of EL3's own, with its level.
pub fn own_line(level: Level, text: fmt::Arguments<'_>) {
    write(b"[janus] ", level.as_str(), text);
}

/// Prints a line of the SPMC, with its mark. It is not inlined, so that the check of the stack's depth knows which
/// messages have such a line.
#[inline(never)]
pub fn spmc_line(line: janus_spmd::Line<'_>) {
    write(b"[spmc] ", "", format_args!("{line}"));
}

/// Prints a line of a report of EL3, given in parts. With `wait` it waits until no other core prints.
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

/// Returns the console for a crash report. It takes no lock, because the core that crashed may hold it.
pub fn unlocked() -> impl Write {
    Console(Transmitter::new())
}
