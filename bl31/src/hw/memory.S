// memset and memcpy, which the compiler calls. They are in assembly because the compiler would turn a loop in Rust into
// a call of the function itself. Those of Rust's compiler_builtins move 8 bytes at a time, which is slow: a core that
// comes on clears and copies some kilobytes. Every access is aligned, because EL3 has alignment checks on.

    .section .text.memory, "ax"
// x0 = destination, w1 = byte, x2 = number of bytes. Returns x0.
    .global memset
    .type   memset, %function
memset:
    mov     x3, x0
    and     x1, x1, #0xff
    mov     x4, #0x0101010101010101
    mul     x1, x1, x4
1:  tst     x3, #7
    b.eq    2f
    cbz     x2, 9f
    strb    w1, [x3], #1
    sub     x2, x2, #1
    b       1b
2:  subs    x2, x2, #128
    b.lo    4f
3:  stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    stp     x1, x1, [x3, #64]
    stp     x1, x1, [x3, #80]
    stp     x1, x1, [x3, #96]
    stp     x1, x1, [x3, #112]
    stp     x1, x1, [x3], #128
    subs    x2, x2, #128
    b.hs    3b
    // Bits 6 to 0 of x2 still say what is left.
4:  tbz     x2, #6, 5f
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    stp     x1, x1, [x3], #64
5:  tbz     x2, #5, 6f
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3], #32
6:  tbz     x2, #4, 7f
    stp     x1, x1, [x3], #16
7:  tbz     x2, #3, 8f
    str     x1, [x3], #8
8:  ands    x2, x2, #7
    b.eq    9f
10: strb    w1, [x3], #1
    subs    x2, x2, #1
    b.ne    10b
9:  ret
    dsb     nsh
    isb
    .size   memset, . - memset

// x0 = destination, x1 = source, x2 = number of bytes. Returns x0.
    .global memcpy
    .type   memcpy, %function
memcpy:
    mov     x3, x0
    eor     x4, x0, x1
    tst     x4, #7
    b.ne    5f
1:  tst     x3, #7
    b.eq    2f
    cbz     x2, 9f
    ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    sub     x2, x2, #1
    b       1b
2:  subs    x2, x2, #16
    b.lo    4f
3:  ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
    subs    x2, x2, #16
    b.hs    3b
4:  tbz     x2, #3, 8f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
8:  and     x2, x2, #7
5:  cbz     x2, 9f
6:  ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    subs    x2, x2, #1
    b.ne    6b
9:  ret
    dsb     nsh
    isb
    .size   memcpy, . - memcpy
