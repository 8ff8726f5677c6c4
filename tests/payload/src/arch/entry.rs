//! The first instructions of each image: memory map, stack, zeroed data, vectors.
//!
//! An image has one entry point at its base. The first core there zeroes the data that is not loaded. Other cores come
//! in later, at the base or at `payload_secondary_entry`. The values of x0-x7, SCTLR, DAIF and SPSel at the entry are
//! kept ([`BootState`]) for the `boot/*` cases.
//!
//! The memory map is flat and the same at EL1 and EL2 (AP\[1\] is clear, which
//! EL2 ignores): devices and secure memory in the first GiB, non-secure memory
//! above, as [`machine`] says. The MMU is on before any Rust code runs,
//! because atomics and unaligned accesses need normal memory.

use super::{MAX_CORES, cpu};
use crate::machine;
use core::cell::UnsafeCell;

/// The size of a core's stack in bytes.
pub const STACK_SIZE: usize = 0x4000;

/// The state in which a core was entered.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct BootState {
    /// x0-x7.
    pub x: [u64; 8],
    /// SCTLR of the exception level at which it was entered.
    pub sctlr: u64,
    /// DAIF.
    pub daif: u64,
    /// SPSel.
    pub spsel: u64,
    /// Where it was entered: 0 at the image's base, 1 at the secondary entry point, 2 where [`suspend`] goes on.
    pub secondary: u64,
}

#[repr(C, align(64))]
struct PerCore<T>(UnsafeCell<[T; MAX_CORES]>);

// SAFETY: each core writes only its own element, in the entry code. Other cores read it after that core
// has announced itself through an atomic.
unsafe impl<T> Sync for PerCore<T> {}

#[repr(C, align(4096))]
struct Stacks(UnsafeCell<[[u8; STACK_SIZE]; MAX_CORES]>);

// SAFETY: each stack is used only by its core.
unsafe impl Sync for Stacks {}

#[unsafe(no_mangle)]
static PAYLOAD_STACKS: Stacks = Stacks(UnsafeCell::new([[0; STACK_SIZE]; MAX_CORES]));

#[unsafe(no_mangle)]
static PAYLOAD_BOOT_STATE: PerCore<BootState> = PerCore(UnsafeCell::new(
    [BootState {
        x: [0; 8],
        sctlr: 0,
        daif: 0,
        spsel: 0,
        secondary: 0,
    }; MAX_CORES],
));

/// Returns the state in which core `number` was last entered.
pub fn boot_state(number: usize) -> BootState {
    // SAFETY: the core has written its element, as `PerCore` says. The index is checked.
    unsafe { (*PAYLOAD_BOOT_STATE.0.get())[number] }
}

/// Returns the state in which this core was last entered.
pub fn my_boot_state() -> BootState {
    boot_state(cpu::number())
}

unsafe extern "C" {
    fn payload_secondary_entry();
    fn payload_suspend(function: u64, context: u64) -> u64;
    static image_start: u8;
    static image_end: u8;
}

/// Returns the address of the entry point for cores that are not the first.
pub fn secondary_entry() -> u64 {
    payload_secondary_entry as *const () as u64
}

/// Makes a PSCI call that takes an entry point and a context ID, and goes on at that entry point.
///
/// Returns the status if the call returned, else x0 at the entry point. Of the core's state, only the callee-saved
/// registers are kept. Only one core at a time may be in this.
pub fn suspend(function: u32, context: u64) -> u64 {
    // SAFETY: for the compiler this is an ordinary call, in whichever way it returns: SP and the callee-saved
    // registers are restored, and memory is unchanged.
    unsafe { payload_suspend(function.into(), context) }
}

/// Returns the addresses of the image.
pub fn image() -> core::ops::Range<u64> {
    (&raw const image_start) as u64..(&raw const image_end) as u64
}

core::arch::global_asm!(
    r#"
    .section .text.entry, "ax"
    .global payload_entry
payload_entry:
    mov     x20, #0
    adrp    x9, first_core_came
    add     x9, x9, :lo12:first_core_came
    ldr     w10, [x9]
    cbnz    w10, 2f
    mov     w10, #1
    str     w10, [x9]
    adrp    x9, bss_start
    adrp    x10, bss_end
1:  stp     xzr, xzr, [x9], #16
    cmp     x9, x10
    b.lo    1b
    b       2f

    // x0: function ID, x1: context ID for the third argument. The core comes back at the entry point.
    .global payload_suspend
payload_suspend:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x9, sp
    adrp    x10, suspended_sp
    str     x9, [x10, :lo12:suspended_sp]
    mov     x2, x1
    adr     x1, payload_resume
    smc     #0
5:  ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

payload_resume:
    mov     x20, #2
    b       2f

    .global payload_secondary_entry
payload_secondary_entry:
    mov     x20, #1

2:  mrs     x9, mpidr_el1
    tbz     x9, #24, 7f                     // MT: Aff0 is a thread
    lsr     x9, x9, #8
7:  and     x10, x9, #0xff
    ubfx    x11, x9, #8, #8
    add     x19, x10, x11, lsl #{cluster}   // x19: number of this core

    adrp    x9, PAYLOAD_BOOT_STATE
    add     x9, x9, :lo12:PAYLOAD_BOOT_STATE
    mov     x10, #96
    madd    x9, x19, x10, x9
    stp     x0, x1, [x9]
    stp     x2, x3, [x9, #16]
    stp     x4, x5, [x9, #32]
    stp     x6, x7, [x9, #48]
    mrs     x10, daif
    mrs     x11, spsel
    stp     x10, x11, [x9, #72]
    str     x20, [x9, #88]

    adrp    x10, payload_tables
    ldr     x11, =0xff04                    // MAIR: 0 nGnRE, 1 write-back
    mrs     x12, CurrentEL
    cmp     x12, #8
    b.eq    3f

    mrs     x13, sctlr_el1
    str     x13, [x9, #64]
    mov     x13, #(3 << 20)                 // FP and SIMD are not trapped
    msr     cpacr_el1, x13
    adr     x13, payload_vectors_el1
    msr     vbar_el1, x13
    msr     mair_el1, x11
    ldr     x13, =0x200803520               // T0SZ 32, write-back, inner shareable, 40 bits
    msr     tcr_el1, x13
    msr     ttbr0_el1, x10
    isb
    tlbi    vmalle1
    dsb     sy
    isb
    ldr     x13, =0x30d01805                // RES1 bits, M, C, I
    msr     sctlr_el1, x13
    b       4f

3:  mrs     x13, sctlr_el2
    str     x13, [x9, #64]
    ldr     x13, =0x80000038                // HCR: RW; interrupts and SErrors come to EL2
    msr     hcr_el2, x13
    mov     x13, #0x32ff                    // CPTR: RES1 bits; FP and SIMD are not trapped
    msr     cptr_el2, x13
    adr     x13, payload_vectors_el2
    msr     vbar_el2, x13
    msr     mair_el2, x11
    ldr     x13, =0x80823520
    msr     tcr_el2, x13
    msr     ttbr0_el2, x10
    isb
    tlbi    alle2
    dsb     sy
    isb
    ldr     x13, =0x30c51835
    msr     sctlr_el2, x13

4:  isb
    msr     spsel, #1
    cmp     x20, #2
    b.ne    6f
    adrp    x9, PAYLOAD_BOOT_STATE
    add     x9, x9, :lo12:PAYLOAD_BOOT_STATE
    mov     x10, #96
    madd    x9, x19, x10, x9
    ldr     x0, [x9]
    adrp    x10, suspended_sp
    ldr     x9, [x10, :lo12:suspended_sp]
    mov     sp, x9
    b       5b
6:
    adrp    x9, PAYLOAD_STACKS
    add     x10, x19, #1
    add     x9, x9, x10, lsl #14
    mov     sp, x9
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x19
    bl      payload_main
    b       .
    .ltorg

    .section .data.entry, "aw"
    .balign 4
first_core_came:
    .word   0
    .balign 8
suspended_sp:
    .quad   0

    // Level 1: one table for the first GiB, then blocks of 1 GiB of non-secure memory.
    .section .data.tables, "aw"
    .balign 4096
payload_tables:
    .quad   payload_tables_level2 + 3
    .quad   {second_gib}
    .quad   {third_gib}
    .quad   {fourth_gib}
    .fill   508, 8, 0
    // Level 2, blocks of 2 MiB: devices (never executed), then memory, then devices again.
payload_tables_level2:
    .set    address, 0
    .rept   {ram} >> 21
    .quad   address + 0x60000000000401
    .set    address, address + 0x200000
    .endr
    .rept   ({ram_end} - {ram}) >> 21
    .quad   address + 0x705
    .set    address, address + 0x200000
    .endr
    .rept   ({devices_end} - {ram_end}) >> 21
    .quad   address + 0x60000000000401
    .set    address, address + 0x200000
    .endr
    .fill   512 - ({devices_end} >> 21), 8, 0
"#,
    cluster = const machine::HERE.cluster_shift,
    second_gib = const normal_gib(1),
    third_gib = const normal_gib(2),
    fourth_gib = const normal_gib(3),
    ram = const machine::HERE.secure_ram,
    ram_end = const machine::HERE.secure_ram_end,
    devices_end = const machine::HERE.devices_end,
);

/// Returns the descriptor of a block of 1 GiB of non-secure memory, or zero if the machine has none there.
const fn normal_gib(number: usize) -> usize {
    if machine::HERE.normal_ram[number - 1] {
        (number << 30) + 0x725
    } else {
        0
    }
}
