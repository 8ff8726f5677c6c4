//! The way into a world and back, by vectors.S.

use crate::black_box::{self, Record};
use crate::crash_record::CrashRecord;
use crate::world::{Exit, WorldContext};
use core::arch::{asm, global_asm};
use core::mem::offset_of;
use janus_context::el3::scr;
use janus_spmd::World;

global_asm!(
    include_str!("vectors.S"),
    gpr = const offset_of!(WorldContext, gpr),
    el3_frame = const WorldContext::EL3_FRAME,
    irq = const Exit::IRQ.to_vectors(),
    fiq = const Exit::FIQ.to_vectors(),
    serror = const Exit::SERROR.to_vectors(),
    record = const WorldContext::RECORD,
    record_size = const size_of::<Record>(),
    wrap = const black_box::WRAP,
    branches = const offset_of!(CrashRecord, branches),
    scr = const scr::RES1,
);

/// Gives this core the vectors with a measure against speculation at each entry from a lower EL. Its crash record says
/// which measure.
pub fn guard() {
    // SAFETY: these vectors do what the usual ones do, after the measure.
    unsafe {
        asm!("adrp {at}, guarded_vectors", "add {at}, {at}, :lo12:guarded_vectors", "msr vbar_el3, {at}", "isb",
            at = out(reg) _, options(nostack, preserves_flags));
    }
}

/// Calls one of the two functions in vectors.S that enter a world.
macro_rules! call {
    ($function:literal, $context:expr, $x0:ident, $x1:ident, $why:ident) => {
        asm!(
            concat!("bl ", $function),
            inout("x0") $context => $x0, out("x1") $x1, out("x2") $why,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        )
    };
}

/// Runs a world until an exception brings the core back to EL3. Returns the exception, and the world's x0 and x1.
///
/// # Safety
///
/// The world's system registers, ELR_EL3 and SPSR_EL3 are in the CPU, and it goes on below EL3.
#[inline(always)]
pub unsafe fn enter(context: &mut WorldContext, world: World) -> (Exit, u64, u64) {
    let (x0, x1, why): (u64, u64, i64);
    // SAFETY: both functions keep SP, x19 and x29, and the asm blocks declare all other registers as clobbered. A
    // lower EL cannot access EL3's memory: it runs in another translation regime, and all registers that it gets come
    // from its context.
    unsafe {
        match world {
            World::Normal => call!("normal_enter", context, x0, x1, why),
            World::Secure => call!("world_enter", context, x0, x1, why),
        }
    }
    (Exit::from_vectors(why), x0, x1)
}
