//! FEAT_S1PIE, FEAT_S2PIE, FEAT_S1POE, FEAT_S2POE: permission indirections and overlays of
//! translation stages 1 and 2.

use super::Extension;
use crate::context::{El3Regs, Feature, World, el3::scr, field, registers::registers};

registers! {
    /// EL1's stage 1 indirection.
    pub struct S1PieEl1 in El1Bank.s1pie {
        pir_el1 = "S3_0_C10_C2_3",
        pire0_el1 = "S3_0_C10_C2_2",
    }
}

registers! {
    /// EL2's stage 1 indirection.
    pub struct S1PieEl2 in El2Bank.s1pie {
        pir_el2 = "S3_4_C10_C2_3",
        pire0_el2 = "S3_4_C10_C2_2",
    }
}

registers! {
    /// EL1's and EL0's stage 1 overlay.
    pub struct S1PoeEl1 in El1Bank.s1poe {
        por_el1 = "S3_0_C10_C2_4",
        por_el0 = "S3_3_C10_C2_4",
    }
}

registers! {
    /// EL2's stage 1 overlay.
    pub struct S1PoeEl2 in El2Bank.s1poe { por_el2 = "S3_4_C10_C2_4" }
}

registers! {
    /// The stage 2 indirection.
    pub struct S2Pie in El2Bank.s2pie { s2pir_el2 = "S3_4_C10_C2_5" }
}

registers! {
    /// The stage 2 overlay, a register of EL1.
    pub struct S2PoeEl1 in El1Bank.s2poe { s2por_el1 = "S3_0_C10_C2_5" }
}

/// One bit enables all four.
fn open(_: World, el3: &mut El3Regs) {
    el3.scr_el3 |= scr::PI_EN;
}

/// ID_AA64MMFR3_EL1.S1PIE. Both worlds get all four.
pub const S1PIE: Extension =
    Extension::new(Feature::S1PIE, "S1PIE", |id| field(id.mmfr3, 8) != 0).opens(open);
/// ID_AA64MMFR3_EL1.S2PIE.
pub const S2PIE: Extension =
    Extension::new(Feature::S2PIE, "S2PIE", |id| field(id.mmfr3, 12) != 0).opens(open);
/// ID_AA64MMFR3_EL1.S1POE.
pub const S1POE: Extension =
    Extension::new(Feature::S1POE, "S1POE", |id| field(id.mmfr3, 16) != 0).opens(open);
/// ID_AA64MMFR3_EL1.S2POE.
pub const S2POE: Extension =
    Extension::new(Feature::S2POE, "S2POE", |id| field(id.mmfr3, 20) != 0).opens(open);
