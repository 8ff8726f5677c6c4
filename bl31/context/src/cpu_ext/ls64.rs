//! FEAT_LS64 and FEAT_LS64_ACCDATA: accelerator loads and stores. ST64BV0 stores ACCDATA_EL1 as its lowest word.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.EnAS0: the instruction.
const ENAS0: Control = Control::enable(Scr, 1 << 36);
/// SCR_EL3.ADEn: the register.
const ADEN: Control = Control::enable(Scr, 1 << 37);

extension! {
    /// ID_AA64ISAR1_EL1.LS64 from 3. Both worlds get it.
    pub LS64_ACCDATA = "LS64_ACCDATA";
    present: |id| field(id.isar1, 60) >= 3;
    opens: [ENAS0, ADEN];
    found: rarely;
    el1: Accdata { accdata_el1 = "S3_0_C13_C0_5" }
    // HCRX_EL2.EnAS0.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 0;
}

extension! {
    /// ID_AA64ISAR1_EL1.LS64: LD64B and ST64B, and from 2 ST64BV. EL3 has no control over them.
    pub LS64 = "";
    present: |id| field(id.isar1, 60) != 0;
    opens: [];
    // HCRX_EL2.EnALS and EnASR.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 1 | 1 << 2;
}
