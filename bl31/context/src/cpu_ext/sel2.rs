//! EL2 and FEAT_SEL2.

use crate::el3;

extension! {
    /// ID_AA64PFR0_EL1.EL2.
    pub EL2 = "";
    present: |id| id.el2();
    opens: [];
}

extension! {
    /// ID_AA64PFR0_EL1.SEL2: the SPMC can run at S-EL2. SCR_EL3.EEL2 enables S-EL2 if it does.
    pub SEL2 = "SEL2";
    present: |id| el3::has_sel2(id);
    opens: [];
}
