//! An extension that no CPU has, only in the tests' list of extensions. It uses everything that an extension
//! can have. The tests of [`crate`] look for it in everything that is made from the list.

use crate::{
    el3::{Control, Register::Scr},
    field,
    sysreg::sysregs,
};

/// An unused bit of SCR_EL3.
pub const MUEN: Control = Control::enable(Scr, 1 << 62).secure_on_first_use();

sysregs! {
    MUCTL_EL0 = "S3_3_C15_C15_6": read write;
}

extension! {
    /// A field that no CPU sets.
    pub MADE_UP = "MADEUP";
    present: |id| field(id.mmfr4, 60) != 0;
    opens: [MUEN];
    trapped_as: 0x3f;
    common: MadeUp { mu_el0 = "S3_3_C15_C15_7" }
    el1: MadeUpEl1 { mu_el1 = "S3_0_C15_C15_7" }
    el2: MadeUpEl2 { mu_el2 = "S3_4_C15_C15_7" }
    first: |sys| sys.el2.MADE_UP.mu_el2 = 7;
    init: { MUCTL_EL0::write(1) }
}
