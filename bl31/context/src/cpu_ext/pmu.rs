//! FEAT_PMUv3: the performance monitors belong to the normal world. They do not count in the Secure state
//! and at EL3, so that they tell nothing about either:
//!
//! * events: MDCR_EL3.SPME and MPMX are clear;
//! * cycles: MDCR_EL3.SCCD and MCCD are set. Before FEAT_PMUv3p5 there is only PMCR_EL0.DP, which the normal
//!   world can clear. So EL3 sets it on the way into the secure world, and restores it on the way out (the door in
//!   [`crate`]).
//!
//! The secure world can use the registers, and has to restore what it changes. MDCR_EL2.HPMN starts as "all
//! counters", the architecture's reset value, for a hypervisor that never writes it.

use crate::{
    el3::{Control, Register::Mdcr},
    field,
    sysreg::sysregs,
};

/// MDCR_EL3.SCCD: cycles of the Secure state are not counted.
const SCCD: Control = Control::enable(Mdcr, 1 << 23).not_told();
/// MDCR_EL3.MCCD: cycles of EL3 are not counted.
const MCCD: Control = Control::enable(Mdcr, 1 << 34).not_told();
/// MDCR_EL3.EnPM2.
const ENPM2: Control = Control::enable(Mdcr, 1 << 7);
/// MDCR_EL3.TPM. (MTPME stays clear: events of other threads of the core are not counted.)
const TPM: Control = Control::trap(Mdcr, 1 << 6);
/// MDCR_EL3.PMEE = 1: EL2 decides about PMU exceptions.
const PMEE_EL2: Control = Control::enable(Mdcr, 1 << 40);

/// PMCR_EL0.DP: cycles are not counted where events may not be counted.
const DP: u64 = 1 << 5;
/// PMCR_EL0.P and C: reset the counters.
const PMCR_RESET: u64 = 1 << 1 | 1 << 2 | DP;
/// All counters, including that of cycles.
const ALL: u64 = 0xffff_ffff;

sysregs! {
    PMCR_EL0 = "PMCR_EL0": read write;
    PMCNTENCLR_EL0 = "PMCNTENCLR_EL0": read write;
    PMINTENCLR_EL1 = "PMINTENCLR_EL1": read write;
    PMOVSCLR_EL0 = "PMOVSCLR_EL0": read write;
    PMUSERENR_EL0 = "PMUSERENR_EL0": read write;
}

extension! {
    /// ID_AA64DFR0_EL1.PMUVer, except 15, which is implementation defined.
    pub PMU = "PMUv3";
    present: |id| matches!(field(id.dfr0, 8), 1..=14);
    opens: [SCCD, MCCD, ENPM2, TPM];
    first: |sys| sys.el2.el2.mdcr_el2 |= PMCR_EL0::read() >> 11 & 0x1f;
    init: {
        PMCR_EL0::write(PMCR_RESET);
        PMCNTENCLR_EL0::write(ALL);
        PMINTENCLR_EL1::write(ALL);
        PMOVSCLR_EL0::write(ALL);
        PMUSERENR_EL0::write(0);
    }
}

extension! {
    /// A version before FEAT_PMUv3p5, which has no MDCR_EL3.SCCD.
    pub PMU_DP = "";
    present: |id| matches!(field(id.dfr0, 8), 1..=5);
    opens: [];
}

/// Stops the cycle counter where events may not be counted. Returns the former PMCR_EL0.
pub fn hold_cycles() -> u64 {
    let pmcr = PMCR_EL0::read();
    PMCR_EL0::write(pmcr | DP);
    pmcr
}

extension! {
    /// FEAT_EBEP: exceptions raised by the monitors.
    pub EBEP = "EBEP";
    present: |id| field(id.dfr1, 48) != 0;
    opens: [PMEE_EL2];
}
