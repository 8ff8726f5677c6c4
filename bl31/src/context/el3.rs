//! EL3's own registers: what a world gets (SCR_EL3, CPTR_EL3, MPAM3_EL3) and what holds for the core
//! (MDCR_EL3).

use super::{Feature, Features, IdRegs, World, msr};
use crate::cpu_ext;

/// Bits of SCR_EL3.
#[allow(missing_docs)]
pub mod scr {
    pub const NS: u64 = 1 << 0;
    /// FIQs are taken to EL3.
    pub const FIQ: u64 = 1 << 2;
    pub const RES1: u64 = 3 << 4;
    /// HVC is enabled.
    pub const HCE: u64 = 1 << 8;
    /// The secure world does not fetch instructions from non-secure memory.
    pub const SIF: u64 = 1 << 9;
    /// The next lower EL is AArch64.
    pub const RW: u64 = 1 << 10;
    /// Secure EL1 may use the secure physical timer, CNTPS.
    pub const ST: u64 = 1 << 11;
    pub const APK: u64 = 1 << 16;
    pub const API: u64 = 1 << 17;
    /// S-EL2 is enabled.
    pub const EEL2: u64 = 1 << 18;
    pub const EN_SCXT: u64 = 1 << 25;
    pub const ATA: u64 = 1 << 26;
    pub const FGT_EN: u64 = 1 << 27;
    pub const ECV_EN: u64 = 1 << 28;
    pub const AMVOFF_EN: u64 = 1 << 35;
    pub const EN_AS0: u64 = 1 << 36;
    pub const AD_EN: u64 = 1 << 37;
    pub const HX_EN: u64 = 1 << 38;
    pub const GCS_EN: u64 = 1 << 39;
    pub const EN_TP2: u64 = 1 << 41;
    pub const RCWMASK_EN: u64 = 1 << 42;
    pub const TCR2_EN: u64 = 1 << 43;
    pub const SCTLR2_EN: u64 = 1 << 44;
    pub const PI_EN: u64 = 1 << 45;
    pub const AI_EN: u64 = 1 << 46;
    pub const D128_EN: u64 = 1 << 47;
    pub const EN_FPM: u64 = 1 << 50;
    pub const PFAR_EN: u64 = 1 << 53;
    pub const SRMASK_EN: u64 = 1 << 54;
    pub const FGT_EN2: u64 = 1 << 59;
    pub const HDBSS_EN: u64 = 1 << 60;
    pub const HACDBS_EN: u64 = 1 << 61;
}

/// Bits of CPTR_EL3.
#[allow(missing_docs)]
pub mod cptr {
    /// SVE is not trapped.
    pub const EZ: u64 = 1 << 8;
    /// FP and SIMD are trapped. Never set for the secure world.
    pub const TFP: u64 = 1 << 10;
    /// SME is not trapped.
    pub const ESM: u64 = 1 << 12;
    /// Trace registers are trapped.
    pub const TTA: u64 = 1 << 20;
    /// Activity monitors are trapped.
    pub const TAM: u64 = 1 << 30;
}

/// Bits of MDCR_EL3.
#[allow(missing_docs)]
pub mod mdcr {
    pub const EN_PM2: u64 = 1 << 7;
    /// The non-secure state owns the profiling buffer and may program it.
    pub const NSPB_NS: u64 = 3 << 12;
    /// Secure self-hosted debug of AArch32 is disabled.
    pub const SPD32_DISABLED: u64 = 2 << 14;
    /// Secure self-hosted debug is disabled.
    pub const SDD: u64 = 1 << 16;
    pub const SCCD: u64 = 1 << 23;
    /// The non-secure state owns the trace buffer and may program it.
    pub const NSTB_NS: u64 = 3 << 24;
    pub const SBRBE_NS: u64 = 1 << 32;
    pub const MCCD: u64 = 1 << 34;
    pub const EN_PMSN: u64 = 1 << 36;
    pub const PMEE_EL2: u64 = 1 << 40;
    pub const EN_PMS3: u64 = 1 << 42;
    pub const EBWE: u64 = 1 << 43;
    pub const EN_STEPOP: u64 = 1 << 50;
}

/// Bits of MPAM3_EL3.
#[allow(missing_docs)]
pub mod mpam3 {
    pub const TRAPLOWER: u64 = 1 << 62;
    pub const MPAMEN: u64 = 1 << 63;
}

/// EL3's registers as one world needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct El3Regs {
    /// Written on each switch to the world.
    pub scr_el3: u64,
    /// Written on each switch to the world. [`super::Simd`] changes EZ, ESM and TFP.
    pub cptr_el3: u64,
    /// Written on each switch to the world, where the CPU has FEAT_MPAM.
    pub mpam3_el3: u64,
    /// Written once a core: it says for each security state what applies there, so that one value
    /// serves both worlds.
    pub mdcr_el3: u64,
}

impl El3Regs {
    /// Nothing allowed: a world that was never set up.
    pub const EMPTY: Self = Self {
        scr_el3: 0,
        cptr_el3: 0,
        mpam3_el3: 0,
        mdcr_el3: 0,
    };

    /// What `world` gets on a CPU with these features. `sel2`: the SPMC runs at S-EL2.
    ///
    /// Everything starts trapped. What opens is the architecture's base, below, and what each
    /// extension's file in [`crate::cpu_ext`] says.
    pub fn new(features: Features, sel2: bool, world: World) -> Self {
        let mut el3 = Self {
            scr_el3: scr::RES1 | scr::SIF | scr::RW,
            cptr_el3: cptr::TAM | cptr::TTA,
            mpam3_el3: mpam3::TRAPLOWER,
            mdcr_el3: mdcr::SDD | mdcr::SPD32_DISABLED,
        };
        if sel2 {
            el3.scr_el3 |= scr::EEL2;
        }
        match world {
            // Group 0 and secure Group 1 interrupts are FIQs while the normal world runs: EL3's to
            // take. Non-secure Group 1 are IRQs and stay in the normal world.
            World::Normal => el3.scr_el3 |= scr::NS | scr::FIQ,
            // Both stay in the secure world: secure Group 1 as IRQ, everything else as FIQ.
            World::Secure => el3.scr_el3 |= scr::ST,
        }
        if features.has(Feature::EL2) && (sel2 || world == World::Normal) {
            el3.scr_el3 |= scr::HCE;
        }
        cpu_ext::open(features, world, &mut el3);
        el3
    }

    /// Writes what a switch to the world writes.
    ///
    /// No `isb`: nothing at EL3 depends on the new values before the ERET, which synchronises.
    /// [`super::Simd`] has the one exception.
    ///
    /// # Safety
    ///
    /// The caller goes on to load this world's registers and to enter it.
    #[inline(always)]
    pub unsafe fn write(&self, features: Features) {
        // Both are read first: the compiler then loads them as a pair.
        let (scr_el3, cptr_el3) = (self.scr_el3, self.cptr_el3);
        msr!("SCR_EL3", scr_el3);
        msr!("CPTR_EL3", cptr_el3);
        if features.has(Feature::MPAM) {
            msr!("S3_6_C10_C5_0", self.mpam3_el3);
        }
    }
}

/// Whether an SPMC at S-EL2 is possible.
pub fn has_sel2(id: &IdRegs) -> bool {
    id.el2() && super::field(id.pfr0, 36) != 0
}
