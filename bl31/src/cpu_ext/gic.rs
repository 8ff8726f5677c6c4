//! The GICv3 CPU interface as far as both worlds share it: the hypervisor's control of it (ICH_*,
//! ICC_SRE_EL2) and the priority mask. What the GIC banks by security state (ICC_IGRPEN1_EL1,
//! ICC_CTLR_EL1, ICC_BPR1_EL1, ICC_SRE_EL1, ICC_AP1Rn_EL1) needs no help; ICC_*0 are Group 0's, EL3's
//! own.
//!
//! The number of list registers and of active priorities registers is the implementation's: one
//! feature bit for each group of them, from ICH_VTR_EL2.

use super::Extension;
use crate::context::{Feature, IdRegs, field, isb, mrs, msr, registers::registers};

registers! {
    /// The hypervisor's control of the CPU interface.
    pub struct Gic in El2Bank.gic {
        icc_sre_el2 = "S3_4_C12_C9_5",
        ich_hcr_el2 = "S3_4_C12_C11_0",
        ich_vmcr_el2 = "S3_4_C12_C11_7",
    }
}

registers! {
    /// List registers 0 to 3, and the active priorities registers that every implementation has.
    pub struct IchLr0To3 in El2Bank.lr0_3 {
        ich_lr0_el2 = "S3_4_C12_C12_0",
        ich_lr1_el2 = "S3_4_C12_C12_1",
        ich_lr2_el2 = "S3_4_C12_C12_2",
        ich_lr3_el2 = "S3_4_C12_C12_3",
        ich_ap0r0_el2 = "S3_4_C12_C8_0",
        ich_ap1r0_el2 = "S3_4_C12_C9_0",
    }
}

registers! {
    /// List registers 4 to 7.
    pub struct IchLr4To7 in El2Bank.lr4_7 {
        ich_lr4_el2 = "S3_4_C12_C12_4",
        ich_lr5_el2 = "S3_4_C12_C12_5",
        ich_lr6_el2 = "S3_4_C12_C12_6",
        ich_lr7_el2 = "S3_4_C12_C12_7",
    }
}

registers! {
    /// List registers 8 to 11.
    pub struct IchLr8To11 in El2Bank.lr8_11 {
        ich_lr8_el2 = "S3_4_C12_C13_0",
        ich_lr9_el2 = "S3_4_C12_C13_1",
        ich_lr10_el2 = "S3_4_C12_C13_2",
        ich_lr11_el2 = "S3_4_C12_C13_3",
    }
}

registers! {
    /// List registers 12 to 15.
    pub struct IchLr12To15 in El2Bank.lr12_15 {
        ich_lr12_el2 = "S3_4_C12_C13_4",
        ich_lr13_el2 = "S3_4_C12_C13_5",
        ich_lr14_el2 = "S3_4_C12_C13_6",
        ich_lr15_el2 = "S3_4_C12_C13_7",
    }
}

registers! {
    /// With six or more bits of preemption.
    pub struct IchApr1 in El2Bank.apr1 {
        ich_ap0r1_el2 = "S3_4_C12_C8_1",
        ich_ap1r1_el2 = "S3_4_C12_C9_1",
    }
}

registers! {
    /// With seven bits of preemption.
    pub struct IchApr2To3 in El2Bank.apr2_3 {
        ich_ap0r2_el2 = "S3_4_C12_C8_2",
        ich_ap0r3_el2 = "S3_4_C12_C8_3",
        ich_ap1r2_el2 = "S3_4_C12_C9_2",
        ich_ap1r3_el2 = "S3_4_C12_C9_3",
    }
}

registers! {
    /// The priority mask: not banked, so a mask that one world sets would hold in the other.
    pub struct Pmr in CommonBank.pmr { icc_pmr_el1 = "S3_0_C4_C6_0" }
}

/// ICC_SRE_EL2: system registers on, no bypass of IRQ and FIQ, EL1 may set its own.
const ICC_SRE: u64 = 0xf;
/// No priority is masked. A mask in the secure half would keep the normal world from changing it.
const PMR_OPEN: u64 = 0xff;

/// ID_AA64PFR0_EL1.GIC.
pub const GIC: Extension =
    Extension::new(Feature::GIC, "", |id| field(id.pfr0, 24) != 0).first(|sys| {
        sys.el2.gic.icc_sre_el2 = ICC_SRE;
        sys.common.pmr.icc_pmr_el1 = PMR_OPEN;
    });

/// How many list registers there are: ICH_VTR_EL2.ListRegs plus one.
pub const fn list_registers(id: &IdRegs) -> u64 {
    if id.ich_vtr == 0 {
        0
    } else {
        (id.ich_vtr & 0x1f) + 1
    }
}

/// How many bits of preemption there are: ICH_VTR_EL2.PREbits plus one.
const fn preemption_bits(id: &IdRegs) -> u64 {
    if id.ich_vtr == 0 {
        0
    } else {
        (id.ich_vtr >> 26 & 7) + 1
    }
}

/// See [`IchLr0To3`].
pub const LR0_3: Extension = Extension::new(Feature::ICH_LR0_3, "", |id| list_registers(id) >= 4);
/// See [`IchLr4To7`].
pub const LR4_7: Extension = Extension::new(Feature::ICH_LR4_7, "", |id| list_registers(id) >= 8);
/// See [`IchLr8To11`].
pub const LR8_11: Extension =
    Extension::new(Feature::ICH_LR8_11, "", |id| list_registers(id) >= 12);
/// See [`IchLr12To15`].
pub const LR12_15: Extension =
    Extension::new(Feature::ICH_LR12_15, "", |id| list_registers(id) >= 16);
/// See [`IchApr1`].
pub const APR1: Extension = Extension::new(Feature::ICH_APR1, "", |id| preemption_bits(id) >= 6);
/// See [`IchApr2To3`].
pub const APR2_3: Extension =
    Extension::new(Feature::ICH_APR2_3, "", |id| preemption_bits(id) >= 7);

/// ICH_VTR_EL2. Makes sure first that EL3 has the system registers.
pub fn read_ich_vtr() -> u64 {
    msr!("S3_6_C12_C12_5", ICC_SRE);
    // ICC_SRE_EL3.SRE decides whether the next instruction is defined.
    isb!();
    mrs!("S3_4_C12_C11_1")
}
