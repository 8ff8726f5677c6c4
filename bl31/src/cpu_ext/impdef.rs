//! Registers whose bits are implementation defined: most CPUs have none in most of them.
//!
//! Which bits a CPU has is found by writing: a group without a single bit that keeps what is written
//! has no state, and is not switched. No lower EL runs yet when that is tried.

use super::Extension;
use crate::context::{Feature, mrs, msr, registers::registers};

registers! {
    /// EL1's.
    pub struct ImpDefEl1 in El1Bank.impdef {
        actlr_el1 = "ACTLR_EL1",
        afsr0_el1 = "AFSR0_EL1",
        afsr1_el1 = "AFSR1_EL1",
        amair_el1 = "AMAIR_EL1",
    }
}

registers! {
    /// EL2's.
    pub struct ImpDefEl2 in El2Bank.impdef {
        actlr_el2 = "ACTLR_EL2",
        hacr_el2 = "HACR_EL2",
        afsr0_el2 = "AFSR0_EL2",
        afsr1_el2 = "AFSR1_EL2",
        amair_el2 = "AMAIR_EL2",
    }
}

/// Bits of a register that can be changed. The register is as before afterwards.
macro_rules! writable {
    ($register:literal) => {{
        let before = mrs!($register);
        msr!($register, !0);
        let ones = mrs!($register);
        msr!($register, 0);
        let zeros = mrs!($register);
        msr!($register, before);
        ones & !zeros
    }};
}

/// Bits that can be changed in any of [`ImpDefEl1`].
pub fn bits_el1() -> u64 {
    writable!("ACTLR_EL1")
        | writable!("AFSR0_EL1")
        | writable!("AFSR1_EL1")
        | writable!("AMAIR_EL1")
}

/// Bits that can be changed in any of [`ImpDefEl2`], on a CPU with EL2.
pub fn bits_el2() -> u64 {
    writable!("ACTLR_EL2")
        | writable!("HACR_EL2")
        | writable!("AFSR0_EL2")
        | writable!("AFSR1_EL2")
        | writable!("AMAIR_EL2")
}

/// See [`bits_el1`].
pub const EL1: Extension = Extension::new(Feature::IMPDEF_EL1, "", |id| id.impdef_el1 != 0)
    .first(|sys| sys.el1.impdef.actlr_el1 = mrs!("ACTLR_EL1"));
/// See [`bits_el2`].
pub const EL2: Extension = Extension::new(Feature::IMPDEF_EL2, "", |id| id.impdef_el2 != 0)
    .first(|sys| sys.el2.impdef.actlr_el2 = mrs!("ACTLR_EL2"));
