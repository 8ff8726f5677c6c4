//! Detection of what this CPU has: reads the ID registers, finds the features in them, and decides which of them a
//! switch exchanges.

use super::features::SWITCHED;
use super::sysreg::{
    ID_AA64DFR0_EL1, ID_AA64DFR1_EL1, ID_AA64DFR2_EL1, ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1,
    ID_AA64ISAR2_EL1, ID_AA64ISAR3_EL1, ID_AA64MMFR0_EL1, ID_AA64MMFR1_EL1, ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1, ID_AA64MMFR4_EL1, ID_AA64PFR0_EL1, ID_AA64PFR1_EL1, ID_AA64PFR2_EL1,
    ID_AA64SMFR0_EL1, MIDR_EL1,
};
use super::{
    CommonBank, El1Bank, El2Bank, Feature, Features, IdRegs, Policy, SpmcMode, Switch, Switched,
};
use crate::cpu_ext::{self, Extension, gic, impdef, ras};

impl IdRegs {
    /// Reads this core's ID registers, and tries out which implementation defined bits exist.
    pub fn read() -> Self {
        let mut id = Self::told();
        id.try_out();
        id
    }

    /// Returns whether this core's ID registers equal `other`, those of another core. Implementation defined bits are
    /// not tried out: cores with equal registers have the same ones.
    pub fn are(other: &Self) -> bool {
        let mut id = Self::told();
        (id.impdef_el1, id.impdef_el2) = (other.impdef_el1, other.impdef_el2);
        id == *other
    }

    /// Reads the ID registers. The implementation defined bits are zero.
    #[inline(always)]
    fn told() -> Self {
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
            impdef_el1: 0,
            impdef_el2: 0,
            erridr: 0,
            ich_vtr: 0,
        };
        if ras::RAS::present(&id) {
            id.erridr = ras::ERRIDR_EL1::read();
        }
        if gic::GIC::present(&id) && id.el2() {
            id.ich_vtr = gic::read_ich_vtr();
        }
        id.forget_missing_el2();
        id
    }

    /// Clears the fields of extensions that only EL2 has, if the CPU has no EL2. A CPU model without EL2 may still
    /// report them (QEMU's do), but their registers are UNDEFINED.
    pub(super) fn forget_missing_el2(&mut self) {
        if self.el2() {
            return;
        }
        const FIELD: u64 = 0xf;
        self.mmfr0 &= !(FIELD << 56 | FIELD << 60); // FGT, ECV (CNTPOFF_EL2)
        self.mmfr1 &= !(FIELD << 8 | FIELD << 40); // VH, HCX
        self.mmfr2 &= !(FIELD << 24); // NV
        self.mmfr3 &= !(FIELD << 12); // S2PIE
    }

    /// Finds the implementation defined bits, by trying them out.
    #[inline(never)]
    fn try_out(&mut self) {
        self.impdef_el1 = impdef::bits_el1();
        self.impdef_el2 = if self.el2() { impdef::bits_el2() } else { 0 };
    }
}

impl Features {
    /// Returns the features that the ID registers report.
    #[inline(never)]
    pub fn from_id(id: &IdRegs) -> Self {
        cpu_ext::present(id)
    }
}

/// The usual groups of the common and the EL2 bank, for [`Switch::StraightEl2`].
const USUAL_EL2: u64 = CommonBank::GROUPS.usual.low() | El2Bank::GROUPS.usual.low();
/// The usual groups of the common and the EL1 bank, for [`Switch::StraightEl1`].
const USUAL_EL1: u64 = CommonBank::GROUPS.usual.low() | El1Bank::GROUPS.usual.low();
// `timers::save_el2` relies on it.
const _: () = assert!(USUAL_EL2 & 1 << Feature::VHE as u32 != 0);

/// The bit of FEAT_MPAM: the CPU has MPAM3_EL3.
const MPAM: u64 = 1 << Feature::MPAM as u32;

impl Switched {
    /// Returns all that a CPU with these features can exchange, whatever the SPMC's mode.
    pub(super) fn whole(features: Features) -> Self {
        let all = match features.has(Feature::EL2) {
            true => SpmcMode::All,
            false => SpmcMode::SEl1,
        };
        Self::of(Policy::new(features, all).features(), all, false)
    }

    /// Returns what a switch exchanges: the banks of `mode`, with the groups of `features`. `live` says that the core
    /// also has vector state to switch, or something to do at the door of the secure world.
    pub(super) fn of(features: Features, mode: SpmcMode, live: bool) -> Self {
        let features = features.low() & ((1 << SWITCHED) - 1);
        let bit = |fact, holds| u64::from(holds) << fact as u32;
        let all = |usual| features & usual == usual;
        let any = |groups: Features| features & groups.low() != 0;
        let (el2, el1) = (mode.el2(), mode.el1());
        let (late, rare) = (
            any(CommonBank::GROUPS.late)
                || el2 && any(El2Bank::GROUPS.late)
                || el1 && any(El1Bank::GROUPS.late),
            any(CommonBank::GROUPS.rare)
                || el2 && any(El2Bank::GROUPS.rare)
                || el1 && any(El1Bank::GROUPS.rare),
        );
        let switched = features
            | bit(Switch::More, late || rare)
            | bit(Switch::Rare, rare)
            | bit(Switch::El2, el2)
            | bit(Switch::El1, el1)
            | bit(Switch::StraightEl2, el2 && !el1 && all(USUAL_EL2))
            | bit(Switch::StraightEl1, el1 && !el2 && all(USUAL_EL1))
            | bit(Switch::Beside, live || features & MPAM != 0);
        Self::from_bits(switched)
    }
}
