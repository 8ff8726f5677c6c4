//! The part of the A64 instruction encoding that the checks of the linked image need (Arm ARM, C4.1): whether an
//! instruction touches FP, SIMD, SVE or SME registers, and which address it refers to.

/// Returns whether the instruction reads or writes FP, SIMD, SVE or SME registers.
pub fn touches_simd(word: u32) -> bool {
    let group = word >> 25 & 0xf;
    match group {
        // SME if bit 31 is set, else reserved (UDF).
        0b0000 => word >> 31 == 1,
        // SVE.
        0b0010 => true,
        // Data processing, scalar floating point and Advanced SIMD.
        0b0111 | 0b1111 => true,
        // Loads and stores: bit 26 selects the SIMD and FP register file.
        0b0100 | 0b0110 | 0b1100 | 0b1110 => word >> 26 & 1 == 1,
        _ => false,
    }
}

/// The sign-extended field of `bits` bits from bit `at` of an instruction.
fn signed(word: u32, at: u32, bits: u32) -> i64 {
    i64::from((word << (32 - bits - at)) as i32 >> (32 - bits))
}

/// The address that the instruction `word` at `pc` branches to, for B, BL, B.cond, CBZ, CBNZ, TBZ and TBNZ.
pub fn branch(word: u32, pc: u64) -> Option<u64> {
    let offset = if word & 0x7c00_0000 == 0x1400_0000 {
        signed(word, 0, 26)
    } else if word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
        signed(word, 5, 19)
    } else if word & 0x7e00_0000 == 0x3600_0000 {
        signed(word, 5, 14)
    } else {
        return None;
    };
    Some(pc.wrapping_add_signed(4 * offset))
}

/// The address that the instruction `word` at `pc` computes, for ADR. The linker makes ADR of the usual pair of ADRP and
/// ADD.
pub fn address(word: u32, pc: u64) -> Option<u64> {
    let offset = signed(word, 5, 19) << 2 | i64::from(word >> 29 & 3);
    (word & 0x9f00_0000 == 0x1000_0000).then(|| pc.wrapping_add_signed(offset))
}

/// The page that the instruction `word` at `pc` computes, for ADRP.
pub fn page(word: u32, pc: u64) -> Option<u64> {
    let pages = signed(word, 5, 19) << 2 | i64::from(word >> 29 & 3);
    (word & 0x9f00_0000 == 0x9000_0000).then(|| (pc & !0xfff).wrapping_add_signed(pages << 12))
}

/// The address that the instruction `word` at `pc` branches to or computes, for BL, B and ADR.
pub fn target(word: u32, pc: u64) -> Option<u64> {
    if word & 0x7c00_0000 == 0x1400_0000 {
        branch(word, pc)
    } else {
        address(word, pc)
    }
}

#[cfg(test)]
mod tests {
    use super::{target, touches_simd};

    #[test]
    fn instructions_that_refer_to_code() {
        assert_eq!(target(0x9400_0002, 0x1000), Some(0x1008)); // bl +8
        assert_eq!(target(0x97ff_ffff, 0x1000), Some(0x0ffc)); // bl -4
        assert_eq!(target(0x1400_0010, 0x1000), Some(0x1040)); // b +64
        assert_eq!(target(0x1000_0080, 0x1000), Some(0x1010)); // adr x0, +16
        assert_eq!(target(0x70ff_ffe3, 0x1000), Some(0x0fff)); // adr x3, -1
        assert_eq!(target(0xd503_201f, 0x1000), None); // nop
    }

    #[test]
    fn simd_instructions() {
        // fmov d0, x0; ldr q0, [x0]; stp q0, q1, [sp]; movi v0.2d, #0; ld1 {v0.16b}, [x0];
        // ptrue p0.b; ldr z0, [x0]; smstart's register forms: zero {za}
        for word in [
            0x9e67_0000,
            0x3dc0_0000,
            0xad00_07e0,
            0x6f00_e400,
            0x4c40_7000,
            0x2518_e3e0,
            0x8580_4000,
            0xc008_00ff,
        ] {
            assert!(touches_simd(word), "{word:#x}");
        }
    }

    #[test]
    fn general_instructions() {
        // add x0, x1, x2; ldr x0, [x0]; stp x29, x30, [sp, #-16]!; b; mrs x0, mpidr_el1; udf #0;
        // madd x0, x1, x2, x3; csel; cas x0, x1, [x2]; ldadd x0, x1, [x2]; stgp
        for word in [
            0x8b02_0020,
            0xf940_0000,
            0xa9bf_7bfd,
            0x1400_0000,
            0xd538_00a0,
            0,
            0x9b02_0c20,
            0x9a82_0020,
            0xc8a0_7c41,
            0xf820_0041,
            0x6900_0000,
        ] {
            assert!(!touches_simd(word), "{word:#x}");
        }
    }
}
