//! FEAT_CSV2_2: SCXTNUM_ELx, the software context number that keeps branch predictions apart.
//! Each world has its own: with a shared number, one world could choose the other's predictions.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.EnSCXT.
const ENSCXT: Control = Control::enable(Scr, 1 << 25).secure_on_first_use();

extension! {
    /// ID_AA64PFR0_EL1.CSV2 from 2, or FEAT_CSV2_1p2 (ID_AA64PFR1_EL1.CSV2_frac = 2).
    pub CSV2_2 = "CSV2_2";
    present: |id| field(id.pfr0, 56) >= 2 || field(id.pfr1, 32) >= 2;
    opens: [ENSCXT];
    el1: Csv2El1 {
        scxtnum_el1 = "S3_0_C13_C0_7",
        scxtnum_el0 = "S3_3_C13_C0_7",
    }
    el2: Csv2El2 { scxtnum_el2 = "S3_4_C13_C0_7" }
    // HCR_EL2.EnSCXT.
    first: |sys| sys.el2.el2.hcr_el2 |= 1 << 53;
}
