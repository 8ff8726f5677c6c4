//! What a [`Policy`] does: sets a core up for its worlds, and switches it from one to the other.

use super::sysreg::{CPTR_EL3, MDCR_EL3, MIDR_EL1, MPIDR_EL1, SCR_EL3, isb};
use super::{
    BootCore, El3Regs, Feature, Features, IdRegs, OpenGroups, Policy, Simd, SpmcMode, Switch,
    Switched, SysRegs, World, el3, opening, timers, undefined,
};
use crate::cpu_ext::{self, gic};

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
    /// How EL3's registers are set while `world` runs.
    pub fn el3_regs(&self, world: World) -> El3Regs {
        let mut el3 = opening::start(self.features(), self.mode().el2(), world);
        Simd::start(self.features(), self.mode(), world, &mut el3);
        el3
    }

    /// Whether this CPU can run an SPMC at S-EL2.
    pub fn cpu_has_sel2() -> bool {
        el3::has_sel2(&IdRegs::read())
    }

    /// Decides what applies to this CPU. For the boot core.
    pub fn detect(mode: SpmcMode) -> Self {
        Self::new(Features::from_id(&IdRegs::read()), mode)
    }

    /// What cores that are like this one, the boot core, need not decide again.
    pub fn boot_core(&self) -> BootCore {
        BootCore {
            id: IdRegs::read(),
            normal: self.el3_regs(World::Normal),
            secure: self.el3_regs(World::Secure),
        }
    }

    /// What this core has of what is switched. CPTR_EL3 must trap nothing.
    fn here(&self, boot_core: Option<&BootCore>, live: &mut OpenGroups) -> Self {
        let unlike = match boot_core {
            None => Some(IdRegs::read()),
            Some(boot_core) => IdRegs::read_unlike(&boot_core.id),
        };
        let mut mine = unlike.map_or(self.features(), |id| Features::from_id(&id));
        live.simd.measure(&mut mine);
        Self::new(self.features().and(mine), self.mode())
    }

    /// Sets in `sys`, which is all zero, what the architecture and custom let software expect at its
    /// first instruction: reset values, with EL2's controls such that EL1 works as if EL2 were not
    /// there.
    pub fn reset(&self, sys: &mut SysRegs) {
        sys.el1.el1.sctlr_el1 = SCTLR_EL1_RESET;
        if self.features().has(Feature::EL2) {
            let el2 = &mut sys.el2.el2;
            el2.sctlr_el2 = SCTLR_EL2_RESET;
            el2.hcr_el2 = HCR_EL2_RESET;
            el2.cptr_el2 = CPTR_EL2_RESET;
            el2.cnthctl_el2 = CNTHCTL_EL2_RESET;
            el2.vpidr_el2 = MIDR_EL1::read();
            el2.vmpidr_el2 = MPIDR_EL1::read();
        }
        cpu_ext::first(self.features(), sys);
    }

    /// Gives the normal world's registers their first values. `el1`: it starts at EL1, and nothing sets EL2 up.
    pub(super) fn reset_normal(&self, sys: &mut SysRegs, el1: bool) {
        self.reset(sys);
        if el1 && self.features().has(Feature::EL2) {
            cpu_ext::unused_el2(self.features(), sys);
        }
    }

    /// Sets up this core for the first instruction of the normal world: EL3's registers, and in the CPU
    /// what [`Policy::reset`] says. On every core when it comes on.
    ///
    /// `normal` and `secure` become [`Policy::el3_regs`], also where a world goes on as it was: only
    /// traps are open that `live` knows of. The secure world has no registers yet: what `parked` holds
    /// is of no use, before and after.
    ///
    /// `el1`: the normal world starts at EL1, and nobody sets EL2 up.
    ///
    /// Returns what the boot core has and this core lacks: here the worlds have to do without, and it
    /// is not switched. What only this core has stays trapped.
    #[inline(never)]
    pub fn init_el3(
        &self,
        boot_core: Option<&BootCore>,
        live: &mut OpenGroups,
        normal: &mut El3Regs,
        secure: &mut El3Regs,
        parked: &mut SysRegs,
        el1: bool,
    ) -> Features {
        Self::open_all();
        let here = self.here(boot_core, live);
        (*normal, *secure) = match boot_core.filter(|_| here == *self) {
            Some(boot_core) => (boot_core.normal, boot_core.secure),
            None => (here.el3_regs(World::Normal), here.el3_regs(World::Secure)),
        };
        live.init(here.features(), self.mode(), secure);
        Self::write_el3(secure);
        if here.features().has(Feature::GIC) {
            // In this order: the architecture wants it so.
            gic::reset_group0();
            gic::reset_group1();
        }
        timers::stop_secure(here.features(), self.mode());
        Self::write_el3(normal);
        timers::reset_normal(here.features());
        cpu_ext::init(here.features());
        *parked = SysRegs::EMPTY;
        here.reset_normal(parked, el1);
        here.replace_all(parked);
        Simd::init_lengths(here.features(), parked);
        live.start(here.features(), self.mode());
        self.features().minus(here.features())
    }

    /// Sets up this core for the normal world's first instruction after a power-down state: its registers,
    /// which are in the CPU, become what [`Policy::reset`] says, and what EL3 owns of the extensions is
    /// set up anew. What is the secure world's is left alone: its registers in `live` and in memory, what
    /// it has opened, its EL3 registers. `normal` are the normal world's EL3 registers; they stay, and so
    /// what it has opened stays open. `el1` as in [`Policy::init_el3`].
    pub fn come_back(
        &self,
        boot_core: Option<&BootCore>,
        live: &mut OpenGroups,
        normal: &El3Regs,
        el1: bool,
    ) {
        Self::open_all();
        // The same core, the same lengths: only what EL3 has to set for them counts.
        let here = self.here(boot_core, live);
        Self::write_el3(normal);
        cpu_ext::init(here.features());
        self.renew_normal(&here, live, el1);
    }

    /// Gives the normal world's registers, which are in the CPU, their first values.
    ///
    /// Not inlined: its stack frame has room for all of them.
    #[inline(never)]
    fn renew_normal(&self, here: &Self, live: &mut OpenGroups, el1: bool) {
        let mut first = SysRegs::EMPTY;
        here.reset_normal(&mut first, el1);
        // Vector lengths are not among what is replaced: `first` still has them.
        here.replace_all(&mut first);
        live.simd.come_back(self.mode(), &mut first);
    }

    /// Moves what of the secure world's is still in the CPU to memory: its vector state. For a core that is
    /// about to lose its power. The normal world is current, and what it has in the CPU is of no use any
    /// more.
    #[inline(never)]
    pub fn park_secure(&self, live: &mut OpenGroups, parked: &mut SysRegs) {
        Self::open_all();
        live.simd.park_secure(self, parked);
    }

    /// Puts back what [`Policy::park_secure`] moved, on a core that has lost everything. Before
    /// [`Policy::come_back`].
    #[inline(never)]
    pub fn unpark_secure(&self, live: &mut OpenGroups, normal: &El3Regs, parked: &mut SysRegs) {
        Self::open_all();
        Self::write_el3(normal);
        let mut first = SysRegs::EMPTY;
        self.reset(&mut first);
        live.simd.unpark_secure(self, &mut first, parked);
    }

    /// Has nothing trapped from EL3 itself.
    fn open_all() {
        // SAFETY: for the set-up, EL3 itself must not be trapped; nothing is.
        unsafe { CPTR_EL3::write(el3::cptr::EZ | el3::cptr::ESM) };
        isb();
    }

    /// Writes what of EL3's registers the set-up of a world's registers depends on: EL2's are the normal
    /// world's, some exist once for each world.
    fn write_el3(world: &El3Regs) {
        // SAFETY: values that lower ELs run with; they trap and route nothing of EL3's own.
        unsafe {
            SCR_EL3::write(world.scr_el3);
            MDCR_EL3::write(world.mdcr_el3);
        }
        // What follows is trapped or defined by these values.
        isb();
    }

    /// Replaces what the CPU holds, of whatever it has, with `first`.
    fn replace_all(&self, first: &mut SysRegs) {
        let all = match self.features().has(Feature::EL2) {
            true => SpmcMode::All,
            false => SpmcMode::SEl1,
        };
        let switched = Switched::of(Self::new(self.features(), all).features(), all);
        // SAFETY: the features are this CPU's, and what it held is of no use any more.
        unsafe { Self::swap(switched, first) };
    }

    /// Exchanges what the CPU holds with `parked`.
    ///
    /// # Safety
    ///
    /// The CPU has what is `switched`.
    #[inline(never)]
    unsafe fn swap(switched: Switched, parked: &mut SysRegs) {
        // SAFETY: as the caller promises; EL3 uses none of these registers.
        unsafe {
            parked.common.swap(switched);
            if switched.is(Switch::El2) {
                parked.el2.swap(switched);
            }
            if switched.is(Switch::El1) {
                parked.el1.swap(switched);
            }
        }
    }

    /// Exchanges the registers of one extension alone with `parked`. Seldom, so it takes no code of its
    /// own: what is always switched is exchanged twice, which leaves it as it was.
    ///
    /// # Safety
    ///
    /// The CPU has the extension.
    pub(super) unsafe fn swap_extension(&self, feature: Feature, parked: &mut SysRegs) {
        let alone = |features| Switched::of(features, self.mode());
        // SAFETY: as the caller promises.
        unsafe {
            Self::swap(alone(Features::NONE), parked);
            Self::swap(alone(Features::of(&[feature])), parked);
        }
    }

    /// Switches the core from the normal world to the secure world: the latter's registers are in
    /// `parked`, the former's will be. `el3` are the secure world's.
    #[inline(always)]
    pub fn to_secure(&self, live: &mut OpenGroups, parked: &mut SysRegs, el3: &El3Regs) {
        live.leave_normal(self, parked);
        let switched = live.switched();
        timers::save(switched, &mut parked.common);
        // SAFETY: both halves of the switch are here, for this core.
        unsafe {
            el3.write(switched);
            Self::swap(switched, parked);
        }
    }

    /// Switches the core from the secure world to the normal world, whose registers are in `parked`.
    /// `el3` are the normal world's.
    #[inline(always)]
    pub fn to_normal(&self, live: &mut OpenGroups, parked: &mut SysRegs, el3: &El3Regs) {
        live.leave_secure(self, parked);
        let switched = live.switched();
        // SAFETY: both halves of the switch are here, for this core.
        unsafe {
            el3.write(switched);
            Self::swap(switched, parked);
        }
        timers::load(switched, &parked.common);
        live.enter_normal();
    }

    /// Enters the normal world on a core that [`Policy::init_el3`] has just set up for it.
    pub fn enter_normal(&self, live: &OpenGroups, el3: &El3Regs) {
        // SAFETY: the other half of the switch, the world's registers, is in the CPU.
        unsafe { el3.write(live.switched()) };
    }

    /// Resolves a trap of `world`, whose registers are in the CPU: a synchronous exception with this
    /// ESR_EL3 that is no SMC. When the world goes on, either the instruction can be executed, or
    /// it takes an UNDEFINED exception there.
    ///
    /// `el3` and `gpr` (x0 to x30) are the world's, `parked` the other world's system registers.
    #[cold]
    pub fn resolve_trap(
        &self,
        live: &mut OpenGroups,
        world: World,
        el3: &mut El3Regs,
        gpr: &mut [u64; 31],
        parked: &mut SysRegs,
        esr: u64,
    ) {
        if !live.first_use(self, world, el3, parked, esr) {
            undefined::inject(self, gpr);
        }
    }
}
