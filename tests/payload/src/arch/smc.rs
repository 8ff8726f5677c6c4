//! SMCs with control over all general-purpose registers.
//!
//! [`call`] passes x0-x17, as SMCCC 1.2 and FF-A 1.2 define, and fills x18-x30 with a pattern that must be there
//! afterwards. So each call of each case also checks that EL3 preserves them. [`call_all`] is for cases that look at
//! x0-x30 themselves.

use crate::framework::regs::Regs;

unsafe extern "C" {
    fn payload_smc(regs: *mut [u64; 31]);
    fn payload_spin(regs: *mut [u64; 31], flag: *const u64);
}

core::arch::global_asm!(
    r#"
    .section .text.payload_smc, "ax"
    .global payload_smc
payload_smc:
    stp     x29, x30, [sp, #-112]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x0, [sp, #96]
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    smc     #0
    stp     x0, x1, [sp, #-16]!
    ldr     x0, [sp, #112]
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    str     x30, [x0, #240]
    ldp     x1, x2, [sp], #16
    stp     x1, x2, [x0]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #112
    ret
"#
);

core::arch::global_asm!(
    r#"
    .section .text.payload_spin, "ax"
    .global payload_spin
payload_spin:
    stp     x29, x30, [sp, #-112]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x0, [sp, #96]
    mov     x30, #0xa0000000
    msr     nzcv, x30
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
1:  ldr     x0, [x1]
    cbz     x0, 1b
    ldr     x0, [sp, #96]
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    str     x30, [x0, #240]
    mrs     x2, nzcv
    stp     x2, x1, [x0]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #112
    ret
"#
);

/// Waits until `flag` is not zero, with a value in every register.
///
/// # Errors
///
/// The first register that was changed meanwhile, with its value.
pub fn wait_holding(flag: &core::sync::atomic::AtomicU64) -> Result<(), (&'static str, u64)> {
    const NAMES: [&str; 31] = [
        "NZCV", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
        "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
        "x27", "x28", "x29", "x30",
    ];
    let mut regs: [u64; 31] = core::array::from_fn(pattern);
    // SAFETY: `payload_spin` keeps the procedure call standard and reads the flag only.
    unsafe { payload_spin(&mut regs, flag.as_ptr()) };
    for (n, &x) in regs.iter().enumerate() {
        let want = match n {
            0 => 0xa000_0000,
            1 => flag.as_ptr() as u64,
            _ => pattern(n),
        };
        if x != want {
            return Err((NAMES[n], x));
        }
    }
    Ok(())
}

/// Makes an SMC with x0-x30 from `regs`, and stores x0-x30 of the answer there.
pub fn call_all(regs: &mut [u64; 31]) {
    // SAFETY: `payload_smc` keeps the procedure call standard, whatever EL3 returns in x0-x30. Memory
    // that EL3 or the other world may write in this call is not borrowed meanwhile.
    unsafe { payload_smc(regs) }
}

/// Returns the value of x`n` (x18-x30) during [`call`], which differs in each register and on each core.
fn pattern(n: usize) -> u64 {
    0x5a00_0000_c0de_0000 | ((super::cpu::number() as u64) << 32) | n as u64
}

/// Makes an SMC with x0-x17 and returns x0-x17 of the answer. Panics if x18-x30 come back changed.
pub fn call(regs: Regs) -> Regs {
    let mut all = [0; 31];
    all[..18].copy_from_slice(&regs.0);
    for (n, x) in all.iter_mut().enumerate().skip(18) {
        *x = pattern(n);
    }
    call_all(&mut all);
    for (n, &x) in all.iter().enumerate().skip(18) {
        assert!(
            x == pattern(n),
            "x{n} is {x:#x} after SMC {:#x}, was {:#x} before",
            regs.0[0],
            pattern(n)
        );
    }
    let mut out = Regs::default();
    out.0.copy_from_slice(&all[..18]);
    out
}
