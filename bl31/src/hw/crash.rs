//! The crash report: what EL3 prints when it fails, in debug and in release images.
//!
//! An exception of EL3 itself saves every register in the core's [`CrashRecord`] (vectors.S); a Rust panic has a
//! message. Both are reported on the crash stack. The report names the core and the world that it served, and has the
//! registers that matter and a back trace by frame pointers. `llvm-symbolizer --obj=bl31` or addr2line turn the
//! addresses into lines. Then the core stops for good; the other cores go on.

use crate::black_box;
use crate::core_data::CoreData;
use crate::crash_record::CrashRecord;
use crate::hw::{console, layout};
use crate::topology::MAX_CORES;
use aarch64_cpu::registers::{
    ELR_EL3, ESR_EL3, FAR_EL3, MPIDR_EL1, Readable, SCR_EL3, SCTLR_EL3, SPSR_EL3,
};
use core::arch::asm;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};
use janus_arm::AFFINITY_MASK;
use janus_drivers::wait;

/// Nonzero while a core reports. vectors.S takes the lock, the end of the report releases it.
#[unsafe(no_mangle)]
static CRASH_LOCK: AtomicU32 = AtomicU32::new(0);

/// The largest number of frames in a back trace.
const MAX_FRAMES: usize = 24;

/// Reports an exception from EL3. Called by vectors.S on the crash stack, with [`CRASH_LOCK`] held.
///
/// `record` is this core's record. `kind` is the vector: 0 synchronous, 1 IRQ, 2 FIQ, 3 SError.
#[unsafe(no_mangle)]
extern "C" fn report_el3_exception(record: &CrashRecord, kind: usize) -> ! {
    let mut out = console::unlocked();
    let kinds = ["synchronous exception", "IRQ", "FIQ", "SError"];
    let kind = kinds.get(kind).unwrap_or(&"exception");
    let _ = writeln!(out, "\n[janus] CRASH: {kind} in EL3");
    print_state(&mut out);
    for (number, value) in (0_u32..).zip(&record.gpr) {
        // Two registers on a line.
        let end = if number % 2 == 0 { "" } else { "\n" };
        let _ = write!(out, "  x{number:<3}{value:016x}{end}");
    }
    let _ = writeln!(out, "  sp  {:016x}", record.sp);
    back_trace(&mut out, ELR_EL3.get(), record.gpr[29]);
    stop(&mut out)
}

/// Handles a panic: switches to the crash stack, because the core's own stack may be nearly used up, and goes on with
/// [`report_panic`].
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // With the MMU off, only the boot core runs, and memory may not support atomic accesses.
    if SCTLR_EL3.is_set(SCTLR_EL3::M) && CRASH_LOCK.swap(1, Ordering::Acquire) != 0 {
        // Another core reports; or this core does, and its report has failed.
        wait::for_ever();
    }
    let frame: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, x29", out(reg) frame, options(nomem, nostack)) };
    // SAFETY: this core has the lock, so that the crash stack is its own. `info` points into the stack that this core
    // leaves for good, where nothing changes any more.
    unsafe {
        asm!(
            "adr x2, crash_stack_end",
            "mov sp, x2",
            "b {report}",
            report = sym report_panic,
            in("x0") info,
            in("x1") frame,
            options(noreturn),
        );
    }
}

/// Reports a panic. `frame` is the frame record of the function that panicked.
extern "C" fn report_panic(info: &PanicInfo<'_>, frame: u64) -> ! {
    let mut out = console::unlocked();
    let _ = writeln!(out, "\n[janus] CRASH: {}", info.message());
    if let Some(location) = info.location() {
        let _ = writeln!(out, "  at {}:{}", location.file(), location.line());
    }
    print_state(&mut out);
    back_trace(&mut out, 0, frame);
    stop(&mut out)
}

/// Prints the core, the world that it served, and the system registers.
fn print_state(out: &mut impl Write) {
    let record: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, tpidr_el3", out(reg) record, options(nomem, nostack)) };
    let _ = write!(out, "  core {:#x}", MPIDR_EL1.get() & AFFINITY_MASK);
    if let Some((index, world)) = CoreData::of_crash_record(record as usize) {
        let number = index as u32;
        let _ = write!(out, " (number {number}), serving the {world:?} world");
    }
    let _ = writeln!(out);
    for (name, value) in [
        ("esr_el3", ESR_EL3.get()),
        ("elr_el3", ELR_EL3.get()),
        ("far_el3", FAR_EL3.get()),
        ("spsr_el3", SPSR_EL3.get()),
        ("scr_el3", SCR_EL3.get()),
        ("sctlr_el3", SCTLR_EL3.get()),
    ] {
        let _ = writeln!(out, "  {name:9} {value:016x}");
    }
}

/// Prints a back trace: follows frame records as long as they lie in a stack of EL3 and go upwards.
fn back_trace(out: &mut impl Write, pc: u64, mut frame: u64) {
    let _ = write!(out, "  back trace:");
    if pc != 0 {
        let _ = write!(out, " {pc:#x}");
    }
    for _ in 0..MAX_FRAMES {
        let in_stack = |stack: core::ops::Range<usize>| {
            frame.is_multiple_of(8) && frame >= stack.start as u64 && frame + 16 <= stack.end as u64
        };
        if !(in_stack(layout::crash_stack())
            || (0..MAX_CORES).any(|core| in_stack(layout::mapped_stack(core))))
        {
            break;
        }
        // SAFETY: the check above has shown that both words lie in a mapped stack, and are aligned.
        let [next, return_address] = unsafe { *(frame as *const [u64; 2]) };
        if return_address == 0 {
            break;
        }
        let _ = write!(out, " {return_address:#x}");
        if next <= frame {
            break;
        }
        frame = next;
    }
    let _ = writeln!(out);
}

/// Prints the last calls of all cores, and ends a report.
fn stop(out: &mut impl Write) -> ! {
    black_box::report(false);
    let _ = writeln!(out, "[janus] this core stops here");
    console::give_up();
    CRASH_LOCK.store(0, Ordering::Release);
    wait::for_ever()
}
