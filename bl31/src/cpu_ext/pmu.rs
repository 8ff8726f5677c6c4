//! FEAT_PMUv3: the performance monitors are the normal world's. Counting stops in the secure state
//! and at EL3, as TF-A documents it for secure debug, so they tell nothing about it:
//!
//! * events: MDCR_EL3.SPME and MPMX clear;
//! * cycles: MDCR_EL3.SCCD and MCCD set. Before FEAT_PMUv3p5 there is only PMCR_EL0.DP, which the normal
//!   world can clear: EL3 sets it on the way into the secure world and puts its value back on the way out
//!   ([`crate::context`]'s door).
//!
//! The secure world can use the registers; it saves what it changes. MDCR_EL2.HPMN starts as "all
//! counters", the architecture's reset value, for a hypervisor that never writes it.

use crate::context::{
    el3::{Control, Register::Mdcr},
    field,
    sysreg::sysregs,
};

/// MDCR_EL3.SCCD and MCCD: no cycles of the secure state, nor of EL3.
const CCD: Control = Control::enable(Mdcr, 1 << 23 | 1 << 34).told_as(0);
/// MDCR_EL3.EnPM2.
const ENPM2: Control = Control::enable(Mdcr, 1 << 7);
/// MDCR_EL3.TPM. (MTPME stays clear: events of other threads of the core are not counted.)
const TPM: Control = Control::trap(Mdcr, 1 << 6);
/// MDCR_EL3.PMEE = 1: EL2 decides about PMU exceptions.
const PMEE_EL2: Control = Control::enable(Mdcr, 1 << 40);

/// PMCR_EL0.DP: no cycle counting where events may not be counted.
const DP: u64 = 1 << 5;
/// PMCR_EL0.P and C: reset the counters.
const PMCR_RESET: u64 = 1 << 1 | 1 << 2 | DP;
/// Every counter, that of cycles with them.
const ALL: u64 = 0xffff_ffff;

sysregs! {
    PMCR_EL0 = "PMCR_EL0": read write;
    PMCNTENCLR_EL0 = "PMCNTENCLR_EL0": read write;
    PMINTENCLR_EL1 = "PMINTENCLR_EL1": read write;
    PMOVSCLR_EL0 = "PMOVSCLR_EL0": read write;
    PMUSERENR_EL0 = "PMUSERENR_EL0": read write;
}

extension! {
    /// ID_AA64DFR0_EL1.PMUVer, except 15, which is an implementation's own.
    pub PMU = "PMUv3";
    present: |id| matches!(field(id.dfr0, 8), 1..=14);
    opens: [CCD, ENPM2, TPM];
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
    /// Before FEAT_PMUv3p5: MDCR_EL3.SCCD is not there.
    pub PMU_DP = "";
    present: |id| matches!(field(id.dfr0, 8), 1..=5);
    opens: [];
}

/// Stops the cycle counter where events may not be counted, and returns the PMCR_EL0 that was there.
pub fn hold_cycles() -> u64 {
    let pmcr = PMCR_EL0::read();
    PMCR_EL0::write(pmcr | DP);
    pmcr
}

extension! {
    /// FEAT_EBEP: exceptions of the monitors.
    pub EBEP = "EBEP";
    present: |id| field(id.dfr1, 48) != 0;
    opens: [PMEE_EL2];
}
