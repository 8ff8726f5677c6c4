//! The way into a world and back: see vectors.S.

use crate::world::{Exit, WorldContext};
use core::arch::{asm, global_asm};
use core::mem::offset_of;

/// The kinds of exception, as vectors.S tells them.
const SYNC: u64 = 0;
const IRQ: u64 = 1;
const FIQ: u64 = 2;
const SERROR: u64 = 3;

global_asm!(
    include_str!("vectors.S"),
    gpr = const offset_of!(WorldContext, gpr),
    el3_frame = const WorldContext::EL3_FRAME,
    sync = const SYNC,
    irq = const IRQ,
    fiq = const FIQ,
    serror = const SERROR,
);

/// Runs the world whose context this is until an exception brings the core back to EL3, and returns
/// which one.
///
/// # Safety
///
/// The world's system registers, ELR_EL3 and SPSR_EL3 are in the CPU, and it goes on below EL3.
#[inline(always)]
pub unsafe fn enter(context: &mut WorldContext) -> Exit {
    let kind: u64;
    // SAFETY: world_enter keeps SP, x19 and x29 and the asm block declares everything else as
    // clobbered. A lower EL cannot reach EL3's memory: it runs in another translation regime,
    // and what it gets of EL3's registers is what `context` holds.
    unsafe {
        asm!(
            "bl world_enter",
            inout("x0") context => kind,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        );
    }
    // The frequent one first, on a branch of its own.
    if kind == SYNC {
        return Exit::Synchronous;
    }
    match kind {
        IRQ => Exit::Irq,
        FIQ => Exit::Fiq,
        _ => Exit::SError,
    }
}
