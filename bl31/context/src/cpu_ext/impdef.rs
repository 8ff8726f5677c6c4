//! Registers whose bits are implementation defined. Most CPUs have no bits in most of them.
//!
//! The bits that a CPU has are found by writing. A group in which no bit keeps what is written has no state, and is
//! not switched. No lower EL runs yet when that is tried.

use crate::sysreg::sysregs;
use crate::{Feature, Features, SysRegs};

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

/// The values with which both worlds find ACTLR_EL1 and ACTLR_EL2 on one core. Boot firmware, or the platform's `reset`,
/// has chosen them. What a world writes there later is its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstActlr(Option<(u64, u64)>);

impl FirstActlr {
    /// Nothing is known yet.
    pub const UNKNOWN: Self = Self(None);

    /// Sets the first values in `sys`. Call it first when the core comes on for the first time, before any world runs:
    /// then the CPU has them.
    pub fn put(&mut self, features: Features, sys: &mut SysRegs) {
        let el2 = features.has(Feature::EL2);
        let read = || (ACTLR_EL1::read(), if el2 { ACTLR_EL2::read() } else { 0 });
        let (actlr_el1, actlr_el2) = *self.0.get_or_insert_with(read);
        sys.el1.IMPDEF_EL1.actlr_el1 = actlr_el1;
        sys.el2.IMPDEF_EL2.actlr_el2 = actlr_el2;
    }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was there when the core came on first is what later starts get, whatever the CPU has then (here: zero).
    #[test]
    fn first_values_are_those_of_the_first_start() {
        let mut known = FirstActlr(Some((5, 6)));
        let mut sys = SysRegs::EMPTY;
        known.put(Features::NONE, &mut sys);
        let found = |sys: &SysRegs| (sys.el1.IMPDEF_EL1.actlr_el1, sys.el2.IMPDEF_EL2.actlr_el2);
        assert_eq!(found(&sys), (5, 6));
        let mut unknown = FirstActlr::UNKNOWN;
        unknown.put(Features::NONE, &mut sys);
        assert_eq!(found(&sys), (0, 0));
    }
}
