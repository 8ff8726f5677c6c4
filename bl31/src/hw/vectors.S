// EL3's exception vectors, and the way into a world and back.
//
// While a world runs, SP_EL3 points at its WorldContext. An exception from a lower EL stores x0-x30
// there and returns, on this core's EL3 stack, to the caller of world_enter. For Rust, entering a
// world is a call that returns the reason why the world came back.
//
// An exception from EL3 itself is a bug. SP cannot be trusted then, so x0 is kept in SP_EL0 (which is not
// needed any more), and all registers are saved in this core's crash record, which TPIDR_EL3 points to.

// Stores x2 to x30 of the world that came; x0 and x1 are stored already.
.macro store_gpr
    stp     x2, x3, [sp, #{gpr} + 16]
    stp     x4, x5, [sp, #{gpr} + 32]
    stp     x6, x7, [sp, #{gpr} + 48]
    stp     x8, x9, [sp, #{gpr} + 64]
    stp     x10, x11, [sp, #{gpr} + 80]
    stp     x12, x13, [sp, #{gpr} + 96]
    stp     x14, x15, [sp, #{gpr} + 112]
    stp     x16, x17, [sp, #{gpr} + 128]
    stp     x18, x19, [sp, #{gpr} + 144]
    stp     x20, x21, [sp, #{gpr} + 160]
    stp     x22, x23, [sp, #{gpr} + 176]
    stp     x24, x25, [sp, #{gpr} + 192]
    stp     x26, x27, [sp, #{gpr} + 208]
    stp     x28, x29, [sp, #{gpr} + 224]
    str     x30, [sp, #{gpr} + 240]
.endm

// Goes back to the caller of world_enter, on its stack. x0 to x2 are what it gets.
.macro return_to_rust
    ldp     x19, x3, [sp, #{el3_frame}]
    mov     sp, x3
    ldp     x29, x30, [sp], #16
    ret
    // Instructions behind a RET, BR or ERET must not be executed, not even speculatively.
    dsb     nsh
    isb
.endm

.macro lower_el name, kind
    .balign 0x80
    stp     x0, x1, [sp, #{gpr} + 0]
\name:
    store_gpr
    .ifb \kind
    mrs     x2, esr_el3
    .else
    mov     x2, #\kind
    .endif
    return_to_rust
.endm

// An entry from a lower EL with a measure against speculation, for cores on which the lower EL could control
// predictions of branches in EL3: see speculation.rs. Whatever is predicted here, execution does not go on before the
// ISB.
.macro guarded_lower_el name, kind
    .balign 0x80
    stp     x0, x1, [sp, #{gpr} + 0]
    mrs     x0, tpidr_el3
    ldr     x0, [x0, #{branches}]
    cbz     x0, 3f
    tbnz    x0, #63, 5f
    hint    #22                         // CLRBHB, a NOP on other CPUs
1:  b       2f
2:  subs    x0, x0, #1
    b.ne    1b
    b       4f
3:  mrs     x0, sctlr_el3
    bic     x1, x0, #1
    msr     sctlr_el3, x1
    isb
    msr     sctlr_el3, x0
4:  dsb     nsh
    isb
    ldp     x0, x1, [sp, #{gpr} + 0]
    b       \name
5:  mov     x1, #\kind
    b       go_to_aarch32
.endm

.macro current_el kind
    .balign 0x80
    msr     spsel, #0
    mov     sp, x0
    mrs     x0, tpidr_el3
    stp     x1, x2, [x0, #8]
    mov     x1, #\kind
    b       el3_exception
.endm

    .section .text.vectors, "ax"
    .balign 0x800
    .global vectors
vectors:
    // From EL3 with SP_EL0: an exception during the handling of a crash.
    current_el 0
    current_el 1
    current_el 2
    current_el 3
    // From EL3 with SP_EL3.
    current_el 0
    current_el 1
    current_el 2
    current_el 3
    // From a lower EL. The one below EL3 is never in AArch32 (SCR_EL3.RW), so the last four entries are missing.
    lower_el lower_el_sync
    lower_el lower_el_irq, {irq}
    lower_el lower_el_fiq, {fiq}
    lower_el lower_el_serror, {serror}

// Invalidates the branch predictor on CPUs that only do so by an instruction of AArch32: goes to secure EL1 and back,
// with interrupts masked and the MMU off. x1 = kind of exception, 0 if synchronous; the world's x0 and x1 are saved.
// AArch32 may clear the upper halves of registers, so all are saved first; what EL3 needs again goes below its stack.
// (It stands here because the next table's alignment leaves room.)
go_to_aarch32:
    store_gpr
    mrs     x2, esr_el3
    mrs     x3, spsr_el3
    mrs     x4, scr_el3
    mrs     x5, sctlr_el1
    mrs     x6, elr_el3
    ldr     x7, [sp, #{el3_frame} + 8]
    stp     x1, x2, [x7, #-48]
    stp     x3, x4, [x7, #-32]
    stp     x5, x6, [x7, #-16]
    // SCR_EL3: secure, AArch32, and errors stay pending.
    mov     x2, #{scr}
    msr     scr_el3, x2
    // Supervisor mode, A32, all masked.
    mov     x2, #0x1d3
    msr     spsr_el3, x2
    // SCTLR_EL1 as after a reset, and with instruction caches.
    mov     w2, #0x1838
    movk    w2, #0x00c5, lsl #16
    msr     sctlr_el1, x2
    adr     x2, aarch32_invalidates
    msr     elr_el3, x2
    eret
    dsb     nsh
    isb
aarch32_invalidates:
    .word   0xee070fd5                  // mcr p15, 0, r0, c7, c5, 6: BPIALL
    .word   0xe1600070                  // smc #0
    // Back in EL3.
back_from_aarch32:
    ldr     x7, [sp, #{el3_frame} + 8]
    ldp     x1, x2, [x7, #-48]
    ldp     x3, x4, [x7, #-32]
    ldp     x5, x6, [x7, #-16]
    msr     esr_el3, x2
    msr     spsr_el3, x3
    msr     scr_el3, x4
    msr     sctlr_el1, x5
    msr     elr_el3, x6
    dsb     nsh
    isb
    cmp     x1, #0
    csel    x2, x2, x1, eq              // ESR_EL3, or the kind, as lower_el has it
    ldp     x0, x1, [sp, #{gpr} + 0]
    return_to_rust

    .section .text.guarded_vectors, "ax"
    .balign 0x800
    .global guarded_vectors
guarded_vectors:
    current_el 0
    current_el 1
    current_el 2
    current_el 3
    current_el 0
    current_el 1
    current_el 2
    current_el 3
    guarded_lower_el lower_el_sync, 0
    guarded_lower_el lower_el_irq, {irq}
    guarded_lower_el lower_el_fiq, {fiq}
    guarded_lower_el lower_el_serror, {serror}

    // A synchronous exception from AArch32: the SMC of aarch32_invalidates. The other three kinds are masked there.
    .balign 0x80
    b       back_from_aarch32

// Enters a world. x0 = its &mut WorldContext; its system registers, ELR_EL3 and SPSR_EL3 are in the CPU.
// Returns the world's x0 and x1, and in x2 what ended its run: ESR_EL3 of a synchronous exception, else the kind of
// exception. Clobbers all registers but x19, x29 and SP.
.macro enter normal
    stp     x29, x30, [sp, #-16]!
    mov     x1, sp
    stp     x19, x1, [x0, #{el3_frame}]
    mov     sp, x0
    ldp     x2, x3, [sp, #{gpr} + 16]
    ldp     x0, x1, [sp, #{gpr} + 0]
    .if \normal
    // Note the call's answer in the black box, and open the next record. BlackBox::goes_on is the same in Rust.
    ldr     x4, [sp, #{record}]
    stp     w0, w2, [x4], #{record_size}
    and     x4, x4, #~{wrap}
    stp     x4, xzr, [x4]
    str     x4, [sp, #{record}]
    .endif
    ldp     x4, x5, [sp, #{gpr} + 32]
    ldp     x6, x7, [sp, #{gpr} + 48]
    ldp     x8, x9, [sp, #{gpr} + 64]
    ldp     x10, x11, [sp, #{gpr} + 80]
    ldp     x12, x13, [sp, #{gpr} + 96]
    ldp     x14, x15, [sp, #{gpr} + 112]
    ldp     x16, x17, [sp, #{gpr} + 128]
    ldp     x18, x19, [sp, #{gpr} + 144]
    ldp     x20, x21, [sp, #{gpr} + 160]
    ldp     x22, x23, [sp, #{gpr} + 176]
    ldp     x24, x25, [sp, #{gpr} + 192]
    ldp     x26, x27, [sp, #{gpr} + 208]
    ldp     x28, x29, [sp, #{gpr} + 224]
    ldr     x30, [sp, #{gpr} + 240]
    eret
    dsb     nsh
    isb
.endm

    // They have a type and a size, so that the check of the stack's depth knows their frames.
    .section .text.world_enter, "ax"
    .global world_enter
    .type   world_enter, %function
world_enter:
    enter 0
    .size   world_enter, . - world_enter
    .global normal_enter
    .type   normal_enter, %function
normal_enter:
    enter 1
    .size   normal_enter, . - normal_enter

// Saves the registers of an exception of EL3 itself, and reports it. x0 = crash record (x1 and x2 are saved), x1 =
// kind, SP_EL0 = x0 at the exception.
el3_exception:
    stp     x3, x4, [x0, #24]
    stp     x5, x6, [x0, #40]
    stp     x7, x8, [x0, #56]
    stp     x9, x10, [x0, #72]
    stp     x11, x12, [x0, #88]
    stp     x13, x14, [x0, #104]
    stp     x15, x16, [x0, #120]
    stp     x17, x18, [x0, #136]
    stp     x19, x20, [x0, #152]
    stp     x21, x22, [x0, #168]
    stp     x23, x24, [x0, #184]
    stp     x25, x26, [x0, #200]
    stp     x27, x28, [x0, #216]
    stp     x29, x30, [x0, #232]
    mov     x2, sp
    str     x2, [x0]
    msr     spsel, #1
    mov     x2, sp
    str     x2, [x0, #248]
    // One core reports at a time. A core that crashes meanwhile, or crashes again, just stops. With the MMU off,
    // memory may not support exclusive accesses; then there is no lock, because two cores hardly crash at once there.
    mrs     x3, sctlr_el3
    tbz     x3, #0, 3f
    adr     x3, CRASH_LOCK
1:  ldaxr   w4, [x3]
    cbnz    w4, 2f
    mov     w4, #1
    stxr    w5, w4, [x3]
    cbnz    w5, 1b
3:  adr     x3, crash_stack_end
    mov     sp, x3
    mov     x29, #0
    b       report_el3_exception
2:  bl      sleep_until_interrupt
    b       2b
