//! Code of the normal world that an event of EL3's interrupts (plat/src/qemu/events.rs), and its handler's first and
//! last instructions.

use super::cpu;
use crate::mrs;
use core::sync::atomic::AtomicU64;

/// What a core's handler works with. The assembly knows the fields by their order.
#[repr(C)]
pub struct Frame {
    /// Where its stack begins.
    pub stack: u64,
    /// Not zero: it only notes where the core was and ends. (For a core without its MMU.)
    pub plain: u64,
    /// Address and PSTATE, as EL3 says them.
    pub at: [u64; 2],
    /// How often it has run.
    pub plain_runs: u64,
    /// The call that ends it.
    pub complete: u64,
}

unsafe extern "C" {
    fn payload_event_entry();
    fn payload_resumed_el2();
    fn payload_at_el1(flag: u64, mark: *mut u64);
    fn payload_at_el0(flag: u64, mark: *mut u64);
    fn payload_back();
}

/// The handler's address. EL3 passes a [`Frame`] in x1.
pub fn handler() -> u64 {
    payload_event_entry as *const () as u64
}

/// An address at which EL2 goes on as after an exception: `crate::framework::event` is told, and what was interrupted
/// goes on.
pub fn resumed() -> u64 {
    payload_resumed_el2 as *const () as u64
}

/// Waits at EL1 until the flag at this address is set. `mark` is not zero while it does.
pub fn wait_at_el1(flag: u64, mark: &AtomicU64) {
    // SAFETY: for the compiler an ordinary call.
    unsafe { payload_at_el1(flag, mark.as_ptr()) }
}

/// Waits in AArch32 at EL0 until the flag at this address is set. HCR_EL2.TGE must be set.
pub fn wait_at_el0(flag: u64, mark: &AtomicU64) {
    // SAFETY: as above.
    unsafe { payload_at_el0(flag, mark.as_ptr()) }
}

/// Where EL2 goes on when one of these calls it.
pub fn back() -> u64 {
    payload_back as *const () as u64
}

/// HCR_EL2.TGE.
const TGE: u64 = 1 << 27;

/// Sets or clears HCR_EL2.TGE.
pub fn set_tge(on: bool) {
    assert!(cpu::el() == 2);
    let hcr = mrs!("HCR_EL2") & !TGE;
    crate::msr!("HCR_EL2", if on { hcr | TGE } else { hcr });
}

core::arch::global_asm!(
    r#"
    .section .text.payload_event, "ax"
    .global payload_event_entry
payload_event_entry:
    ldr     x4, [x1, #8]
    cbnz    x4, 1f
    mov     x4, sp
    ldr     x5, [x1]
    mov     sp, x5
    stp     x29, x30, [sp, #-32]!
    stp     x18, x4, [sp, #16]
    bl      payload_event
    ldp     x18, x4, [sp, #16]
    ldp     x29, x30, [sp], #32
    mov     sp, x4
    smc     #0
    // Only an end that is refused comes here.
    brk     #0
1:  stp     x2, x3, [x1, #16]
    ldr     x4, [x1, #32]
    add     x4, x4, #1
    str     x4, [x1, #32]
    ldr     x0, [x1, #40]
    smc     #0
    brk     #0

    .global payload_at_el1
payload_at_el1:
    adr     x2, 3f
    mov     x3, #0x3c5
    b       2f
    .global payload_at_el0
payload_at_el0:
    adr     x2, 4f
    mov     x3, #0x1d0
2:  stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    isb
    eret
3:  str     x0, [x1]
    ldr     x2, [x0]
    cbz     x2, 3b
    hvc     #0
4:  .inst   0xe5810000  // str r0, [r1]
    .inst   0xe5902000  // ldr r2, [r0]
    .inst   0xe3520000  // cmp r2, #0
    .inst   0x0afffffb  // beq 4b
    .inst   0xef000000  // svc #0
    .global payload_back
payload_back:
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret
"#
);
