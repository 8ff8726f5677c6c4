//! FEAT_NV2: nested virtualisation. VNCR_EL2 says where in memory a nested hypervisor's registers are.

use crate::field;

extension! {
    /// ID_AA64MMFR2_EL1.NV from 2. EL3 has no control over it.
    pub NV2 = "NV2";
    present: |id| field(id.mmfr2, 24) >= 2;
    opens: [];
    el2: Nv2 { vncr_el2 = "S3_4_C2_C2_0" }
}
