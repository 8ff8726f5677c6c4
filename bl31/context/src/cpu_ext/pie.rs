//! FEAT_S1PIE, FEAT_S2PIE, FEAT_S1POE, FEAT_S2POE: permission indirections and overlays of
//! translation stages 1 and 2.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.PIEn enables all four.
const PIEN: Control = Control::enable(Scr, 1 << 45);

extension! {
    /// ID_AA64MMFR3_EL1.S1PIE. Both worlds get all four.
    pub S1PIE = "S1PIE";
    present: |id| field(id.mmfr3, 8) != 0;
    opens: [PIEN];
    found: rarely;
    el1: S1PieEl1 {
        pir_el1 = "S3_0_C10_C2_3",
        pire0_el1 = "S3_0_C10_C2_2",
    }
    el2: S1PieEl2 {
        pir_el2 = "S3_4_C10_C2_3",
        pire0_el2 = "S3_4_C10_C2_2",
    }
}

extension! {
    /// ID_AA64MMFR3_EL1.S1POE.
    pub S1POE = "S1POE";
    present: |id| field(id.mmfr3, 16) != 0;
    opens: [PIEN];
    found: rarely;
    el1: S1PoeEl1 {
        por_el1 = "S3_0_C10_C2_4",
        por_el0 = "S3_3_C10_C2_4",
    }
    el2: S1PoeEl2 { por_el2 = "S3_4_C10_C2_4" }
}

extension! {
    /// ID_AA64MMFR3_EL1.S2PIE.
    pub S2PIE = "S2PIE";
    present: |id| field(id.mmfr3, 12) != 0;
    opens: [PIEN];
    found: rarely;
    el2: S2Pie { s2pir_el2 = "S3_4_C10_C2_5" }
}

extension! {
    /// ID_AA64MMFR3_EL1.S2POE. Its register is one of EL1.
    pub S2POE = "S2POE";
    present: |id| field(id.mmfr3, 20) != 0;
    opens: [PIEN];
    found: rarely;
    el1: S2PoeEl1 { s2por_el1 = "S3_0_C10_C2_5" }
}
