//! What an A64 instruction costs besides its own cycle, read off its encoding.
//!
//! Only the classes that the bench reports are told apart (Arm ARM, C4.1 "A64 instruction set
//! encoding"); everything else is [`Class::Plain`].

/// The kinds of instruction that the bench counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing the bench singles out.
    Plain,
    /// MRS, MSR (register or immediate).
    SystemRegister,
    /// ISB, DSB, DMB, SB, ESB.
    Barrier,
    /// Load and store exclusive, compare and swap, LSE read-modify-write.
    Exclusive,
    /// IC, DC, AT.
    Cache,
    /// TLBI.
    Tlb,
    /// WFE.
    Wait,
    /// WFI.
    Sleep,
    /// A mark of the bench payload: see [`Mark`].
    Mark(Mark),
}

/// `movz xzr, #row {, lsl #n}`: an instruction without effect that no compiler emits, with which
/// the payload tells where a row of the table begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// `movz xzr, #row`
    Begin(u16),
    /// `movz xzr, #row, lsl #16`
    End(u16),
    /// `movz xzr, #row, lsl #32`: begins a row from which the core does not return.
    Last(u16),
}

/// The class of the instruction with encoding `word`.
pub fn classify(word: u32) -> Class {
    if word & 0xff80_001f == 0xd280_001f {
        let row = (word >> 5) as u16;
        return match (word >> 21) & 3 {
            0 => Class::Mark(Mark::Begin(row)),
            1 => Class::Mark(Mark::End(row)),
            2 => Class::Mark(Mark::Last(row)),
            _ => Class::Plain,
        };
    }
    if word & 0xff00_0000 == 0xd500_0000 {
        return system(word);
    }
    // Load/store exclusive, compare and swap; not LDAR and STLR (o2 = 1, o1 = 0).
    if word & 0x3f00_0000 == 0x0800_0000 && word & 0x00a0_0000 != 0x0080_0000 {
        return Class::Exclusive;
    }
    // LSE atomic memory operations; not LDAPR, which shares their space.
    if word & 0x3b20_0c00 == 0x3820_0000 && word & 0x3fff_fc00 != 0x38bf_c000 {
        return Class::Exclusive;
    }
    Class::Plain
}

/// The system instruction space, 0b1101_0101.
fn system(word: u32) -> Class {
    let (op0, crn, crm, op2) = (
        (word >> 19) & 3,
        (word >> 12) & 15,
        (word >> 8) & 15,
        (word >> 5) & 7,
    );
    match (op0, crn) {
        (2 | 3, _) => Class::SystemRegister,
        (1, 7) => Class::Cache,
        (1, 8 | 9) => Class::Tlb,
        // Hints: WFE, WFI and ESB; CRn 3: the barriers, and CLREX (op2 = 2) among them.
        (0, 2) if (crm, op2) == (0, 2) => Class::Wait,
        (0, 2) if (crm, op2) == (0, 3) => Class::Sleep,
        (0, 2) if (crm, op2) == (2, 0) => Class::Barrier,
        (0, 3) if op2 == 2 => Class::Exclusive,
        (0, 3) => Class::Barrier,
        (0, 4) => Class::SystemRegister,
        _ => Class::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings as GNU as writes them.
    #[test]
    fn classes() {
        for (word, class) in [
            (0xd53e_1100, Class::SystemRegister), // mrs x0, scr_el3
            (0xd51e_1100, Class::SystemRegister), // msr scr_el3, x0
            (0xd503_4fdf, Class::SystemRegister), // msr daifset, #15
            (0xd500_41bf, Class::SystemRegister), // msr spsel, #1
            (0xd503_3fdf, Class::Barrier),        // isb
            (0xd503_3f9f, Class::Barrier),        // dsb sy
            (0xd503_3bbf, Class::Barrier),        // dmb ish
            (0xd503_30ff, Class::Barrier),        // sb
            (0xd503_221f, Class::Barrier),        // esb
            (0xd503_3f5f, Class::Exclusive),      // clrex
            (0xc85f_fc01, Class::Exclusive),      // ldaxr x1, [x0]
            (0xc802_7c01, Class::Exclusive),      // stxr w2, x1, [x0]
            (0x88a0_7c41, Class::Exclusive),      // cas w0, w1, [x2]
            (0xb820_0041, Class::Exclusive),      // ldadd w0, w1, [x2]
            (0xb8e0_8041, Class::Exclusive),      // swpal w0, w1, [x2]
            (0xc8df_fc01, Class::Plain),          // ldar x1, [x0]
            (0xc89f_fc01, Class::Plain),          // stlr x1, [x0]
            (0xb8bf_c041, Class::Plain),          // ldapr w1, [x2]
            (0xd50b_7a20, Class::Cache),          // dc cvac, x0
            (0xd508_751f, Class::Cache),          // ic iallu
            (0xd50e_871f, Class::Tlb),            // tlbi alle3
            (0xd503_205f, Class::Wait),           // wfe
            (0xd503_207f, Class::Sleep),          // wfi
            (0xd503_201f, Class::Plain),          // nop
            (0xd69f_03e0, Class::Plain),          // eret
            (0xa900_0be1, Class::Plain),          // stp x1, x2, [sp]
            (0xf940_0041, Class::Plain),          // ldr x1, [x2]
        ] {
            assert_eq!(classify(word), class, "{word:#010x}");
        }
    }

    #[test]
    fn marks() {
        assert_eq!(classify(0xd280_00bf), Class::Mark(Mark::Begin(5))); // movz xzr, #5
        assert_eq!(classify(0xd2a0_00bf), Class::Mark(Mark::End(5))); // movz xzr, #5, lsl #16
        assert_eq!(classify(0xd2c0_00bf), Class::Mark(Mark::Last(5))); // movz xzr, #5, lsl #32
        assert_eq!(classify(0xd280_00a0), Class::Plain); // movz x0, #5
    }
}
