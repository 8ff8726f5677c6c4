//! The system registers that both worlds can write. The list is written from the architecture (DDI 0487), without using
//! the firmware's own lists.
//!
//! At run time a payload finds out which registers exist and which of their bits can be written. `keep` are bits that a
//! payload cannot change because it depends on them, or that change by themselves.

use crate::{mrs, msr};

/// The worlds that must find a register as they left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bank {
    /// Both: the hypervisor and an SPMC at S-EL2 share it.
    El2,
    /// Both: a kernel and an SPMC at S-EL1 share it. An SPMC at S-EL2 has to save it itself before it uses it; that
    /// of these tests does not use it, so that the normal world finds it unchanged.
    El1,
    /// The normal world: the secure world does not write it.
    Normal,
    /// The normal world, although the secure world may write it: a timer that runs on while the secure world runs, and
    /// can interrupt it.
    Kept,
    /// Both: it is part of PSTATE.
    Pstate,
}

/// A system register.
pub struct Register {
    /// The name in the architecture.
    pub name: &'static str,
    /// The worlds that must find it unchanged.
    pub bank: Bank,
    /// The bits that are not written.
    pub keep: u64,
    /// Reads it.
    pub read: fn() -> u64,
    /// Writes it and synchronises.
    pub write: fn(u64),
}

macro_rules! registers {
    ($($bank:ident { $($name:ident = $encoding:literal $(keep $keep:expr)?,)* })*) => {
        /// All registers, without those on which the payload itself depends (see `critical`).
        pub static REGISTERS: &[Register] = &[$($(Register {
            name: stringify!($name),
            bank: Bank::$bank,
            keep: 0 $(| $keep)?,
            read: || mrs!($encoding),
            write: |value| msr!($encoding, value),
        },)*)*];
    };
}

/// ISTATUS of a timer's control register.
const ISTATUS: u64 = 1 << 2;
/// The bits that would trap this level's own FP, SVE and SME.
const FP_TRAPS_EL2: u64 = 1 << 8 | 1 << 10 | 1 << 12;
const FP_TRAPS_EL1: u64 = 0b11 << 16 | 0b11 << 20 | 0b11 << 24;
/// All bits that have an effect on the payload's own translation regime.
const TCR2: u64 = !(1 | 1 << 14 | 1 << 15);
const SCTLR2: u64 = !0x74;
/// All bits but those that enable the guarded control stack and its stores at the payload's own level.
const GCS: u64 = !(1 << 5 | 1 << 6);

registers! {
    El2 {
        ACTLR_EL2 = "S3_4_C1_C0_1",
        AFSR0_EL2 = "S3_4_C5_C1_0",
        AFSR1_EL2 = "S3_4_C5_C1_1",
        AMAIR_EL2 = "S3_4_C10_C3_0",
        CNTHCTL_EL2 = "S3_4_C14_C1_0",
        CNTVOFF_EL2 = "S3_4_C14_C0_3",
        CNTPOFF_EL2 = "S3_4_C14_C0_6",
        CONTEXTIDR_EL2 = "S3_4_C13_C0_1",
        CPTR_EL2 = "S3_4_C1_C1_2" keep FP_TRAPS_EL2,
        DACR32_EL2 = "S3_4_C3_C0_0",
        DBGVCR32_EL2 = "S2_4_C0_C7_0",
        ELR_EL2 = "S3_4_C4_C0_1",
        ESR_EL2 = "S3_4_C5_C2_0",
        FAR_EL2 = "S3_4_C6_C0_0",
        FPEXC32_EL2 = "S3_4_C5_C3_0",
        GCSCR_EL2 = "S3_4_C2_C5_0" keep GCS,
        GCSPR_EL2 = "S3_4_C2_C5_1",
        HACR_EL2 = "S3_4_C1_C1_7",
        HAFGRTR_EL2 = "S3_4_C3_C1_6",
        HCR_EL2 = "S3_4_C1_C1_0" keep 1 << 27 | 1 << 31 | 1 << 34, // TGE, RW, E2H
        HCRX_EL2 = "S3_4_C1_C2_2",
        HDFGRTR_EL2 = "S3_4_C3_C1_4",
        HDFGWTR_EL2 = "S3_4_C3_C1_5",
        HDFGRTR2_EL2 = "S3_4_C3_C1_0",
        HDFGWTR2_EL2 = "S3_4_C3_C1_1",
        HFGITR_EL2 = "S3_4_C1_C1_6",
        HFGITR2_EL2 = "S3_4_C3_C1_7",
        HFGRTR_EL2 = "S3_4_C1_C1_4",
        HFGWTR_EL2 = "S3_4_C1_C1_5",
        HFGRTR2_EL2 = "S3_4_C3_C1_2",
        HFGWTR2_EL2 = "S3_4_C3_C1_3",
        HPFAR_EL2 = "S3_4_C6_C0_4",
        HSTR_EL2 = "S3_4_C1_C1_3",
        ICH_AP0R0_EL2 = "S3_4_C12_C8_0",
        ICH_AP1R0_EL2 = "S3_4_C12_C9_0",
        ICH_HCR_EL2 = "S3_4_C12_C11_0",
        ICH_LR0_EL2 = "S3_4_C12_C12_0",
        ICH_LR1_EL2 = "S3_4_C12_C12_1",
        ICH_LR2_EL2 = "S3_4_C12_C12_2",
        ICH_LR3_EL2 = "S3_4_C12_C12_3",
        ICH_VMCR_EL2 = "S3_4_C12_C11_7",
        IFSR32_EL2 = "S3_4_C5_C0_1",
        MDCR_EL2 = "S3_4_C1_C1_1" keep 0x1f, // HPMN, which takes only some values
        MPAM2_EL2 = "S3_4_C10_C5_0",
        MPAMHCR_EL2 = "S3_4_C10_C4_0",
        MPAMVPMV_EL2 = "S3_4_C10_C4_1",
        MPAMVPM0_EL2 = "S3_4_C10_C6_0",
        PIR_EL2 = "S3_4_C10_C2_3",
        PIRE0_EL2 = "S3_4_C10_C2_2",
        POR_EL2 = "S3_4_C10_C2_4",
        S2PIR_EL2 = "S3_4_C10_C2_5",
        SCTLR2_EL2 = "S3_4_C1_C0_3" keep SCTLR2,
        SCXTNUM_EL2 = "S3_4_C13_C0_7",
        SMCR_EL2 = "S3_4_C1_C2_6",
        SMPRIMAP_EL2 = "S3_4_C1_C2_5",
        SPSR_EL2 = "S3_4_C4_C0_0",
        TCR2_EL2 = "S3_4_C2_C0_3" keep TCR2,
        TFSR_EL2 = "S3_4_C5_C6_0",
        TPIDR_EL2 = "S3_4_C13_C0_2",
        TRFCR_EL2 = "S3_4_C1_C2_1",
        TTBR1_EL2 = "S3_4_C2_C0_1",
        VDISR_EL2 = "S3_4_C12_C1_1",
        VMPIDR_EL2 = "S3_4_C0_C0_5",
        VNCR_EL2 = "S3_4_C2_C2_0",
        VPIDR_EL2 = "S3_4_C0_C0_0",
        VSESR_EL2 = "S3_4_C5_C2_3",
        VTCR_EL2 = "S3_4_C2_C1_2",
        VTTBR_EL2 = "S3_4_C2_C1_0",
        ZCR_EL2 = "S3_4_C1_C2_0",
    }
    El1 {
        ACCDATA_EL1 = "S3_0_C13_C0_5",
        ACTLR_EL1 = "S3_0_C1_C0_1",
        AFSR0_EL1 = "S3_0_C5_C1_0",
        AFSR1_EL1 = "S3_0_C5_C1_1",
        AMAIR_EL1 = "S3_0_C10_C3_0",
        APDAKeyHi_EL1 = "S3_0_C2_C2_1",
        APDAKeyLo_EL1 = "S3_0_C2_C2_0",
        APDBKeyHi_EL1 = "S3_0_C2_C2_3",
        APDBKeyLo_EL1 = "S3_0_C2_C2_2",
        APGAKeyHi_EL1 = "S3_0_C2_C3_1",
        APGAKeyLo_EL1 = "S3_0_C2_C3_0",
        APIAKeyHi_EL1 = "S3_0_C2_C1_1",
        APIAKeyLo_EL1 = "S3_0_C2_C1_0",
        APIBKeyHi_EL1 = "S3_0_C2_C1_3",
        APIBKeyLo_EL1 = "S3_0_C2_C1_2",
        CNTKCTL_EL1 = "S3_0_C14_C1_0",
        CONTEXTIDR_EL1 = "S3_0_C13_C0_1",
        CPACR_EL1 = "S3_0_C1_C0_2" keep FP_TRAPS_EL1,
        CSSELR_EL1 = "S3_2_C0_C0_0" keep !0xf,
        ELR_EL1 = "S3_0_C4_C0_1",
        ESR_EL1 = "S3_0_C5_C2_0",
        FAR_EL1 = "S3_0_C6_C0_0",
        GCR_EL1 = "S3_0_C1_C0_6",
        GCSCR_EL1 = "S3_0_C2_C5_0" keep GCS,
        GCSCRE0_EL1 = "S3_0_C2_C5_2",
        GCSPR_EL0 = "S3_3_C2_C5_1",
        GCSPR_EL1 = "S3_0_C2_C5_1",
        MDCCINT_EL1 = "S2_0_C0_C2_0",
        MDSCR_EL1 = "S2_0_C0_C2_2" keep 1, // single step
        MPAM0_EL1 = "S3_0_C10_C5_1",
        MPAM1_EL1 = "S3_0_C10_C5_0",
        PAR_EL1 = "S3_0_C7_C4_0",
        PFAR_EL1 = "S3_0_C6_C0_5",
        PIR_EL1 = "S3_0_C10_C2_3",
        PIRE0_EL1 = "S3_0_C10_C2_2",
        POR_EL0 = "S3_3_C10_C2_4",
        POR_EL1 = "S3_0_C10_C2_4",
        RCWMASK_EL1 = "S3_0_C13_C0_6",
        RCWSMASK_EL1 = "S3_0_C13_C0_3",
        RGSR_EL1 = "S3_0_C1_C0_5",
        S2POR_EL1 = "S3_0_C10_C2_5",
        SCTLR2_EL1 = "S3_0_C1_C0_3" keep SCTLR2,
        SCXTNUM_EL0 = "S3_3_C13_C0_7",
        SCXTNUM_EL1 = "S3_0_C13_C0_7",
        SMCR_EL1 = "S3_0_C1_C2_6",
        SMPRI_EL1 = "S3_0_C1_C2_4",
        SP_EL0 = "S3_0_C4_C1_0",
        SP_EL1 = "S3_4_C4_C1_0",
        SPSR_EL1 = "S3_0_C4_C0_0",
        SPSR_abt = "S3_4_C4_C3_1",
        SPSR_fiq = "S3_4_C4_C3_3",
        SPSR_irq = "S3_4_C4_C3_0",
        SPSR_und = "S3_4_C4_C3_2",
        TCR2_EL1 = "S3_0_C2_C0_3" keep TCR2,
        TFSR_EL1 = "S3_0_C5_C6_0",
        TFSRE0_EL1 = "S3_0_C5_C6_1",
        TPIDR_EL0 = "S3_3_C13_C0_2",
        TPIDR_EL1 = "S3_0_C13_C0_4",
        TPIDR2_EL0 = "S3_3_C13_C0_5",
        TPIDRRO_EL0 = "S3_3_C13_C0_3",
        TRFCR_EL1 = "S3_0_C1_C2_1",
        TTBR1_EL1 = "S3_0_C2_C0_1",
        ZCR_EL1 = "S3_0_C1_C2_0",
    }
    Kept {
        CNTHP_CTL_EL2 = "S3_4_C14_C2_1" keep ISTATUS,
        CNTHP_CVAL_EL2 = "S3_4_C14_C2_2",
        CNTHV_CTL_EL2 = "S3_4_C14_C3_1" keep ISTATUS,
        CNTHV_CVAL_EL2 = "S3_4_C14_C3_2",
        CNTP_CTL_EL0 = "S3_3_C14_C2_1" keep ISTATUS,
        CNTP_CVAL_EL0 = "S3_3_C14_C2_2",
        CNTV_CTL_EL0 = "S3_3_C14_C3_1" keep ISTATUS,
        CNTV_CVAL_EL0 = "S3_3_C14_C3_2",
    }
    Normal {
        DBGBCR0_EL1 = "S2_0_C0_C0_5" keep 1,
        DBGBVR0_EL1 = "S2_0_C0_C0_4",
        DBGWCR0_EL1 = "S2_0_C0_C0_7" keep 1,
        DBGWVR0_EL1 = "S2_0_C0_C0_6",
        PMCCFILTR_EL0 = "S3_3_C14_C15_7",
        PMCR_EL0 = "S3_3_C9_C12_0" keep 0x7, // E; P and C, which reset counters
        PMEVCNTR0_EL0 = "S3_3_C14_C8_0",
        PMEVTYPER0_EL0 = "S3_3_C14_C12_0",
        PMSELR_EL0 = "S3_3_C9_C12_5" keep !0x3,
        PMUSERENR_EL0 = "S3_3_C9_C14_0",
    }
    Pstate {
        DIT = "S3_3_C4_C2_5",
        PAN = "S3_0_C4_C2_3",
        SSBS = "S3_3_C4_C2_6",
        TCO = "S3_3_C4_C2_7",
        UAO = "S3_0_C4_C2_4",
    }
}

/// EL1 registers on which an SPMC at S-EL1 depends, and which have no meaning for a hypervisor without
/// guests. The hypervisor fills them like the others, the SPMC does so by `critical`.
pub static EL1_CRITICAL: &[Register] = &[
    Register {
        name: "SCTLR_EL1",
        bank: Bank::El1,
        keep: 0,
        read: || mrs!("sctlr_el1"),
        write: |v| msr!("sctlr_el1", v),
    },
    Register {
        name: "TTBR0_EL1",
        bank: Bank::El1,
        keep: 0,
        read: || mrs!("ttbr0_el1"),
        write: |v| msr!("ttbr0_el1", v),
    },
    Register {
        name: "TCR_EL1",
        bank: Bank::El1,
        keep: 0,
        read: || mrs!("tcr_el1"),
        write: |v| msr!("tcr_el1", v),
    },
    Register {
        name: "MAIR_EL1",
        bank: Bank::El1,
        keep: 0,
        read: || mrs!("mair_el1"),
        write: |v| msr!("mair_el1", v),
    },
    Register {
        name: "VBAR_EL1",
        bank: Bank::El1,
        keep: 0,
        read: || mrs!("vbar_el1"),
        write: |v| msr!("vbar_el1", v),
    },
];
