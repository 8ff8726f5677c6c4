//! EL3's own registers that control the worlds: SCR_EL3, CPTR_EL3 and MPAM3_EL3 have one value per world, MDCR_EL3
//! has one value per core.
//!
//! Everything starts trapped. A [`Control`] says what can be opened, to which world and when; [`super::opening`]
//! collects them.

use super::sysreg::{CPTR_EL3, MPAM3_EL3, SCR_EL3};
use super::{Feature, IdRegs, Switched, World};

/// Bits of SCR_EL3 that belong to no extension.
pub mod scr {
    /// The levels below are in the Non-secure state.
    pub const NS: u64 = 1 << 0;
    /// FIQs are taken to EL3.
    pub const FIQ: u64 = 1 << 2;
    /// The bits that are always set.
    pub const RES1: u64 = 3 << 4;
    /// HVC is enabled.
    pub const HCE: u64 = 1 << 8;
    /// The secure world cannot fetch instructions from Non-secure memory.
    pub const SIF: u64 = 1 << 9;
    /// The next lower EL is AArch64.
    pub const RW: u64 = 1 << 10;
    /// Secure EL1 may use the secure physical timer, CNTPS.
    pub const ST: u64 = 1 << 11;
    /// S-EL2 is enabled.
    pub const EEL2: u64 = 1 << 18;
}

/// Bits of CPTR_EL3 that [`super::Simd`] changes.
pub mod cptr {
    /// SVE is not trapped.
    pub const EZ: u64 = 1 << 8;
    /// FP and SIMD are trapped. Never set for the secure world.
    pub const TFP: u64 = 1 << 10;
    /// SME is not trapped.
    pub const ESM: u64 = 1 << 12;
}

/// Bits of MDCR_EL3 that belong to no extension.
pub mod mdcr {
    /// Secure self-hosted debug of AArch32 is disabled.
    pub const SPD32_DISABLED: u64 = 2 << 14;
    /// Secure self-hosted debug is disabled.
    pub const SDD: u64 = 1 << 16;
}

/// A register of EL3 that has controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// SCR_EL3.
    Scr,
    /// CPTR_EL3.
    Cptr,
    /// MDCR_EL3.
    Mdcr,
    /// MPAM3_EL3.
    Mpam3,
}

/// Who may use what a control opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Both,
    Normal,
    /// The normal world and an SPMC at S-EL2.
    NormalAndSEl2,
}

/// When a control opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// To the secure world on its first use, see [`super::live`].
    SecureFirstUse,
    /// To each world on its first use, see [`super::simd`].
    FirstUse,
}

/// A bit of one of EL3's registers that lets the worlds use something.
///
/// By default both worlds may use it from the start, and SMCCC_ARCH_FEATURE_AVAILABILITY reports the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    register: Register,
    /// The number of the bit: a table of masks would be four times as large.
    bit: u8,
    /// Whether the bit traps when it is set. Else it enables when it is set.
    traps: bool,
    who: For,
    when: When,
    /// Whether SMCCC_ARCH_FEATURE_AVAILABILITY reports the bit to a world that may use it.
    told: bool,
}

impl Control {
    const fn new(register: Register, mask: u64, traps: bool) -> Self {
        assert!(mask.is_power_of_two(), "a control is one bit");
        Self {
            register,
            bit: mask.trailing_zeros() as u8,
            traps,
            who: For::Both,
            when: When::Always,
            told: true,
        }
    }

    /// A control that opens nothing and is not reported, to fill a table with before the others are put into it.
    pub const NONE: Self = Self::enable(Register::Scr, 1).on_first_use().not_told();

    /// Makes a control of a bit that enables when it is set.
    pub const fn enable(register: Register, mask: u64) -> Self {
        Self::new(register, mask, false)
    }

    /// Makes a control of a bit that traps when it is set.
    pub const fn trap(register: Register, mask: u64) -> Self {
        Self::new(register, mask, true)
    }

    /// Returns the register's value with this bit alone.
    const fn mask(&self) -> u64 {
        // The mask spares a check that the number is below 64.
        1 << (self.bit & 63)
    }

    /// Opens it to the normal world alone. (MDCR_EL3 has one value for both worlds. Such a bit applies to the
    /// Non-secure state alone.)
    pub const fn normal_only(self) -> Self {
        Self {
            who: For::Normal,
            ..self
        }
    }

    /// Leaves it closed to an SPMC at S-EL1. The code that opens it on first use makes that sure.
    pub const fn not_at_sel1(self) -> Self {
        assert!(matches!(self.when, When::FirstUse));
        Self {
            who: For::NormalAndSEl2,
            ..self
        }
    }

    /// Opens it to the secure world on its first use.
    pub const fn secure_on_first_use(self) -> Self {
        assert!(matches!(self.register, Register::Scr) && !self.traps);
        Self {
            when: When::SecureFirstUse,
            ..self
        }
    }

    /// Opens it to each world on its first use.
    pub const fn on_first_use(self) -> Self {
        Self {
            when: When::FirstUse,
            ..self
        }
    }

    /// Has SMCCC_ARCH_FEATURE_AVAILABILITY leave the bit out, because it only adds to another control.
    pub const fn not_told(self) -> Self {
        Self {
            told: false,
            ..self
        }
    }

    /// Returns whether `world` may use it. `sel2` says whether the SPMC runs at S-EL2.
    const fn is_for(&self, world: World, sel2: bool) -> bool {
        match self.who {
            For::Both => true,
            For::Normal => matches!(world, World::Normal),
            For::NormalAndSEl2 => matches!(world, World::Normal) || sel2,
        }
    }

    /// Returns the bit of `register` by which SMCCC_ARCH_FEATURE_AVAILABILITY reports to `world` that it may use it.
    pub fn told(&self, register: Register, sel2: bool, world: World) -> u64 {
        if self.told && self.register == register && self.is_for(world, sel2) {
            self.mask()
        } else {
            0
        }
    }

    /// Returns whether `world` starts with it open, on a CPU that has the extension.
    const fn starts_open(&self, world: World) -> bool {
        // MDCR_EL3 has one value for both.
        let mine = matches!(self.register, Register::Mdcr) || self.is_for(world, false);
        mine && match self.when {
            When::Always => true,
            When::SecureFirstUse => matches!(world, World::Normal),
            When::FirstUse => false,
        }
    }

    /// Opens it in `el3` if `world` starts with it open.
    pub fn open(&self, world: World, el3: &mut El3Regs) {
        if self.starts_open(world) {
            let register = el3.get(self.register);
            if self.traps {
                *register &= !self.mask();
            } else {
                *register |= self.mask();
            }
        }
    }

    /// Returns registers with the traps set of those `controls` that do not open to both worlds.
    pub const fn traps(controls: &[Control]) -> El3Regs {
        let (mut traps, mut i) = (El3Regs::EMPTY, 0);
        while i < controls.len() {
            if controls[i].traps && !matches!(controls[i].who, For::Both) {
                *traps.get(controls[i].register) |= controls[i].mask();
            }
            i += 1;
        }
        traps
    }

    /// Returns whether two controls are of one bit.
    #[cfg(test)]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.register == other.register && self.bit == other.bit
    }

    /// Returns the bits of SCR_EL3 in `controls` that open to the secure world on its first use.
    pub const fn first_use(controls: &[Control]) -> u64 {
        let (mut bits, mut i) = (0, 0);
        while i < controls.len() {
            if matches!(controls[i].when, When::SecureFirstUse) {
                bits |= controls[i].mask();
            }
            i += 1;
        }
        bits
    }
}

/// The values of EL3's registers for one world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct El3Regs {
    /// Written on each switch to the world. Its NS bit says which world is current, so this crate alone changes it.
    pub(crate) scr_el3: u64,
    /// Written on each switch to the world. [`super::Simd`] changes EZ, ESM and TFP.
    pub(crate) cptr_el3: u64,
    /// Written on each switch to the world, if the CPU has FEAT_MPAM.
    pub(crate) mpam3_el3: u64,
    /// Written once per core. It has bits for each security state, so that one value serves both worlds.
    pub(crate) mdcr_el3: u64,
}

impl El3Regs {
    /// The registers of a world that was never set up: nothing is allowed.
    pub const EMPTY: Self = Self {
        scr_el3: 0,
        cptr_el3: 0,
        mpam3_el3: 0,
        mdcr_el3: 0,
    };

    /// Returns one of the registers.
    const fn get(&mut self, register: Register) -> &mut u64 {
        match register {
            Register::Scr => &mut self.scr_el3,
            Register::Cptr => &mut self.cptr_el3,
            Register::Mdcr => &mut self.mdcr_el3,
            Register::Mpam3 => &mut self.mpam3_el3,
        }
    }

    /// Returns the bits of both, joined.
    pub const fn or(self, other: Self) -> Self {
        Self {
            scr_el3: self.scr_el3 | other.scr_el3,
            cptr_el3: self.cptr_el3 | other.cptr_el3,
            mpam3_el3: self.mpam3_el3 | other.mpam3_el3,
            mdcr_el3: self.mdcr_el3 | other.mdcr_el3,
        }
    }

    /// Has FIQs that come while the world runs go to EL3, or to the world itself.
    pub fn route_fiqs(&mut self, to_el3: bool) {
        if to_el3 {
            self.scr_el3 |= scr::FIQ;
        } else {
            self.scr_el3 &= !scr::FIQ;
        }
    }

    /// Writes the registers that a switch to the world changes on every CPU.
    ///
    /// There is no `isb`: nothing at EL3 depends on the new values before the ERET, which synchronises.
    /// The one exception is in [`super::Simd`].
    ///
    /// # Safety
    ///
    /// The caller goes on to load this world's registers and to enter it.
    #[inline(always)]
    pub(crate) unsafe fn write(&self) {
        // Both are read first: the compiler then loads them as a pair.
        let (scr_el3, cptr_el3) = (self.scr_el3, self.cptr_el3);
        // SAFETY: until the ERET, EL3 uses nothing that these values trap; the ERET goes to the world for which
        // they are meant, as the caller promises.
        unsafe {
            SCR_EL3::write(scr_el3);
            CPTR_EL3::write(cptr_el3);
        }
    }

    /// Returns whether the registers that each switch writes have these values. Only for the host: on a CPU, bits that
    /// it does not have read as zero.
    #[cfg(not(target_os = "none"))]
    pub fn are_in_cpu(&self) -> bool {
        (SCR_EL3::read(), CPTR_EL3::read()) == (self.scr_el3, self.cptr_el3)
    }

    /// Writes the register that a switch to the world changes on CPUs with FEAT_MPAM.
    pub(crate) fn write_beside(&self, switched: Switched) {
        if switched.has(Feature::MPAM) {
            // SAFETY: it has no effect on EL3. It labels the memory accesses of lower ELs, and traps their MPAM registers.
            unsafe { MPAM3_EL3::write(self.mpam3_el3) };
        }
    }
}

/// Returns the world whose registers are in the CPU. SCR_EL3.NS says it: a switch writes it.
pub fn current_world() -> World {
    if SCR_EL3::read() & scr::NS != 0 {
        World::Normal
    } else {
        World::Secure
    }
}

/// Returns whether the CPU can run an SPMC at S-EL2.
pub fn has_sel2(id: &IdRegs) -> bool {
    id.el2() && super::field(id.pfr0, 36) != 0
}
