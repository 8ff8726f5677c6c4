//! What an A64 instruction costs besides its own cycle, read off its encoding.
//!
//! Only the classes that the bench reports are told apart (Arm ARM, C4.1 "A64 instruction set
//! encoding"); everything else is [`Class::Plain`].

/// The kinds of instruction that the bench counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing the bench singles out.
    Plain,
    /// MRS, MSR (register or immediate), but for [`Class::InOrderWrite`].
    SystemRegister,
    /// MSR to a register of [`IN_ORDER`], or to a field of PSTATE.
    InOrderWrite,
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

/// The special-purpose registers that EL3 may write, by op1, CRm and op2; op0 is 3 and CRn 4 (Arm ARM, table C5-8).
///
/// Why they are counted: their writes are in program order with everything around them, without a barrier (C5.1.5.1).
/// So most cores do not rename them: by the optimisation guides of Cortex-A72, Cortex-A76 and Neoverse N1 ("Special
/// register access") such a write is not executed ahead of a branch, and in order with others, and a few of them flush
/// the pipeline. Writes of other system registers take effect at the next ERET or ISB, and wait for nobody.
/// MSR (immediate) writes fields of PSTATE, for which the same holds.
pub const IN_ORDER: &[(&str, [u32; 3])] = &[
    ("SPSR_EL1", [0, 0, 0]),
    ("ELR_EL1", [0, 0, 1]),
    ("SP_EL0", [0, 1, 0]),
    ("SPSel", [0, 2, 0]),
    ("PAN", [0, 2, 3]),
    ("UAO", [0, 2, 4]),
    ("ALLINT", [0, 3, 0]),
    ("PM", [0, 3, 1]),
    ("ICC_PMR_EL1", [0, 6, 0]),
    ("NZCV", [3, 2, 0]),
    ("DAIF", [3, 2, 1]),
    ("SVCR", [3, 2, 2]),
    ("DIT", [3, 2, 5]),
    ("SSBS", [3, 2, 6]),
    ("TCO", [3, 2, 7]),
    ("FPCR", [3, 4, 0]),
    ("FPSR", [3, 4, 1]),
    ("FPMR", [3, 4, 2]),
    ("SPSR_EL2", [4, 0, 0]),
    ("ELR_EL2", [4, 0, 1]),
    ("SP_EL1", [4, 1, 0]),
    ("SPSR_irq", [4, 3, 0]),
    ("SPSR_abt", [4, 3, 1]),
    ("SPSR_und", [4, 3, 2]),
    ("SPSR_fiq", [4, 3, 3]),
    ("SPSR_EL12", [5, 0, 0]),
    ("ELR_EL12", [5, 0, 1]),
    ("SPSR_EL3", [6, 0, 0]),
    ("ELR_EL3", [6, 0, 1]),
    ("SP_EL2", [6, 1, 0]),
];

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
    let (op0, op1, crn, crm, op2) = (
        (word >> 19) & 3,
        (word >> 16) & 7,
        (word >> 12) & 15,
        (word >> 8) & 15,
        (word >> 5) & 7,
    );
    let write = word & (1 << 21) == 0;
    let in_order = || IN_ORDER.iter().any(|(_, at)| *at == [op1, crm, op2]);
    match (op0, crn) {
        (3, 4) if write && in_order() => Class::InOrderWrite,
        (2 | 3, _) => Class::SystemRegister,
        (1, 7) => Class::Cache,
        (1, 8 | 9) => Class::Tlb,
        // Hints: WFE, WFI and ESB; CRn 3: the barriers, and CLREX (op2 = 2) among them.
        (0, 2) if (crm, op2) == (0, 2) => Class::Wait,
        (0, 2) if (crm, op2) == (0, 3) => Class::Sleep,
        (0, 2) if (crm, op2) == (2, 0) => Class::Barrier,
        (0, 3) if op2 == 2 => Class::Exclusive,
        (0, 3) => Class::Barrier,
        (0, 4) => Class::InOrderWrite,
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
            (0xd503_4fdf, Class::InOrderWrite),   // msr daifset, #15
            (0xd500_41bf, Class::InOrderWrite),   // msr spsel, #1
            (0xd51e_4020, Class::InOrderWrite),   // msr elr_el3, x0
            (0xd53e_4020, Class::SystemRegister), // mrs x0, elr_el3
            (0xd518_4600, Class::InOrderWrite),   // msr icc_pmr_el1, x0
            (0xd518_1000, Class::SystemRegister), // msr sctlr_el1, x0
            (0xd510_4000, Class::SystemRegister), // op0 2: a debug register
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
