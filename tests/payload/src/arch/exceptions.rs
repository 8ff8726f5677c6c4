//! The exception vectors of both images.
//!
//! Interrupts go to [`crate::framework::irq`]. A synchronous exception is a failure, unless it comes from code that
//! runs by [`attempt`]. With that, cases find out which system registers exist.

use super::{MAX_CORES, cpu};
use crate::mrs;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The registers that the vectors saved.
#[derive(Debug)]
#[repr(C)]
pub struct Frame {
    /// x0-x30.
    pub x: [u64; 31],
    /// Return address.
    pub elr: u64,
    /// Saved program status.
    pub spsr: u64,
    /// Syndrome.
    pub esr: u64,
    /// Fault address.
    pub far: u64,
}

core::arch::global_asm!(
    r#"
    .macro payload_vector el, kind
    .balign 0x80
    sub     sp, sp, #288
    stp     x0, x1, [sp]
    mov     x0, #\kind
    b       payload_exception_el\el
    .endm

    .macro payload_vectors el
    .section .text.vectors\el, "ax"
    .balign 0x800
    .global payload_vectors_el\el
payload_vectors_el\el:
    .irp    kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    payload_vector \el, \kind
    .endr
    .balign 0x80
    .global payload_resumed_el\el
payload_resumed_el\el:
    payload_vector \el, 16
payload_exception_el\el:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x2, elr_el\el
    mrs     x3, spsr_el\el
    mrs     x4, esr_el\el
    mrs     x5, far_el\el
    stp     x30, x2, [sp, #240]
    stp     x3, x4, [sp, #256]
    str     x5, [sp, #272]
    mov     x1, sp
    bl      payload_exception
    ldp     x30, x2, [sp, #240]
    ldr     x3, [sp, #256]
    msr     elr_el\el, x2
    msr     spsr_el\el, x3
    ldp     x0, x1, [sp]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    add     sp, sp, #288
    eret
    .endm

    payload_vectors 1
    payload_vectors 2
"#
);

/// The states of an attempt: none runs, one runs, one has taken an exception.
const NO: u32 = 0;
const TRYING: u32 = 1;
const TAKEN: u32 = 2;

static ATTEMPT: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(NO) }; MAX_CORES];

/// Runs `f`. Returns false if an instruction in it was undefined or trapped. Such an instruction is skipped.
pub fn attempt(f: impl FnOnce()) -> bool {
    let state = &ATTEMPT[cpu::number()];
    state.store(TRYING, Relaxed);
    f();
    state.swap(NO, Relaxed) == TRYING
}

static SYNDROME: [AtomicU64; MAX_CORES] = [const { AtomicU64::new(0) }; MAX_CORES];

/// Returns the syndrome of the exception that the last failed [`attempt`] took on this core.
pub fn syndrome() -> u64 {
    SYNDROME[cpu::number()].load(Relaxed)
}

/// The exception classes (ESR_ELx.EC) that an attempt may take: unknown reason, trapped system registers, SVE, FP, SME.
const EXPECTABLE: [u64; 6] = [0x00, 0x18, 0x19, 0x07, 0x1d, 0x14];

/// The number of a vector by which EL3 says that it looks like an exception.
const RESUMED: u64 = 16;

#[unsafe(no_mangle)]
extern "C" fn payload_exception(kind: u64, frame: &mut Frame) {
    let class = frame.esr >> 26;
    match kind & 3 {
        _ if kind == RESUMED => crate::framework::event::resumed(frame),
        // A call of what `event::wait_at_el1` or `event::wait_at_el0` runs.
        0 if kind >= 8 && matches!(class, 0x11 | 0x16) => {
            frame.elr = super::event::back();
            frame.spsr = 0x3c9;
        }
        0 if EXPECTABLE.contains(&class) && ATTEMPT[cpu::number()].load(Relaxed) != NO => {
            ATTEMPT[cpu::number()].store(TAKEN, Relaxed);
            SYNDROME[cpu::number()].store(frame.esr, Relaxed);
            frame.elr += 4;
        }
        1 | 2 if kind / 4 == 1 => crate::framework::irq::interrupted(kind & 3 == 2),
        _ => panic!(
            "exception (vector {kind}) at {:#x}: ESR {:#x}, FAR {:#x}, SPSR {:#x}, CurrentEL {}, x30 {:#x}",
            frame.elr,
            frame.esr,
            frame.far,
            frame.spsr,
            mrs!("CurrentEL") >> 2,
            frame.x[30]
        ),
    }
}
