//! What this CPU has: the ID registers, read once, and the features that the extensions find in them.

use super::sysreg::{
    ID_AA64DFR0_EL1, ID_AA64DFR1_EL1, ID_AA64DFR2_EL1, ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1,
    ID_AA64ISAR2_EL1, ID_AA64ISAR3_EL1, ID_AA64MMFR0_EL1, ID_AA64MMFR1_EL1, ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1, ID_AA64MMFR4_EL1, ID_AA64PFR0_EL1, ID_AA64PFR1_EL1, ID_AA64PFR2_EL1,
    ID_AA64SMFR0_EL1, MIDR_EL1,
};
use super::{CommonBank, El1Bank, El2Bank, Feature, Features, IdRegs};
use crate::cpu_ext::{self, Extension, gic, impdef, ras};

impl IdRegs {
    /// Reads this core's ID registers.
    pub fn read() -> Self {
        let mut id = Self {
            pfr0: ID_AA64PFR0_EL1::read(),
            pfr1: ID_AA64PFR1_EL1::read(),
            pfr2: ID_AA64PFR2_EL1::read(),
            dfr0: ID_AA64DFR0_EL1::read(),
            dfr1: ID_AA64DFR1_EL1::read(),
            dfr2: ID_AA64DFR2_EL1::read(),
            isar0: ID_AA64ISAR0_EL1::read(),
            isar1: ID_AA64ISAR1_EL1::read(),
            isar2: ID_AA64ISAR2_EL1::read(),
            isar3: ID_AA64ISAR3_EL1::read(),
            mmfr0: ID_AA64MMFR0_EL1::read(),
            mmfr1: ID_AA64MMFR1_EL1::read(),
            mmfr2: ID_AA64MMFR2_EL1::read(),
            mmfr3: ID_AA64MMFR3_EL1::read(),
            mmfr4: ID_AA64MMFR4_EL1::read(),
            smfr0: ID_AA64SMFR0_EL1::read(),
            midr: MIDR_EL1::read(),
            impdef_el1: impdef::bits_el1(),
            impdef_el2: 0,
            erridr: 0,
            ich_vtr: 0,
        };
        if id.el2() {
            id.impdef_el2 = impdef::bits_el2();
        }
        if ras::RAS::present(&id) {
            id.erridr = ras::ERRIDR_EL1::read();
        }
        if gic::GIC::present(&id) && id.el2() {
            id.ich_vtr = gic::read_ich_vtr();
        }
        id
    }
}

impl Features {
    /// What the ID registers say.
    pub fn from_id(id: &IdRegs) -> Self {
        let mut features = cpu_ext::present(id);
        for (any, rare) in [
            (Feature::RARE_EL2, El2Bank::RARE),
            (Feature::RARE_EL1, El1Bank::RARE),
            (Feature::RARE_COMMON, CommonBank::RARE),
        ] {
            if features.meets(rare) {
                features.insert(any);
            }
        }
        features
    }
}
