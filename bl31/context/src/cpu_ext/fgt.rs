//! FEAT_FGT and FEAT_FGT2: fine-grained traps from EL1 to EL2.

use crate::{
    el3::{
        Control,
        Register::{Mdcr, Scr},
    },
    field,
};

/// SCR_EL3.FGTEn.
const FGTEN: Control = Control::enable(Scr, 1 << 27).secure_on_first_use();
/// SCR_EL3.FGTEn2.
const FGTEN2: Control = Control::enable(Scr, 1 << 59);
/// MDCR_EL3.TDCC: traps of the debug communication channel, which come with this extension.
const TDCC: Control = Control::trap(Mdcr, 1 << 27);

/// In HFGRTR_EL2 and HFGWTR_EL2, the bits that trap when clear: nTPIDR2_EL0, nSMPRI_EL1 and
/// nACCDATA_EL1.
const HFGXTR_N: u64 = 3 << 54 | 1 << 50;
/// All bits of these registers that trap when clear: nGCS_EL0 to nAMAIR2_EL1, too.
const HFGXTR_N_ALL: u64 = 0xfff << 52 | 1 << 50;
/// In HFGITR_EL2: nGCSPUSHM_EL1, nGCSSTR_EL1 and nGCSEPP.
const HFGITR_N_GCS: u64 = 7 << 57;
/// In HDFGRTR_EL2 and HDFGWTR_EL2: nPMSNEVFR_EL1.
const HDFGXTR_N_SPE: u64 = 1 << 62;
/// In HFGITR_EL2: nBRBINJ and nBRBIALL.
const HFGITR_N_BRBE: u64 = 3 << 55;
/// In HDFGRTR_EL2 and HDFGWTR_EL2: nBRBIDR (read only), nBRBCTL and nBRBDATA.
const HDFGXTR_N_BRBE: u64 = 7 << 59;

extension! {
    /// ID_AA64MMFR0_EL1.FGT. Both worlds get it. (HAFGRTR_EL2 needs FEAT_AMUv1 too: see
    /// [`super::amu`].)
    ///
    /// A hypervisor that is older than the extension never writes these registers. Its guests must still be able to
    /// use what they could use before, so that these bits start set. For later extensions that is not needed: a
    /// hypervisor that lets its guests use them knows these registers.
    pub FGT = "FGT";
    present: |id| field(id.mmfr0, 56) != 0;
    opens: [FGTEN, TDCC];
    el2: Fgt {
        hfgrtr_el2 = "S3_4_C1_C1_4",
        hfgwtr_el2 = "S3_4_C1_C1_5",
        hfgitr_el2 = "S3_4_C1_C1_6",
        hdfgrtr_el2 = "S3_4_C3_C1_4",
        hdfgwtr_el2 = "S3_4_C3_C1_5",
    }
    first: |sys| sys.el2.FGT = Fgt {
        hfgrtr_el2: HFGXTR_N,
        hfgwtr_el2: HFGXTR_N,
        hfgitr_el2: HFGITR_N_BRBE,
        hdfgrtr_el2: HDFGXTR_N_BRBE,
        hdfgwtr_el2: HDFGXTR_N_BRBE,
    };
    unused_el2: |sys| {
        sys.el2.FGT.hfgrtr_el2 |= HFGXTR_N_ALL;
        sys.el2.FGT.hfgwtr_el2 |= HFGXTR_N_ALL;
        sys.el2.FGT.hfgitr_el2 |= HFGITR_N_GCS;
        sys.el2.FGT.hdfgrtr_el2 |= HDFGXTR_N_SPE;
        sys.el2.FGT.hdfgwtr_el2 |= HDFGXTR_N_SPE;
    };
}

extension! {
    /// ID_AA64MMFR0_EL1.FGT from 2. Both worlds get it.
    pub FGT2 = "FGT2";
    present: |id| field(id.mmfr0, 56) >= 2;
    opens: [FGTEN2];
    found: rarely;
    el2: Fgt2 {
        hfgrtr2_el2 = "S3_4_C3_C1_2",
        hfgwtr2_el2 = "S3_4_C3_C1_3",
        hfgitr2_el2 = "S3_4_C3_C1_7",
        hdfgrtr2_el2 = "S3_4_C3_C1_0",
        hdfgwtr2_el2 = "S3_4_C3_C1_1",
    }
}
