//! FEAT_CSV2_2: SCXTNUM_ELx, the software context number that keeps branch predictions apart.
//! Both worlds have their own, or one could choose the other's predictions.

use super::Extension;
use crate::context::{Feature, el3::scr, field, registers::registers};

registers! {
    /// EL1's and EL0's.
    pub struct Csv2El1 in El1Bank.csv2 {
        scxtnum_el1 = "S3_0_C13_C0_7",
        scxtnum_el0 = "S3_3_C13_C0_7",
    }
}

registers! {
    /// EL2's.
    pub struct Csv2El2 in El2Bank.csv2 { scxtnum_el2 = "S3_4_C13_C0_7" }
}

/// ID_AA64PFR0_EL1.CSV2 from 2, or FEAT_CSV2_1p2 (ID_AA64PFR1_EL1.CSV2_frac = 2).
pub const CSV2_2: Extension = Extension::new(Feature::CSV2_2, "CSV2_2", |id| {
    field(id.pfr0, 56) >= 2 || field(id.pfr1, 32) >= 2
})
.opens(|_, el3| el3.scr_el3 |= scr::EN_SCXT);
