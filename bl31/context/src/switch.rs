//! The code behind a [`Policy`]: sets a core up for its worlds, and switches it from one to the other.

use super::sysreg::{CPTR_EL3, MDCR_EL3, MIDR_EL1, MPIDR_EL1, SCR_EL3, isb};
use super::{
    BootCore, El3Regs, Feature, Features, IdRegs, OpenGroups, Policy, Simd, SpmcMode, Switch,
    Switched, SysRegs, World, el3, opening, timers, undefined,
};
use crate::cpu_ext::{self, gic, impdef::FirstActlr};

/// SCTLR_EL1 at reset: its RES1 bits. MMU and caches off.
const SCTLR_EL1_RESET: u64 = 0x30d0_0980;
/// SCTLR_EL2 at reset: its RES1 bits. MMU and caches off.
const SCTLR_EL2_RESET: u64 = 0x30c5_0830;
/// HCR_EL2 at the start: RW, EL1 is AArch64. All else is as if EL2 did not exist.
const HCR_EL2_RESET: u64 = 1 << 31;
/// CPTR_EL2 at the start (HCR_EL2.E2H = 0): its RES1 bits, with the traps of SVE and SME clear.
const CPTR_EL2_RESET: u64 = 0x22ff;
/// CNTHCTL_EL2 at the start: EL1PCTEN and EL1PCEN, EL1 may use the physical counter and timer.
const CNTHCTL_EL2_RESET: u64 = 3;

impl Policy {
    /// Returns the values with which EL3's registers start for `world`.
    pub fn el3_regs(&self, world: World) -> El3Regs {
        let mut el3 = opening::start(self.features(), self.mode().el2(), world);
        Simd::start(self.features(), self.mode(), world, &mut el3);
        el3
    }

    /// Returns whether this CPU can run an SPMC at S-EL2.
    pub fn cpu_has_sel2() -> bool {
        el3::has_sel2(&IdRegs::read())
    }

    /// Makes the policy for this CPU. Called on the boot core.
    pub fn detect(mode: SpmcMode) -> Self {
        Self::new(Features::from_id(&IdRegs::read()), mode)
    }

    /// Returns the decisions for this core, the boot core. Cores that are like it take them over.
    pub fn boot_core(&self) -> BootCore {
        BootCore {
            id: IdRegs::read(),
            normal: self.el3_regs(World::Normal),
            secure: self.el3_regs(World::Secure),
            whole: Switched::whole(self.features()),
            closed: Switched::of(
                self.features().minus(cpu_ext::OPEN_ON_FIRST_USE),
                self.mode(),
                false,
            ),
        }
    }

    /// Returns the policy for this core, without the features that it lacks. CPTR_EL3 must trap nothing.
    fn here(&self, boot_core: Option<&BootCore>, live: &mut OpenGroups) -> Self {
        let like = boot_core.is_some_and(|boot_core| IdRegs::are(&boot_core.id));
        let mut mine = if like {
            self.features()
        } else {
            Features::from_id(&IdRegs::read())
        };
        live.simd.measure(&mut mine);
        Self::new(self.features().and(mine), self.mode())
    }

    /// Sets in `sys`, which is all zero, the values that software may expect at its first instruction, by the
    /// architecture or by custom: reset values, with EL2's controls such that EL1 works as if EL2 did not exist.
    pub(super) fn reset(&self, actlr: &mut FirstActlr, sys: &mut SysRegs) {
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
        actlr.put(self.features(), sys);
    }

    /// Sets the normal world's first values in `sys`. `el1` says that it starts at EL1, so that no software sets EL2
    /// up.
    pub(super) fn reset_normal(&self, actlr: &mut FirstActlr, sys: &mut SysRegs, el1: bool) {
        self.reset(actlr, sys);
        if el1 && self.features().has(Feature::EL2) {
            cpu_ext::unused_el2(self.features(), sys);
        }
    }

    /// Sets up this core for the first instruction of both worlds: EL3's registers, and the normal world's in the CPU
    /// and the secure world's in `parked`, with the values of `Policy::reset`. Called on each core when it comes on.
    ///
    /// `normal` and `secure` become [`Policy::el3_regs`], with the extensions open that `live` has as open.
    ///
    /// `el1` says that the normal world starts at EL1, so that no software sets EL2 up.
    ///
    /// Returns the features that the boot core has and this core lacks. The worlds have to do without them here, and
    /// they are not switched. Features that only this core has stay trapped.
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
        let like = boot_core.filter(|_| here == *self);
        let whole = match like {
            Some(boot_core) => {
                (*normal, *secure) = (boot_core.normal, boot_core.secure);
                boot_core.whole
            }
            None => {
                (*normal, *secure) = (here.el3_regs(World::Normal), here.el3_regs(World::Secure));
                Switched::whole(here.features())
            }
        };
        live.init(here.features(), secure);
        Self::write_el3(secure);
        if here.features().has(Feature::GIC) {
            // The architecture requires this order.
            gic::reset_group0();
            gic::reset_group1();
        }
        timers::stop_secure(here.features(), self.mode());
        Self::write_el3(normal);
        timers::reset_normal(here.features());
        cpu_ext::init(here.features());
        *parked = SysRegs::EMPTY;
        here.reset_normal(&mut live.actlr, parked, el1);
        Self::replace_all(whole, parked);
        Simd::load_lengths(here.features(), parked);
        if el1 {
            *parked = SysRegs::EMPTY;
            here.reset(&mut live.actlr, parked);
        }
        live.start(
            here.features(),
            self.mode(),
            like.map(|boot_core| boot_core.closed),
        );
        self.features().minus(here.features())
    }

    /// Sets up this core for the normal world's first instruction after a power-down state. The normal world's
    /// registers, which are in the CPU, get the values of `Policy::reset`. EL3's own registers of the extensions are
    /// set up anew. The secure world's state is left alone: its registers, the extensions that it has opened, and its
    /// EL3 registers. `normal` are the normal world's EL3 registers; they stay, so that what it has opened stays open.
    /// `el1` is as in [`Policy::init_el3`].
    pub fn come_back(
        &self,
        boot_core: Option<&BootCore>,
        live: &mut OpenGroups,
        normal: &El3Regs,
        el1: bool,
    ) {
        Self::open_all();
        // This measures the vector lengths again. They are as before; what counts is that EL3's registers for them
        // are set.
        let here = self.here(boot_core, live);
        Self::write_el3(normal);
        cpu_ext::init(here.features());
        self.renew_normal(&here, live, el1);
    }

    /// Gives the normal world's registers, which are in the CPU, their first values.
    ///
    /// It is not inlined, because its stack frame is large: it holds all of them.
    #[inline(never)]
    fn renew_normal(&self, here: &Self, live: &mut OpenGroups, el1: bool) {
        let mut first = SysRegs::EMPTY;
        here.reset_normal(&mut live.actlr, &mut first, el1);
        // `replace_all` leaves the vector lengths out.
        Self::replace_all(Switched::whole(here.features()), &first);
        live.simd.come_back(self.mode(), &first);
    }

    /// Moves the secure world's vector state to memory, as far as it is still in the CPU. For a core that is about to
    /// lose its power. The normal world is current, and does not need its registers any more.
    #[inline(never)]
    pub fn park_secure(&self, live: &mut OpenGroups, parked: &mut SysRegs) {
        Self::open_all();
        live.simd.park_secure(self, parked);
    }

    /// Restores what [`Policy::park_secure`] moved, on a core that has lost everything. Call it before
    /// [`Policy::come_back`].
    #[inline(never)]
    pub fn unpark_secure(&self, live: &mut OpenGroups, normal: &El3Regs, parked: &mut SysRegs) {
        Self::open_all();
        Self::write_el3(normal);
        let mut first = SysRegs::EMPTY;
        self.reset(&mut live.actlr, &mut first);
        live.simd.unpark_secure(self, &first, parked);
    }

    /// Lets EL3 itself use everything: CPTR_EL3 traps nothing.
    fn open_all() {
        // SAFETY: this value traps nothing.
        unsafe { CPTR_EL3::write(el3::cptr::EZ | el3::cptr::ESM) };
        isb();
    }

    /// Writes SCR_EL3 and MDCR_EL3 of a world. Its registers are set up after that: some are banked per world, and
    /// those of EL2 depend on SCR_EL3.
    fn write_el3(world: &El3Regs) {
        // SAFETY: lower ELs run with these values. They neither trap nor route anything of EL3's own.
        unsafe {
            SCR_EL3::write(world.scr_el3);
            MDCR_EL3::write(world.mdcr_el3);
        }
        // The accesses that follow depend on these values.
        isb();
    }

    /// Writes a world's EL3 registers once more, which have changed while it is the current one.
    pub fn renew_el3(&self, world: &El3Regs) {
        Self::write_el3(world);
    }

    /// Replaces the values of all registers that the CPU has with those in `first`. `whole` is this CPU's
    /// [`Switched::whole`].
    #[inline(never)]
    fn replace_all(whole: Switched, first: &SysRegs) {
        // SAFETY: the features are this CPU's, and the former values are not needed any more.
        unsafe {
            first.common.load(whole);
            if whole.is(Switch::El2) {
                first.el2.load(whole);
            }
            first.el1.load(whole);
        }
    }

    /// Exchanges the CPU's registers with `parked`, and tests each group.
    ///
    /// # Safety
    ///
    /// The CPU has the features in `switched`.
    #[cold]
    #[inline(never)]
    unsafe fn swap(switched: Switched, parked: &mut SysRegs) {
        // SAFETY: as the caller promises; EL3 uses none of these registers.
        unsafe {
            parked.common.swap::<false>(switched);
            parked.common.swap_late(switched);
            if switched.is(Switch::El2) {
                parked.el2.swap::<false>(switched);
                parked.el2.swap_late(switched);
            }
            if switched.is(Switch::El1) {
                parked.el1.swap::<false>(switched);
                parked.el1.swap_late(switched);
            }
            if switched.is(Switch::Rare) {
                Self::swap_rare(switched, parked);
            }
        }
    }

    /// Does what [`Policy::swap`] does if [`Switch::StraightEl2`] is set, with few tests.
    ///
    /// # Safety
    ///
    /// The CPU has what is `switched`.
    #[inline(always)]
    unsafe fn swap_el2(switched: Switched, parked: &mut SysRegs) {
        // SAFETY: as the caller promises; EL3 uses none of these registers.
        unsafe {
            parked.common.swap::<true>(switched);
            parked.el2.swap::<true>(switched);
            if switched.is(Switch::More) {
                parked.common.swap_late(switched);
                parked.el2.swap_late(switched);
                if switched.is(Switch::Rare) {
                    Self::swap_rare(switched, parked);
                }
            }
        }
    }

    /// Does what [`Policy::swap`] does if [`Switch::StraightEl1`] is set, with few tests.
    ///
    /// # Safety
    ///
    /// The CPU has what is `switched`.
    #[inline(always)]
    unsafe fn swap_el1(switched: Switched, parked: &mut SysRegs) {
        // SAFETY: as the caller promises; EL3 uses none of these registers.
        unsafe {
            parked.common.swap::<true>(switched);
            parked.el1.swap::<true>(switched);
            if switched.is(Switch::More) {
                parked.common.swap_late(switched);
                parked.el1.swap_late(switched);
                if switched.is(Switch::Rare) {
                    Self::swap_rare(switched, parked);
                }
            }
        }
    }

    /// Exchanges the rare groups.
    ///
    /// # Safety
    ///
    /// The CPU has what is `switched`.
    #[cold]
    #[inline(never)]
    unsafe fn swap_rare(switched: Switched, parked: &mut SysRegs) {
        // SAFETY: as the caller promises; EL3 uses none of these registers.
        unsafe {
            parked.common.swap_rare(switched);
            if switched.is(Switch::El2) {
                parked.el2.swap_rare(switched);
            }
            if switched.is(Switch::El1) {
                parked.el1.swap_rare(switched);
            }
        }
    }

    /// Exchanges the registers of one extension alone with `parked`. This is rare, so it has no code of its own: all
    /// registers that are always switched are exchanged twice, which leaves them as they were.
    ///
    /// # Safety
    ///
    /// The CPU has the extension.
    pub(super) unsafe fn swap_extension(&self, feature: Feature, parked: &mut SysRegs) {
        let alone = |features| Switched::of(features, self.mode(), false);
        // SAFETY: as the caller promises.
        unsafe {
            Self::swap(alone(Features::NONE), parked);
            Self::swap(alone(Features::of(&[feature])), parked);
        }
    }

    /// Switches the core from the normal world to the secure world. `parked` has the secure world's registers before,
    /// and the normal world's after. `el3` are the secure world's EL3 registers. If [`Switch::Beside`] is set, call
    /// [`OpenGroups::leave_normal`] first. `STRAIGHT`: with code of its own for the usual CPU, which has few tests.
    #[inline(always)]
    pub fn to_secure<const STRAIGHT: bool>(
        switched: Switched,
        parked: &mut SysRegs,
        el3: &El3Regs,
    ) {
        // SAFETY: both halves of the switch are here, for this core. Each branch has tested the Switch that it needs.
        unsafe {
            if STRAIGHT && switched.is(Switch::StraightEl1) {
                timers::save_el1(&mut parked.common);
                el3.write();
                Self::swap_el1(switched, parked);
            } else if STRAIGHT && switched.is(Switch::StraightEl2) {
                timers::save_el2(&mut parked.common);
                el3.write();
                Self::swap_el2(switched, parked);
            } else {
                timers::save(switched, &mut parked.common);
                el3.write();
                Self::swap(switched, parked);
            }
        }
    }

    /// Switches the core from the secure world to the normal world. `parked` has the normal world's registers before,
    /// and the secure world's after. `el3` are the normal world's EL3 registers. If [`Switch::Beside`] is set, call
    /// [`OpenGroups::leave_secure`] first and [`OpenGroups::enter_normal`] next. `STRAIGHT` is as in `to_secure`.
    #[inline(always)]
    pub fn to_normal<const STRAIGHT: bool>(
        switched: Switched,
        parked: &mut SysRegs,
        el3: &El3Regs,
    ) {
        // SAFETY: as in `to_secure`.
        unsafe {
            el3.write();
            if STRAIGHT && switched.is(Switch::StraightEl1) {
                Self::swap_el1(switched, parked);
                timers::load_el1(&parked.common);
            } else if STRAIGHT && switched.is(Switch::StraightEl2) {
                Self::swap_el2(switched, parked);
                timers::load_el2(&parked.common);
            } else {
                Self::swap(switched, parked);
                timers::load(switched, &parked.common);
            }
        }
    }

    /// Enters the normal world on a core that [`Policy::init_el3`] has just set up for it.
    pub fn enter_normal(live: &OpenGroups, el3: &El3Regs) {
        // SAFETY: the world's registers, the other half of the switch, are in the CPU.
        unsafe {
            el3.write();
            el3.write_beside(live.switched());
        }
    }

    /// Handles a trap of `world`, whose registers are in the CPU: a synchronous exception with this
    /// ESR_EL3 that is no SMC. After it, the world either executes the instruction again, or takes an UNDEFINED
    /// exception there.
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
            undefined::inject(live.core_features(), gpr);
        }
    }
}
