// The entries to EL3: cold_entry of the boot core, from BL2, and warm_entry of other cores and of cores that were off.
// Both arrive at EL3 in an unknown state; only x0, x1 and x3 of a cold boot have a meaning, from BL2. This file has the
// code that runs with the MMU off.
//
// The image runs at the address at which it is loaded. Code is position independent. The addresses in constants
// and in .data are those of the address for which the image was linked, and are adjusted here if it is another one.

    .section .text.cold_entry, "ax"
    .global cold_entry
cold_entry:
    msr     daifset, #0xf
    mov     x20, x0
    mov     x22, x1
    mov     x23, x3
    bl      el3_prepare

    // The image must be at the start of a page, in the memory that the platform has for it.
    adr     x0, text_start
    adr     x1, data_end
    tst     x0, #0xfff
    b.ne    misplaced
    ldr     x2, ={lowest}
    cmp     x0, x2
    b.lo    misplaced
    ldr     x2, ={image_end}
    cmp     x1, x2
    b.hi    misplaced
    ldr     x2, ={usual_start}
    sub     x24, x0, x2                 // distance from the address for which it was linked

    // Invalidate the cache lines of the memory that is written with the caches off, here and when other cores come on:
    // old lines would hide what is written. BL2 has cleaned the lines of the image that it loaded. The constants are
    // among the memory that is written if addresses in them are adjusted. The loop does eight lines per turn, from a
    // multiple of eight.
    adr     x0, load_end
    adr     x1, bare_end
    adr     x2, rodata_start
    cmp     x24, #0
    csel    x0, x0, x2, eq
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4
    mov     x3, #4
    lsl     x2, x3, x2
    neg     x3, x2, lsl #3
    and     x0, x0, x3
1:
    .rept   8
    dc      ivac, x0
    add     x0, x0, x2
    .endr
    cmp     x0, x1
    b.lo    1b
    dsb     sy

    // Copy the initial values of .data, which are behind the constants.
    adr     x0, data_load
    adr     x1, data_start
    adr     x2, load_end
3:  ldp     x3, x4, [x0], #16
    stp     x3, x4, [x1], #16
    cmp     x0, x2
    b.lo    3b
    cbnz    x24, move_addresses
moved:

    adr     x0, bss_start
    adr     x1, bss_end
2:
    .rept   4
    stp     xzr, xzr, [x0], #16
    .endr
    cmp     x0, x1
    b.lo    2b

    // Use the first core's stack at its physical address until set_core.
    adr     x0, boot_stack_end
    mov     sp, x0
    mov     x29, #0
    mov     x30, #0
    mov     x0, x22
    bl      build_page_tables
    bl      reset_core
    bl      enable_mmu
    mov     x0, x20
    mrs     x1, mpidr_el1
    bl      cold_core_index             // x0 = index; it still runs on the boot stack
    mov     x21, x0
    bl      set_core
    add     sp, sp, #{parked_room}      // nothing is parked yet
    mov     x0, x20
    mov     x1, x22
    mov     x2, x23
    mov     x3, x21
    bl      cold_main
    mov     x0, x21
    bl      set_core
    mov     x0, x21
    b       boot_main

// Adds x24 to each address in constants and .data. ELF's SHT_RELR format lists their places: an even entry is the
// address of one place; an odd entry has a bit for each of the 63 words that follow.
move_addresses:
    adr     x0, relr_start
    adr     x1, relr_end
1:  cmp     x0, x1
    b.hs    moved
    ldr     x2, [x0], #8
    tbnz    x2, #0, 2f
    add     x3, x2, x24
    ldr     x4, [x3]
    add     x4, x4, x24
    str     x4, [x3], #8
    b       1b
2:  mov     x5, x3
    add     x3, x3, #63 * 8
3:  lsr     x2, x2, #1
    cbz     x2, 1b
    tbz     x2, #0, 4f
    ldr     x4, [x5]
    add     x4, x4, x24
    str     x4, [x5]
4:  add     x5, x5, #8
    b       3b

// The image cannot run where it is. x0, x1 = its start and end. It can use no memory but its own, so the stack is put
// over the vectors and the code before them, which are not needed any more.
misplaced:
    adr     x2, vectors_end
    and     sp, x2, #~0xf
    mov     x29, #0
    mov     x30, #0
    b       say_misplaced

    .section .text.warm_entry, "ax"
// Cores that come on or wake up come here, and those that boot firmware held. warm_main sends cores that are not to
// run yet to EL3's own pen.
    .global warm_entry
warm_entry:
    msr     daifset, #0xf
    bl      el3_prepare
    // Find the core's number by its affinity, in the table that the cold boot has filled.
    mrs     x1, mpidr_el1
    ldr     x2, =0xff80ffffff           // the affinity fields and bit 31, RES1
    and     x1, x1, x2
    adr     x2, CORE_AFFINITIES
    mov     x21, #0
1:  ldr     x3, [x2], #8
    cmp     x3, x1
    b.eq    3f
    add     x21, x21, #1
    cmp     x21, #{max_cores}
    b.lo    1b
2:  bl      sleep_until_interrupt       // a core without a number: the image has no room for it
    b       2b
3:
    bl      bare_stack
    bl      reset_core
    b       enter_rust

// Sleeps until PSCI CPU_ON opens this core's slot. x21 = index; MMU and D-cache are off. pen.rs says what ends the WFI.
wait_in_pen:
    adr     x20, PEN
    add     x20, x20, x21, lsl #{pen_shift}
    b       2f
1:  bl      sleep_until_interrupt
    // Acknowledge and end the Group 0 interrupt that ended the WFI, whichever it is. While it is pending, the core
    // would not sleep; while it is active, the core would not wake for the next one.
    mrs     x1, icc_iar0_el1
    lsr     x2, x1, #2
    cmp     x2, #(1020 >> 2)            // 1020 to 1023: none
    b.eq    2f
    msr     icc_eoir0_el1, x1
    isb
2:  ldr     x1, [x20]
    cbz     x1, 1b
    str     xzr, [x20]
    dsb     sy
enter_rust:
    bl      enable_mmu
    mov     x0, x21
    bl      set_core
    mov     x0, x21
    b       warm_main

    .section .text.entry, "ax"
// Puts EL3 into a known state: MMU and D-cache off, vectors and a crash record set. Clobbers x0.
el3_prepare:
    ldr     x0, ={sctlr_off}
    msr     sctlr_el3, x0
    adr     x0, vectors
    msr     vbar_el3, x0
    // This record is used until the core has its own. TPIDR_EL3 still has boot firmware's value.
    adr     x0, {early_record}
    msr     tpidr_el3, x0
    isb
    ret
    dsb     nsh
    isb

// Turns on MMU and caches with the tables that build_page_tables built. Clobbers x0.
enable_mmu:
    tlbi    alle3
    mov     x0, #{mair}
    msr     mair_el3, x0
    ldr     x0, ={tcr}
    msr     tcr_el3, x0
    adr     x0, {tables}
    msr     ttbr0_el3, x0
    ic      iallu
    dsb     sy
    isb
    ldr     x0, ={sctlr_on}
    msr     sctlr_el3, x0
    isb
    ret
    dsb     nsh
    isb

// Sets TPIDR_EL3 to this core's crash record and SP to its stack. x0 = index. Clobbers x1-x3.
set_core:
    adr     x1, CORES
    mov     x2, #{core_size}
    madd    x1, x0, x2, x1
    add     x1, x1, #{crash_record}
    msr     tpidr_el3, x1
    ldr     x1, ={stacks}
    mov     x2, #{stack_stride}
    add     x3, x0, #1
    madd    x1, x3, x2, x1
    sub     sp, x1, #{parked_room}
    mov     x29, #0
    ret
    dsb     nsh
    isb

// Empty the stack, of which x1 is the top, and call a function with x0 and x2 to x4.
    .pushsection .text.on_stack, "ax"
    .macro  on_stack name, function
    .global \name
\name:
    mov     sp, x1
    mov     x29, #0
    mov     x30, #0
    b       \function
    .endm
    on_stack run_on_stack, run_core
    on_stack come_back_on_stack, come_back_core
    .popsection

// Turns this core's MMU and D-cache off and waits in the pen. x0 = index. Never returns.
    .global park_core
park_core:
    mov     x21, x0
    bl      el3_prepare
    dsb     sy
    b       wait_in_pen

// Sets SP to this core's stack at its physical address, for Rust code with the MMU off. x21 = index. Clobbers x0, x1.
bare_stack:
    adr     x0, {boot_stack}
    mov     x1, #{stack_page}
    madd    x0, x21, x1, x0
    add     x0, x0, x1
    sub     sp, x0, #{parked_room}
    mov     x29, #0
    ret
    dsb     nsh
    isb

    .if {loses_power}
    .section .text.power_down, "ax"
// Turns this core's MMU and D-cache off, cleans its caches and lets the platform cut its power. x0 = index,
// x1 = the power states, x2 = whether a power domain above the core goes down, too. Never returns.
    .global power_down_core
power_down_core:
    mov     x21, x0
    mov     x22, x1
    mov     x23, x2
    bl      el3_prepare
    dsb     sy
    // The stack is used once more, with the cache off: clean and invalidate its lines.
    bl      bare_stack
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4
    mov     x3, #4
    lsl     x2, x3, x2
    mov     x1, sp
    sub     x0, x1, #({stack_page} - {parked_room})
1:  dc      civac, x0
    add     x0, x0, x2
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    bl      before_cleaning
    // Clean and invalidate the core's own caches (up to CLIDR_EL1.LoUIS) or, if its cluster goes down, all caches (up
    // to CLIDR_EL1.LoC).
    mrs     x1, clidr_el1
    ubfx    x3, x1, #21, #3
    ubfx    x4, x1, #24, #3
    cmp     x23, #0
    csel    x3, x3, x4, eq
    mov     x10, #0                     // level, from 0
2:  cmp     x10, x3
    b.hs    5f
    add     x5, x10, x10, lsl #1        // CLIDR_EL1 has 3 bits per level: from 2 on, it holds data
    lsr     x5, x1, x5
    and     x5, x5, #7
    cmp     x5, #2
    b.lo    4f
    lsl     x6, x10, #1
    msr     csselr_el1, x6
    isb
    mrs     x7, id_aa64mmfr2_el1        // CCIDX: the format of CCSIDR_EL1
    ubfx    x7, x7, #20, #4
    mrs     x5, ccsidr_el1
    and     x8, x5, #7
    add     x8, x8, #4                  // log2 of the line's size
    ubfx    x9, x5, #3, #10
    ubfx    x11, x5, #13, #15
    cbz     x7, 6f
    ubfx    x9, x5, #3, #21
    ubfx    x11, x5, #32, #24
6:  mov     x13, #1
    clz     w12, w9                     // the shift of the way
    cbnz    w9, 7f
    mov     w12, #0
7:  lsl     x14, x9, x12                // each way
    orr     x14, x14, x6
    lsl     x15, x11, x8
    lsl     x16, x13, x8
8:  orr     x17, x14, x15               // each set
    dc      cisw, x17
    subs    x15, x15, x16
    b.hs    8b
    subs    x9, x9, #1
    b.hs    7b
    dsb     sy
4:  add     x10, x10, #1
    b       2b
5:  dsb     sy
    isb
    mov     x0, x21
    mov     x1, x22
    bl      power_down_now
    b       warm_entry
    .endif
