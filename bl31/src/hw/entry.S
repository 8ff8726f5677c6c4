// Entry of the boot core from BL2 (cold_entry) and of every other core, or of any core after it was
// off, from the platform's hold pen (warm_entry). Both arrive at EL3 with nothing that can be relied
// on but, at a cold boot, what BL2 has in x0, x1 and x3. What needs no MMU is done here.
//
// The image runs where it is loaded. Code finds everything relative to itself; the addresses in constants
// and in .data are those of the usual place, and are moved here if it is another one.

    .section .text.cold_entry, "ax"
    .global cold_entry
cold_entry:
    msr     daifset, #0xf
    mov     x20, x0
    mov     x22, x1
    mov     x23, x3
    bl      el3_prepare

    // Where it was put: whole pages, in the memory that the platform has for it.
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
    sub     x24, x0, x2                 // how far it is from its usual place

    // The caches may hold lines of this memory from before: drop them, or they would hide what is
    // written below with the caches off. BL2 has cleaned the image that it loaded. Of that the constants
    // are written, in another place than the usual one. Eight lines a turn, from a multiple of that.
    adr     x0, load_end
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

    // The initial values of .data lie behind the constants.
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

    // The first core's stack, at its physical address, until its mapping stands.
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
    bl      cold_core_index             // x0 = index; falls on the boot stack, still mapped
    mov     x21, x0
    bl      set_core
    mov     x0, x20
    mov     x1, x22
    mov     x2, x23
    mov     x3, x21
    b       cold_main

// Adds x24 to each address in constants and .data. They are listed in the format of ELF's SHT_RELR: an even
// entry is the address of one, an odd one has a bit for each of the 63 words after the last.
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

// x0, x1 = where the image is: it cannot run here. No memory but its own may be touched: the stack is over
// the vectors and what lies before them, which nobody needs any more.
misplaced:
    adr     x2, vectors_end
    and     sp, x2, #~0xf
    mov     x29, #0
    mov     x30, #0
    b       say_misplaced

    .section .text.warm_entry, "ax"
// Cores that boot firmware lets out come here. Nobody wants them yet: warm_main sends them to EL3's own
// pen.
    .global warm_entry
warm_entry:
    msr     daifset, #0xf
    bl      el3_prepare
    // A core finds its number by its affinity; cores get their numbers at the cold boot.
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
2:  bl      sleep_until_interrupt       // a core beyond those that the image has room for
    b       2b
3:
    bl      bare_stack
    bl      reset_core
    b       enter_rust

// x21 = index; MMU and D-cache off. Sleeps until PSCI CPU_ON opens this core's slot; pen.rs says what
// ends the WFI.
wait_in_pen:
    adr     x20, PEN
    add     x20, x20, x21, lsl #{pen_shift}
    b       2f
1:  bl      sleep_until_interrupt
    // Whatever Group 0 interrupt ended the WFI, one that nobody meant too, has done what it could. While it
    // waits or is active, the core would not sleep, or not hear the next one.
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

    .text
// A known EL3: MMU and D-cache off, vectors and a crash record set, nothing trapped into a lower EL's hands.
el3_prepare:
    ldr     x0, ={sctlr_off}
    msr     sctlr_el3, x0
    adr     x0, vectors
    msr     vbar_el3, x0
    // Until the core has a record of its own: what is here is boot firmware's.
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

// x0 = index of this core: sets TPIDR_EL3 to its crash record and SP to its stack. Clobbers x1-x3.
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
    mov     sp, x1
    mov     x29, #0
    ret
    dsb     nsh
    isb

// Turns this core's MMU and D-cache off and waits in the pen. x0 = index. Never returns.
    .global park_core
park_core:
    mov     x21, x0
    bl      el3_prepare
    dsb     sy
    b       wait_in_pen

// x21 = index of this core: its stack at its physical address, for Rust without MMU. Clobbers x0 and x1.
bare_stack:
    adr     x0, {boot_stack}
    mov     x1, #{stack_size}
    madd    x0, x21, x1, x0
    add     x0, x0, x1
    mov     sp, x0
    mov     x29, #0
    ret
    dsb     nsh
    isb

    .if {loses_power}
// Turns this core's MMU and D-cache off, cleans its caches and has the platform take its power. x0 = index,
// x1 = the states that it goes into, x2 = whether a domain above it goes down too. Never returns.
    .global power_down_core
power_down_core:
    mov     x21, x0
    mov     x22, x1
    mov     x23, x2
    bl      el3_prepare
    dsb     sy
    // The stack is used once more, past the caches: no line of it may stay there.
    bl      bare_stack
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4
    mov     x3, #4
    lsl     x2, x3, x2
    mov     x1, sp
    sub     x0, x1, #{stack_size}
1:  dc      civac, x0
    add     x0, x0, x2
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    bl      before_cleaning
    // To the point of unification of the inner shareable domain what is the core's own; with its cluster
    // all up to memory (CLIDR_EL1.LoUIS, LoC).
    mrs     x1, clidr_el1
    ubfx    x3, x1, #21, #3
    ubfx    x4, x1, #24, #3
    cmp     x23, #0
    csel    x3, x3, x4, eq
    mov     x10, #0                     // level, from 0
2:  cmp     x10, x3
    b.hs    5f
    add     x5, x10, x10, lsl #1        // 3 bits of CLIDR_EL1 a level: 2 and up have data
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
    clz     w12, w9                     // where the way stands
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
