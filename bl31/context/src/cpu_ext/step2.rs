//! FEAT_STEP2: enhanced software step. MDSTEPOP_EL1 holds the instruction to step.

use crate::{
    el3::{Control, Register::Mdcr},
    field,
};

/// MDCR_EL3.EnSTEPOP.
const ENSTEPOP: Control = Control::enable(Mdcr, 1 << 50);

extension! {
    /// ID_AA64DFR2_EL1.STEP.
    pub STEP2 = "STEP2";
    present: |id| field(id.dfr2, 0) != 0;
    opens: [ENSTEPOP];
    found: rarely;
    el1: Step2 { mdstepop_el1 = "S2_0_C0_C5_2" }
}
