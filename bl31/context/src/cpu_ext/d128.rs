//! FEAT_D128: 128-bit translation tables. Only the normal world gets the 128-bit registers.
//!
//! The switch writes the lower halves of TTBRn, VTTBR and PAR; a 64-bit MSR leaves the upper half as
//! it is. The secure world cannot write the upper halves (MSRR is trapped), so the normal world's
//! stay whole without being switched.

use crate::{
    el3::{Control, Register::Scr},
    field,
};

/// SCR_EL3.D128En.
const D128EN: Control = Control::enable(Scr, 1 << 47).normal_only();

extension! {
    /// ID_AA64MMFR3_EL1.D128.
    pub D128 = "D128";
    present: |id| field(id.mmfr3, 32) != 0;
    opens: [D128EN];
    // HCRX_EL2.D128En.
    unused_el2: |sys| sys.el2.HCX.hcrx_el2 |= 1 << 17;
}
