//! The registers of the GICv3 CPU interface that both worlds share: the hypervisor's control (ICH_*,
//! ICC_SRE_EL2) and the priority mask. Registers that the GIC banks by Security state (ICC_IGRPEN1_EL1,
//! ICC_CTLR_EL1, ICC_BPR1_EL1, ICC_SRE_EL1, ICC_AP1Rn_EL1) are not switched. ICC_*0 are for Group 0, which belongs to
//! EL3.
//!
//! The numbers of list registers and of active priorities registers depend on the implementation. Each group of them
//! has a feature bit, found from ICH_VTR_EL2.

use crate::{
    IdRegs, field,
    sysreg::{isb, sysregs},
};

/// ICC_SRE_ELx: system registers on, no bypass of IRQ and FIQ, lower ELs may set their own.
const ICC_SRE: u64 = 0xf;
/// ICC_PMR_EL1: no priority is masked. The normal world could not change a mask in the secure half of the priorities.
const PMR_OPEN: u64 = 0xff;

sysregs! {
    ICC_SRE_EL3 = "S3_6_C12_C12_5": read unsafe write;
    ICH_VTR_EL2 = "S3_4_C12_C11_1": read;
    // Registers of Group 1 are banked: SCR_EL3.NS selects the world. EL3 does not depend on active priorities.
    ICC_CTLR_EL1 = "S3_0_C12_C12_4": read write;
    ICC_RPR_EL1 = "S3_0_C12_C11_3": read;
    ICC_EOIR1_EL1 = "S3_0_C12_C12_1": write;
    ICC_BPR1_EL1 = "S3_0_C12_C12_3": read write;
    ICC_AP0R0_EL1 = "S3_0_C12_C8_4": read write;
    ICC_AP0R1_EL1 = "S3_0_C12_C8_5": write;
    ICC_AP0R2_EL1 = "S3_0_C12_C8_6": write;
    ICC_AP0R3_EL1 = "S3_0_C12_C8_7": write;
    ICC_AP1R0_EL1 = "S3_0_C12_C9_0": read write;
    ICC_AP1R1_EL1 = "S3_0_C12_C9_1": write;
    ICC_AP1R2_EL1 = "S3_0_C12_C9_2": write;
    ICC_AP1R3_EL1 = "S3_0_C12_C9_3": write;
}

extension! {
    /// ID_AA64PFR0_EL1.GIC. The priority mask is switched because it is not banked: a mask that one world sets would
    /// apply to the other.
    pub GIC = "";
    present: |id| field(id.pfr0, 24) != 0;
    opens: [];
    found: usually;
    common: Pmr { icc_pmr_el1 = "S3_0_C4_C6_0" }
    el2: Gic {
        icc_sre_el2 = "S3_4_C12_C9_5",
        ich_hcr_el2 = "S3_4_C12_C11_0",
        ich_vmcr_el2 = "S3_4_C12_C11_7",
    }
    first: |sys| {
        sys.el2.GIC.icc_sre_el2 = ICC_SRE;
        sys.common.GIC.icc_pmr_el1 = PMR_OPEN;
    };
    init: { reset_group1() }
}

/// Resets the CPU interface's registers of Group 1, of the world that SCR_EL3.NS selects: no interrupt is active any
/// more.
pub fn reset_group1() {
    ICC_AP1R0_EL1::write(0);
    // QEMU ignores this write for the normal world. There, drop the priorities one by one; those of the normal world
    // are all in the upper half.
    for _ in 0..32 {
        if ICC_AP1R0_EL1::read() == 0 || ICC_RPR_EL1::read() < 0x80 {
            break;
        }
        ICC_EOIR1_EL1::write(0);
        isb();
    }
    // ICC_CTLR_EL1.PRIbits.
    let preemption_bits = (ICC_CTLR_EL1::read() >> 8 & 7) + 1;
    if preemption_bits >= 6 {
        ICC_AP1R1_EL1::write(0);
    }
    if preemption_bits >= 7 {
        ICC_AP1R2_EL1::write(0);
        ICC_AP1R3_EL1::write(0);
    }
    ICC_CTLR_EL1::write(0);
    ICC_BPR1_EL1::write(0);
}

/// Sets the Group 0 registers of the CPU interface as a reset does.
pub fn reset_group0() {
    ICC_AP0R0_EL1::write(0);
    let preemption_bits = (ICC_CTLR_EL1::read() >> 8 & 7) + 1;
    if preemption_bits >= 6 {
        ICC_AP0R1_EL1::write(0);
    }
    if preemption_bits >= 7 {
        ICC_AP0R2_EL1::write(0);
        ICC_AP0R3_EL1::write(0);
    }
}

/// Returns the number of list registers: ICH_VTR_EL2.ListRegs plus one.
pub const fn list_registers(id: &IdRegs) -> u64 {
    if id.ich_vtr == 0 {
        0
    } else {
        (id.ich_vtr & 0x1f) + 1
    }
}

/// Returns the number of bits of preemption: ICH_VTR_EL2.PREbits plus one.
const fn preemption_bits(id: &IdRegs) -> u64 {
    if id.ich_vtr == 0 {
        0
    } else {
        (id.ich_vtr >> 26 & 7) + 1
    }
}

extension! {
    /// List registers 0 to 3, and the active priorities registers that every implementation has.
    pub LR0_3 = "";
    present: |id| list_registers(id) >= 4;
    opens: [];
    found: usually;
    el2: IchLr0To3 {
        ich_lr0_el2 = "S3_4_C12_C12_0",
        ich_lr1_el2 = "S3_4_C12_C12_1",
        ich_lr2_el2 = "S3_4_C12_C12_2",
        ich_lr3_el2 = "S3_4_C12_C12_3",
        ich_ap0r0_el2 = "S3_4_C12_C8_0",
        ich_ap1r0_el2 = "S3_4_C12_C9_0",
    }
}

extension! {
    /// List registers 4 to 7.
    pub LR4_7 = "";
    present: |id| list_registers(id) >= 8;
    opens: [];
    found: rarely;
    el2: IchLr4To7 {
        ich_lr4_el2 = "S3_4_C12_C12_4",
        ich_lr5_el2 = "S3_4_C12_C12_5",
        ich_lr6_el2 = "S3_4_C12_C12_6",
        ich_lr7_el2 = "S3_4_C12_C12_7",
    }
}

extension! {
    /// List registers 8 to 11.
    pub LR8_11 = "";
    present: |id| list_registers(id) >= 12;
    opens: [];
    found: rarely;
    el2: IchLr8To11 {
        ich_lr8_el2 = "S3_4_C12_C13_0",
        ich_lr9_el2 = "S3_4_C12_C13_1",
        ich_lr10_el2 = "S3_4_C12_C13_2",
        ich_lr11_el2 = "S3_4_C12_C13_3",
    }
}

extension! {
    /// List registers 12 to 15.
    pub LR12_15 = "";
    present: |id| list_registers(id) >= 16;
    opens: [];
    found: rarely;
    el2: IchLr12To15 {
        ich_lr12_el2 = "S3_4_C12_C13_4",
        ich_lr13_el2 = "S3_4_C12_C13_5",
        ich_lr14_el2 = "S3_4_C12_C13_6",
        ich_lr15_el2 = "S3_4_C12_C13_7",
    }
}

extension! {
    /// Active priorities with six or more bits of preemption.
    pub APR1 = "";
    present: |id| preemption_bits(id) >= 6;
    opens: [];
    found: rarely;
    el2: IchApr1 {
        ich_ap0r1_el2 = "S3_4_C12_C8_1",
        ich_ap1r1_el2 = "S3_4_C12_C9_1",
    }
}

extension! {
    /// Active priorities with seven bits of preemption.
    pub APR2_3 = "";
    present: |id| preemption_bits(id) >= 7;
    opens: [];
    found: rarely;
    el2: IchApr2To3 {
        ich_ap0r2_el2 = "S3_4_C12_C8_2",
        ich_ap0r3_el2 = "S3_4_C12_C8_3",
        ich_ap1r2_el2 = "S3_4_C12_C9_2",
        ich_ap1r3_el2 = "S3_4_C12_C9_3",
    }
}

/// Reads ICH_VTR_EL2, after enabling the GIC's system registers for EL3.
pub fn read_ich_vtr() -> u64 {
    // SAFETY: EL3 uses the GIC's system registers, and keeps this value from now on.
    unsafe { ICC_SRE_EL3::write(ICC_SRE) };
    // ICC_SRE_EL3.SRE decides whether the next instruction is defined.
    isb();
    ICH_VTR_EL2::read()
}
