//! Registers whose bits are implementation defined. Most CPUs have no bits in most of them.
//!
//! The bits that a CPU has are found by writing. A group in which no bit keeps what is written has no state, and is
//! not switched. No lower EL runs yet when that is tried.

use crate::context::sysreg::sysregs;

sysregs! {
    ACTLR_EL1 = "ACTLR_EL1": read write;
    AFSR0_EL1 = "AFSR0_EL1": read write;
    AFSR1_EL1 = "AFSR1_EL1": read write;
    AMAIR_EL1 = "AMAIR_EL1": read write;
    ACTLR_EL2 = "ACTLR_EL2": read write;
    HACR_EL2 = "HACR_EL2": read write;
    AFSR0_EL2 = "AFSR0_EL2": read write;
    AFSR1_EL2 = "AFSR1_EL2": read write;
    AMAIR_EL2 = "AMAIR_EL2": read write;
}

/// Finds the bits that can be changed in any of these registers. Their values are restored afterwards.
macro_rules! writable {
    ($($REGISTER:ident)+) => {
        0 $(| {
            let before = $REGISTER::read();
            $REGISTER::write(!0);
            let ones = $REGISTER::read();
            $REGISTER::write(0);
            let zeros = $REGISTER::read();
            $REGISTER::write(before);
            ones & !zeros
        })+
    };
}

/// Returns the bits that can be changed in any of [`ImpDefEl1`].
pub fn bits_el1() -> u64 {
    writable!(ACTLR_EL1 AFSR0_EL1 AFSR1_EL1 AMAIR_EL1)
}

/// Returns the bits that can be changed in any of [`ImpDefEl2`]. The CPU must have EL2.
pub fn bits_el2() -> u64 {
    writable!(ACTLR_EL2 HACR_EL2 AFSR0_EL2 AFSR1_EL2 AMAIR_EL2)
}

extension! {
    /// Present if [`bits_el1`] found a bit.
    pub IMPDEF_EL1 = "";
    present: |id| id.impdef_el1 != 0;
    opens: [];
    found: rarely;
    el1: ImpDefEl1 {
        actlr_el1 = "ACTLR_EL1",
        afsr0_el1 = "AFSR0_EL1",
        afsr1_el1 = "AFSR1_EL1",
        amair_el1 = "AMAIR_EL1",
    }
    first: |sys| sys.el1.IMPDEF_EL1.actlr_el1 = ACTLR_EL1::read();
}

extension! {
    /// Present if [`bits_el2`] found a bit.
    pub IMPDEF_EL2 = "";
    present: |id| id.impdef_el2 != 0;
    opens: [];
    found: rarely;
    el2: ImpDefEl2 {
        actlr_el2 = "ACTLR_EL2",
        hacr_el2 = "HACR_EL2",
        afsr0_el2 = "AFSR0_EL2",
        afsr1_el2 = "AFSR1_EL2",
        amair_el2 = "AMAIR_EL2",
    }
    first: |sys| sys.el2.IMPDEF_EL2.actlr_el2 = ACTLR_EL2::read();
}
