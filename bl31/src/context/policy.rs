//! What a world switch does on this machine: decided once, on the boot core, from the CPU's features
//! and the SPMC's exception level, and then only read.

use super::{
    CommonBank, El1Bank, El2Bank, El3Regs, Feature, Features, IdRegs, Live, Simd, SysRegs, World,
    el3, isb, mrs, msr, timers,
};
use crate::cpu_ext;
use core::fmt;
use janus_spmd::text::Text;

/// Where the SPMC runs and so what both worlds share. From its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpmcMode {
    /// No SPMC: nothing is ever switched.
    None,
    /// The SPMC runs at S-EL1: EL1 and floating-point state is switched.
    SEl1,
    /// The SPMC runs at S-EL2 and keeps EL1 and floating-point state apart itself: EL2 state is
    /// switched.
    SEl2,
    /// The SPMC runs at S-EL2 and relies on EL3 for EL1 and floating-point state too.
    All,
}

impl SpmcMode {
    /// Whether the EL2 bank is switched.
    pub const fn el2(self) -> bool {
        matches!(self, SpmcMode::SEl2 | SpmcMode::All)
    }

    /// Whether the EL1 bank is switched.
    pub const fn el1(self) -> bool {
        matches!(self, SpmcMode::SEl1 | SpmcMode::All)
    }
}

/// See the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What the CPU has.
    features: Features,
    mode: SpmcMode,
}

/// SCTLR_EL1 at reset: its RES1 bits. MMU and caches off.
const SCTLR_EL1_RESET: u64 = 0x30d0_0980;
/// SCTLR_EL2 at reset: the same, for EL2.
const SCTLR_EL2_RESET: u64 = 0x30c5_0830;
/// HCR_EL2.RW: EL1 is AArch64. All else as if EL2 were not there.
const HCR_EL2_RESET: u64 = 1 << 31;
/// CPTR_EL2 (HCR_EL2.E2H = 0): its RES1 bits, with SVE's and SME's trap clear.
const CPTR_EL2_RESET: u64 = 0x22ff;
/// CNTHCTL_EL2.{EL1PCTEN, EL1PCEN}: EL1 may use the physical counter and timer.
const CNTHCTL_EL2_RESET: u64 = 3;

impl Policy {
    /// Before anything is known: nothing is switched.
    pub const NONE: Self = Self {
        features: Features::NONE,
        mode: SpmcMode::None,
    };

    /// The policy for a CPU with these features.
    pub const fn new(mut features: Features, mode: SpmcMode) -> Self {
        if features.has(Feature::EL2) && matches!(mode, SpmcMode::All) {
            features.insert(Feature::SPSR_AA32);
            features.insert(Feature::LATE_EL1);
        }
        Self { features, mode }
    }

    /// What the CPU has.
    pub const fn features(&self) -> Features {
        self.features
    }

    /// Where the SPMC runs.
    pub const fn mode(&self) -> SpmcMode {
        self.mode
    }

    /// How EL3's registers are set while `world` runs.
    pub fn el3_regs(&self, world: World) -> El3Regs {
        let mut el3 = El3Regs::new(self.features, self.mode.el2(), world);
        Simd::start(self.features, self.mode, world, &mut el3);
        Live::close(world, &mut el3);
        el3
    }
}

impl Policy {
    /// Whether this CPU can run an SPMC at S-EL2.
    pub fn cpu_has_sel2() -> bool {
        el3::has_sel2(&IdRegs::read())
    }

    /// Decides what applies to this CPU.
    pub fn detect(mode: SpmcMode) -> Self {
        Self::new(Features::from_id(&IdRegs::read()), mode)
    }

    /// Sets `sys` to what the architecture and custom let software expect at its first instruction:
    /// reset values, with EL2's controls such that EL1 works as if EL2 were not there.
    pub fn reset(&self, sys: &mut SysRegs) {
        *sys = SysRegs::EMPTY;
        sys.el1.el1.sctlr_el1 = SCTLR_EL1_RESET;
        if self.features.has(Feature::EL2) {
            let el2 = &mut sys.el2.el2;
            el2.sctlr_el2 = SCTLR_EL2_RESET;
            el2.hcr_el2 = HCR_EL2_RESET;
            el2.cptr_el2 = CPTR_EL2_RESET;
            el2.cnthctl_el2 = CNTHCTL_EL2_RESET;
            el2.vpidr_el2 = mrs!("MIDR_EL1");
            el2.vmpidr_el2 = mrs!("MPIDR_EL1");
        }
        cpu_ext::first(self.features, sys);
    }

    /// Sets up EL3's registers on this core, and what the normal world finds in a bank that the mode
    /// does not switch. On every core when it comes on, before [`Policy::load`].
    ///
    /// `normal` and `secure` become [`Policy::el3_regs`], also where a world goes on as it was: only
    /// traps are open that `live` knows of. `sys` becomes the normal world's [`Policy::reset`].
    ///
    /// Returns what the boot core has and this core lacks: here the worlds have to do without, and it
    /// is not switched. What only this core has stays trapped.
    pub fn init_el3(
        &self,
        live: &mut Live,
        normal: &mut El3Regs,
        sys: &mut SysRegs,
        secure: &mut El3Regs,
    ) -> Features {
        let mine = Features::from_id(&IdRegs::read());
        let here = Self::new(self.features.and(mine), self.mode);
        *normal = here.el3_regs(World::Normal);
        *secure = here.el3_regs(World::Secure);
        live.init(here.features, secure);
        // For the set-up, EL3 itself must not be trapped.
        msr!("CPTR_EL3", el3::cptr::EZ | el3::cptr::ESM);
        // EL2's registers are the normal world's: without this, ICC_SRE_EL2 would not exist.
        msr!("SCR_EL3", normal.scr_el3);
        msr!("MDCR_EL3", normal.mdcr_el3);
        // What follows is trapped or defined by the values above.
        isb!();
        cpu_ext::init(here.features);
        here.reset(sys);
        // EL3's stacks are small.
        let scrap = live.simd.scratch();
        let all = match here.features.has(Feature::EL2) {
            true => SpmcMode::All,
            false => SpmcMode::SEl1,
        };
        // SAFETY: the features are this CPU's, and both are whole.
        unsafe { Self::new(here.features, all).swap(here.features, scrap, sys) };
        Simd::init_lengths(here.features, sys, scrap);
        live.simd.init(here.features, self.mode);
        self.features.minus(here.features)
    }

    /// Saves what the CPU holds to `from` and loads `to`, which can be the same: then its former
    /// values are lost.
    ///
    /// # Safety
    ///
    /// The CPU has the features of `mask`. Both pointers are valid.
    #[inline(never)]
    unsafe fn swap(&self, mask: Features, from: *mut SysRegs, to: *const SysRegs) {
        // SAFETY: as the caller promises; EL3 uses none of these registers.
        unsafe {
            CommonBank::swap(mask, &raw mut (*from).common, &raw const (*to).common);
            if self.mode.el2() {
                El2Bank::swap(mask, &raw mut (*from).el2, &raw const (*to).el2);
            }
            if self.mode.el1() {
                El1Bank::swap(mask, &raw mut (*from).el1, &raw const (*to).el1);
            }
        }
    }

    /// Switches the core from the normal world to the secure world: saves the former's registers to
    /// `from` and loads the latter's.
    #[inline(always)]
    pub fn to_secure(&self, live: &mut Live, from: &mut SysRegs, to: &SysRegs, el3: &El3Regs) {
        live.simd.leave_normal(self, from, to);
        timers::save(self.mode, live.mask(), &mut from.common);
        // SAFETY: both halves of the switch are here; the mask is this core's.
        unsafe {
            el3.write(live.mask());
            self.swap(live.mask(), from, to);
        }
    }

    /// Switches the core from the secure world to the normal world.
    #[inline(always)]
    pub fn to_normal(&self, live: &mut Live, from: &mut SysRegs, to: &SysRegs, el3: &El3Regs) {
        live.simd.leave_secure(self, from, to);
        // SAFETY: both halves of the switch are here; the mask is this core's.
        unsafe {
            el3.write(live.mask());
            self.swap(live.mask(), from, to);
        }
        timers::load(self.mode, live.mask(), &to.common);
        live.simd.enter_normal(self);
    }

    /// Loads the first world that runs on this core since it came on; what the CPU holds is of no
    /// use any more, and neither is `to` afterwards.
    pub fn load(&self, live: &Live, to: &mut SysRegs, el3: &El3Regs) {
        let to: *mut SysRegs = to;
        // SAFETY: both halves of the switch are here; the mask is this core's.
        unsafe {
            el3.write(live.mask());
            self.swap(live.mask(), to, to);
        }
    }

    /// Resolves a trap of `world`, whose registers are in the CPU: a synchronous exception with this
    /// ESR_EL3 that is no SMC. When the world goes on, either the instruction can be executed, or
    /// it takes an UNDEFINED exception there.
    ///
    /// `el3` and `gpr` (x0 to x30) are the world's, `this` and `other` the system registers of this
    /// and the other world.
    #[cold]
    #[allow(clippy::too_many_arguments)]
    pub fn resolve_trap(
        &self,
        live: &mut Live,
        world: World,
        el3: &mut El3Regs,
        gpr: &mut [u64; 31],
        this: &SysRegs,
        other: &mut SysRegs,
        esr: u64,
    ) {
        if !live.first_use(self, world, el3, this, other, esr) {
            super::undefined::inject(self, gpr);
        }
    }
}

impl fmt::Display for Policy {
    /// The one line about the CPU that the boot prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switched = Text(match self.mode {
            SpmcMode::None => "nothing",
            SpmcMode::SEl1 => "EL1 and FP",
            SpmcMode::SEl2 => "EL2",
            SpmcMode::All => "EL1, EL2 and FP",
        });
        write!(f, "{}; a world switch exchanges {switched}", self.features)
    }
}
