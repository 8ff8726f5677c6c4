//! SMCs with arbitrary values in the registers on which the payload itself depends: SCTLR, TTBR0, TCR, MAIR and VBAR of
//! its own exception level.
//!
//! Meanwhile the MMU is off and all interrupts are masked. The sequence is in assembly. It uses no stack, and only the
//! memory in [`Block`].

use crate::arch::cpu;
use crate::framework::regs::Regs;

/// The names of the critical registers, in the order of [`Block`].
pub const NAMES: [&str; 5] = ["TTBR0", "TCR", "MAIR", "VBAR", "SCTLR"];

/// The memory of the sequence. It is aligned to a cache line, so that cleaning it affects no other data.
#[repr(C, align(64))]
struct Block {
    regs: [u64; 18],
    /// The values to write; for SCTLR, the bits to invert.
    values: [u64; 5],
    /// The values right before the SMC, and right after it.
    before: [u64; 5],
    after: [u64; 5],
}

unsafe extern "C" {
    fn payload_critical_el1(block: *mut Block);
    fn payload_critical_el2(block: *mut Block);
}

core::arch::global_asm!(
    r#"
    .macro payload_critical el
    .section .text.payload_critical_el\el, "ax"
    .global payload_critical_el\el
payload_critical_el\el:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mrs     x25, daif
    msr     daifset, #0xf
    mrs     x19, ttbr0_el\el
    mrs     x20, tcr_el\el
    mrs     x21, mair_el\el
    mrs     x22, vbar_el\el
    mrs     x23, sctlr_el\el
    mov     x24, x0
    // The block must be in memory, not in a cache, while the MMU is off.
    mov     x1, x0
    add     x2, x0, #320
1:  dc      civac, x1
    add     x1, x1, #16
    cmp     x1, x2
    b.lo    1b
    dsb     sy
    mov     x1, #0x1005
    bic     x26, x23, x1                    // M, C and I off
    msr     sctlr_el\el, x26
    isb
    ldp     x0, x1, [x24, #144]
    msr     ttbr0_el\el, x0
    msr     tcr_el\el, x1
    ldp     x0, x1, [x24, #160]
    msr     mair_el\el, x0
    msr     vbar_el\el, x1
    ldr     x0, [x24, #176]
    eor     x0, x0, x26
    msr     sctlr_el\el, x0
    isb
    mrs     x0, ttbr0_el\el
    mrs     x1, tcr_el\el
    stp     x0, x1, [x24, #184]
    mrs     x0, mair_el\el
    mrs     x1, vbar_el\el
    stp     x0, x1, [x24, #200]
    mrs     x0, sctlr_el\el
    str     x0, [x24, #216]
    ldp     x0, x1, [x24]
    ldp     x2, x3, [x24, #16]
    ldp     x4, x5, [x24, #32]
    ldp     x6, x7, [x24, #48]
    ldp     x8, x9, [x24, #64]
    ldp     x10, x11, [x24, #80]
    ldp     x12, x13, [x24, #96]
    ldp     x14, x15, [x24, #112]
    ldp     x16, x17, [x24, #128]
    smc     #0
    stp     x0, x1, [x24]
    stp     x2, x3, [x24, #16]
    stp     x4, x5, [x24, #32]
    stp     x6, x7, [x24, #48]
    stp     x8, x9, [x24, #64]
    stp     x10, x11, [x24, #80]
    stp     x12, x13, [x24, #96]
    stp     x14, x15, [x24, #112]
    stp     x16, x17, [x24, #128]
    mrs     x0, ttbr0_el\el
    mrs     x1, tcr_el\el
    stp     x0, x1, [x24, #224]
    mrs     x0, mair_el\el
    mrs     x1, vbar_el\el
    stp     x0, x1, [x24, #240]
    mrs     x0, sctlr_el\el
    str     x0, [x24, #256]
    msr     sctlr_el\el, x26
    isb
    msr     ttbr0_el\el, x19
    msr     tcr_el\el, x20
    msr     mair_el\el, x21
    msr     vbar_el\el, x22
    dsb     sy
    isb
    msr     sctlr_el\el, x23
    isb
    msr     daif, x25
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret
    .endm
    payload_critical 1
    payload_critical 2
"#
);

/// The bits of SCTLR that can be inverted with the MMU off: A, C, SA, I, WXN, and the enables of pointer
/// authentication.
const SCTLR: u64 =
    1 << 1 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 13 | 1 << 19 | 1 << 27 | 1 << 30 | 1 << 31;

/// Makes an SMC with `regs` in x0-x17 and arbitrary values of round `seed` in the critical registers. Returns the
/// answer, and the first critical register that changed, if any: its name, its value, and its value before.
pub fn call(regs: Regs, seed: u64) -> (Regs, Result<(), (&'static str, u64, u64)>) {
    let rubbish = |n: u64| (seed * 8 + n + 1).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let mut block = Block {
        regs: regs.0,
        values: [
            rubbish(1),
            rubbish(2),
            rubbish(3),
            rubbish(4),
            rubbish(5) & SCTLR,
        ],
        before: [0; 5],
        after: [0; 5],
    };
    // SAFETY: the sequence restores everything and keeps the procedure call standard. The memory
    // map is flat, so that the code runs with the MMU off.
    unsafe {
        if cpu::el() == 2 {
            payload_critical_el2(&mut block)
        } else {
            payload_critical_el1(&mut block)
        }
    }
    let changed = (0..5).find(|&i| block.before[i] != block.after[i]);
    let result = changed.map_or(Ok(()), |i| Err((NAMES[i], block.after[i], block.before[i])));
    (Regs(block.regs), result)
}
