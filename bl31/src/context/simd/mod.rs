//! Vector and matrix registers: FP, SIMD, SVE, SME.
//!
//! EL3 uses none of them itself (it is built for a soft-float target), so they pass through it
//! untouched; this module is where they are switched. The instructions that do it are in
//! `vectors`, in a section of their own.
//!
//! *What.* Where the SPMC runs at S-EL1 (or relies on EL3 for everything), Q0-Q31, FPSR, FPCR and
//! FPMR are switched. For every SPMC, the normal world's Z, P, FFR and streaming mode come back as
//! they were, at full vector length: an SPMC that waits with SVE trapped for itself cannot save them,
//! because the CPU may drop all above 128 bits on the way to it.
//!
//! *When.* Only what is live. A world starts with SVE and SME trapped (CPTR_EL3.EZ, ESM clear),
//! and the normal world with FP trapped where FP is switched. Its first use comes to
//! `Simd::first_use`, which opens the trap for good. A trap that is open in both worlds, or state
//! behind an open trap, is switched eagerly from then on; a call with the hint of SMCCC 1.3 leaves
//! SVE out. While a trap is closed the world has no such state of its own, and what it would find
//! there is cleared before it opens.
//!
//! *What stays where it is.* ZA and ZT0 stay in the CPU while the secure world runs: up to 64 KiB a
//! core that an SPMC at S-EL1 cannot touch at all (SME is closed to it), and that one at S-EL2 has no
//! business with. docs/context.md argues all of it.

use super::{El3Regs, Feature, Features, Policy, SpmcMode, SysRegs, World, el3::cptr};
use super::{
    sysreg::{CPTR_EL3, FPCR, FPSR, isb},
    vectors,
};
use crate::cpu_ext::{
    fpmr::FPMR_EL0,
    sme::{self, SVCR},
    sve,
};

/// SVCR.SM: streaming mode.
const SVCR_SM: u64 = 1;
/// SVCR.ZA: ZA holds something.
const SVCR_ZA: u64 = 2;

/// Bit 16 of a function ID: no SVE state is live (SMCCC 1.3).
const HINT: u32 = 1 << 16;

/// The registers beside the vectors.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Control {
    fpsr: u64,
    fpcr: u64,
    fpmr: u64,
}

impl Control {
    const EMPTY: Self = Self {
        fpsr: 0,
        fpcr: 0,
        fpmr: 0,
    };

    fn save(&mut self, features: Features) {
        self.fpsr = FPSR::read();
        self.fpcr = FPCR::read();
        if features.has(Feature::FPMR) {
            self.fpmr = FPMR_EL0::read();
        }
    }

    fn load(&self, features: Features) {
        FPSR::write(self.fpsr);
        FPCR::write(self.fpcr);
        if features.has(Feature::FPMR) {
            FPMR_EL0::write(self.fpmr);
        }
    }
}

/// What of the normal world is in [`Simd`] while the secure world runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saved {
    Nothing,
    /// Q0-Q31.
    Q,
    /// Z, P and FFR.
    Z,
    /// Z, P and, with FEAT_SME_FA64, FFR at the streaming vector length.
    Streaming,
}

/// Traps that a world's first use has opened.
mod opened {
    pub const NORMAL_FP: u8 = 1 << 0;
    pub const NORMAL_SVE: u8 = 1 << 1;
    pub const NORMAL_SME: u8 = 1 << 2;
    pub const SECURE_SVE: u8 = 1 << 3;
    pub const SECURE_SME: u8 = 1 << 4;
    pub const BOTH_SVE: u8 = NORMAL_SVE | SECURE_SVE;
    /// Not a trap, but tested with them: [`super::super::door`] has something to do.
    pub const DOOR: u8 = 1 << 5;
    pub const BOTH_SME: u8 = NORMAL_SME | SECURE_SME;
}

/// The bytes of Q0-Q31.
const Q_SIZE: usize = 32 * 16;

/// One core's vector state of the world that is not in the CPU, and what each world has used.
#[derive(Debug)]
pub struct Simd {
    /// The normal world's SVCR.
    svcr: u64,
    /// The function ID of the call that leaves the normal world, for its hint.
    call: u32,
    /// See `opened`.
    opened: u8,
    saved: Saved,
    normal: Control,
    secure: Control,
    /// Where vector registers are kept, [`Simd::room`] bytes for vectors of `length` at least: the
    /// secure world's Q0-Q31, then the normal world's Z0-Z31 (or Q0-Q31), P0-P15 and FFR.
    memory: &'static mut [u8],
    /// The longest vectors of this core, in bytes: SVE's or those of streaming mode.
    length: u16,
    /// What the core has and has memory for.
    features: Features,
}

impl Simd {
    /// The memory that a core with vectors of `length` bytes needs. At least 16, even without SVE: FP.
    pub const fn room(length: u16) -> usize {
        let length = length as usize;
        Q_SIZE + 32 * length + 2 * length + length.div_ceil(128) * 16
    }

    /// A core that never was on. `memory` is aligned to 16 bytes and has [`Simd::room`] for FP.
    pub const fn new(memory: &'static mut [u8]) -> Self {
        Self {
            normal: Control::EMPTY,
            secure: Control::EMPTY,
            svcr: 0,
            call: 0,
            opened: 0,
            saved: Saved::Nothing,
            memory,
            length: 16,
            features: Features::NONE,
        }
    }

    /// The secure world's Q0-Q31.
    fn secure_q(&mut self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    /// The normal world's Z0-Z31, or Q0-Q31.
    fn z(&mut self) -> *mut u8 {
        self.secure_q().wrapping_add(Q_SIZE)
    }

    /// The normal world's P0-P15.
    fn p(&mut self) -> *mut u8 {
        self.z().wrapping_add(32 * usize::from(self.length))
    }

    /// The normal world's FFR.
    fn ffr(&mut self) -> *mut u8 {
        self.p().wrapping_add(2 * usize::from(self.length))
    }

    /// Finds out how long this core's vectors are, and takes out of `features` what there is no
    /// memory for. CPTR_EL3 must trap nothing.
    pub(super) fn measure(&mut self, features: &mut Features) {
        let mut longest = 16;
        if features.has(Feature::SVE) {
            longest = longest.max(sve::longest());
        }
        if features.has(Feature::SME) {
            longest = longest.max(sme::longest());
        }
        if Self::room(longest) > self.memory.len() {
            longest = 16;
            for feature in [Feature::SVE, Feature::SME, Feature::SME2, Feature::SME_FA64] {
                features.remove(feature);
            }
        }
        self.length = longest;
    }

    /// To be told w0 of each call of the normal world that may go to the secure world, and zero for
    /// an interrupt: bit 16 says that no SVE state is live.
    #[inline(always)]
    pub fn call(&mut self, function: u32) {
        self.call = function;
    }

    /// Whether the normal world's first use of FP is waited for. Not where EL2 registers are switched
    /// too: FPEXC32_EL2 would be trapped with FP.
    fn fp_is_lazy(features: Features, mode: SpmcMode) -> bool {
        mode == SpmcMode::SEl1 && !features.has(Feature::EAGER_FP)
    }

    /// Sets in `el3` what `world` starts with. Without an SPMC nobody else has the registers, so
    /// nothing need be known about their use.
    pub fn start(features: Features, mode: SpmcMode, world: World, el3: &mut El3Regs) {
        if mode == SpmcMode::None {
            if features.has(Feature::SVE) {
                el3.cptr_el3 |= cptr::EZ;
            }
            if features.has(Feature::SME) {
                el3.cptr_el3 |= cptr::ESM;
            }
        } else if world == World::Normal && Self::fp_is_lazy(features, mode) {
            el3.cptr_el3 |= cptr::TFP;
        }
    }

    /// Exchanges the registers that control vector lengths with `first`. CPTR_EL3 must trap nothing.
    pub(super) fn init_lengths(features: Features, first: &mut SysRegs) {
        // SAFETY: the registers are the CPU's, and EL3 does not depend on lengths of lower ELs.
        unsafe {
            if features.has(Feature::SVE) {
                Self::swap_sve(features, first);
            }
            if features.has(Feature::SME) {
                Self::swap_sme(features, first);
            }
        }
    }

    /// Exchanges SVE's registers with those of `sys`.
    ///
    /// # Safety
    ///
    /// The CPU has them, CPTR_EL3 does not trap them, and EL3 does not depend on lengths of lower ELs.
    #[inline(never)]
    unsafe fn swap_sve(features: Features, sys: &mut SysRegs) {
        // SAFETY: as the caller promises.
        unsafe {
            sys.el1.swap_group::<sve::SveEl1>();
            if features.has(Feature::EL2) {
                sys.el2.swap_group::<sve::SveEl2>();
            }
        }
    }

    /// Exchanges SME's registers with those of `sys`.
    ///
    /// # Safety
    ///
    /// As [`Self::swap_sve`].
    #[inline(never)]
    unsafe fn swap_sme(features: Features, sys: &mut SysRegs) {
        // SAFETY: as the caller promises.
        unsafe {
            sys.el1.swap_group::<sme::SmeEl1>();
            if features.has(Feature::EL2) {
                sys.el2.swap_group::<sme::SmeEl2>();
            }
        }
    }

    /// Clears the vector registers of a core that just came on: what boot firmware or the core's
    /// former life left there is gone. CPTR_EL3 must trap nothing.
    pub(super) fn init(&mut self, features: Features, mode: SpmcMode) {
        // Z above Q, and P, are written before they are read.
        if mode.el1()
            && let Some(both_q) = self.memory.get_mut(..2 * Q_SIZE)
        {
            both_q.fill(0);
        }
        (self.normal, self.secure) = (Control::EMPTY, Control::EMPTY);
        (self.svcr, self.call, self.opened, self.saved) = (0, 0, 0, Saved::Nothing);
        self.features = features;
        if mode.el1() && !Self::fp_is_lazy(features, mode) {
            self.opened = opened::NORMAL_FP;
        }
        self.clear();
    }

    /// The normal world comes back to its core, whose registers are in the CPU, from a state in which it
    /// gave them up: what it has open starts as new. What is the secure world's stays, wherever it is.
    /// CPTR_EL3 must trap nothing. `first` has the first values of the registers that control vector
    /// lengths.
    pub(super) fn come_back(&mut self, mode: SpmcMode, first: &mut SysRegs) {
        use opened::{NORMAL_FP, NORMAL_SME, NORMAL_SVE};
        (self.svcr, self.call, self.saved) = (0, 0, Saved::Nothing);
        self.normal = Control::EMPTY;
        // Without an SPMC there is nobody else. With one, what only the secure world has opened is not
        // exchanged: it is the secure world's.
        let alone = mode == SpmcMode::None;
        // SAFETY: the registers are the CPU's: the trap of the extension would not have opened.
        unsafe {
            if self.features.has(Feature::SVE) && (alone || self.opened & NORMAL_SVE != 0) {
                Self::swap_sve(self.features, first);
            }
            if self.features.has(Feature::SME) && (alone || self.opened & NORMAL_SME != 0) {
                Self::swap_sme(self.features, first);
            }
        }
        // Closed to the normal world, the Q registers are the secure world's.
        if !mode.el1() || self.opened & NORMAL_FP != 0 {
            self.clear();
        }
    }

    /// Moves what is the secure world's to memory. The normal world is current and its vector state of no
    /// use any more; CPTR_EL3 traps nothing.
    pub(super) fn park_secure(&mut self, policy: &Policy, parked: &mut SysRegs) {
        if policy.mode().el1() && self.opened & opened::NORMAL_FP == 0 {
            self.secure.save(self.features);
            // SAFETY: 32 Q registers fit; FP is not trapped.
            unsafe { vectors::save_q(self.secure_q()) };
        }
        // Lengths that the secure world alone can reach are in the CPU.
        Self::swap_lengths(self.secure_alone(), policy, parked);
    }

    /// Puts back what [`Simd::park_secure`] moved, into a CPU that has lost everything. `first` has the
    /// first values of the registers that control vector lengths. CPTR_EL3 must trap nothing.
    pub(super) fn unpark_secure(
        &mut self,
        policy: &Policy,
        first: &mut SysRegs,
        parked: &mut SysRegs,
    ) {
        let features = self.features;
        // SAFETY: the registers are the CPU's, and nothing traps them.
        unsafe {
            if features.has(Feature::SVE) {
                Self::swap_sve(features, first);
            }
            if features.has(Feature::SME) {
                Self::swap_sme(features, first);
            }
        }
        self.clear();
        Self::swap_lengths(self.secure_alone(), policy, parked);
        if policy.mode().el1() && self.opened & opened::NORMAL_FP == 0 {
            self.secure.load(features);
            // SAFETY: 32 Q registers were saved there. EL3 uses no vector register.
            unsafe { vectors::load_q(self.secure_q()) };
        }
    }

    /// What the secure world opened and the normal world did not, as if both had.
    fn secure_alone(&self) -> u8 {
        let mut both = 0;
        for (secure, pair) in [
            (opened::SECURE_SVE, opened::BOTH_SVE),
            (opened::SECURE_SME, opened::BOTH_SME),
        ] {
            if self.opened & pair == secure {
                both |= pair;
            }
        }
        both
    }

    /// Clears the vector registers. CPTR_EL3 must trap nothing.
    fn clear(&mut self) {
        let features = self.features;
        if features.has(Feature::SME) {
            SVCR::write(0);
        }
        // SAFETY: EL3 uses no vector register.
        unsafe {
            vectors::clear_q();
            if features.has(Feature::SVE) {
                vectors::clear_sve();
            }
        }
        self.normal.load(features);
    }

    /// Whether a switch has more to do than to exchange the banks.
    #[inline(always)]
    pub(super) fn is_live(&self) -> bool {
        self.opened != 0
    }

    /// The core has something to do at the door of the secure world.
    pub(super) fn set_door(&mut self) {
        self.opened |= opened::DOOR;
    }

    /// Whether it has.
    #[inline(always)]
    pub(super) fn has_door(&self) -> bool {
        self.opened & opened::DOOR != 0
    }

    /// Whether the secure world has opened what vector lengths come with.
    #[inline(always)]
    fn secure_is_scalable(&self) -> bool {
        self.opened & (opened::SECURE_SVE | opened::SECURE_SME) != 0
    }

    /// Before the normal world's registers are saved: CPTR_EL3 is still the normal world's.
    pub(super) fn save_normal(&mut self, policy: &Policy, parked: &mut SysRegs) {
        use opened::{NORMAL_FP, NORMAL_SME, NORMAL_SVE};
        let features = self.features;
        let hint = core::mem::take(&mut self.call) & HINT != 0;
        self.saved = Saved::Nothing;
        if self.opened & NORMAL_SME != 0 {
            self.svcr = SVCR::read();
            if self.svcr & SVCR_SM != 0 {
                self.saved = Saved::Streaming;
                self.normal.save(features);
                self.save_z(features.has(Feature::SME_FA64));
                // The secure world does not run in streaming mode: half of its instructions would
                // be illegal. ZA stays.
                SVCR::write(self.svcr & !SVCR_SM);
            }
        }
        if self.saved == Saved::Nothing {
            if self.opened & NORMAL_SVE != 0 && !hint {
                self.saved = Saved::Z;
                self.normal.save(features);
                self.save_z(true);
            } else if self.opened & NORMAL_FP != 0 {
                self.saved = Saved::Q;
                self.normal.save(features);
                // SAFETY: the memory has room for Q registers. FP is not trapped: NORMAL_FP.
                unsafe { vectors::save_q(self.z()) };
            }
        }
        if self.opened & NORMAL_FP != 0 {
            // SAFETY: as above; EL3 uses no vector register.
            unsafe { vectors::load_q(self.secure_q()) };
            self.secure.load(features);
        }
        if self.secure_is_scalable() {
            Self::swap_lengths(self.opened, policy, parked);
        }
    }

    /// Before the secure world's registers are saved: CPTR_EL3 is still the secure world's.
    pub(super) fn save_secure(&mut self, policy: &Policy, parked: &mut SysRegs) {
        if self.opened & opened::SECURE_SME != 0 {
            // However the SPMC left it, ZA is as the normal world had it, and no streaming mode.
            let normal = if self.opened & opened::NORMAL_SME != 0 {
                self.svcr & SVCR_ZA
            } else {
                0
            };
            if SVCR::read() != normal {
                SVCR::write(normal);
            }
        }
        if self.opened & opened::NORMAL_FP != 0 {
            self.secure.save(self.features);
            // SAFETY: 32 Q registers fit. FP is never trapped for the secure world.
            unsafe { vectors::save_q(self.secure_q()) };
        }
        if self.secure_is_scalable() {
            Self::swap_lengths(self.opened, policy, parked);
        }
    }

    /// After CPTR_EL3 was written for the normal world.
    pub(super) fn load_normal(&mut self) {
        let features = self.features;
        let saved = core::mem::replace(&mut self.saved, Saved::Nothing);
        let both_sve = self.opened & opened::BOTH_SVE == opened::BOTH_SVE;
        if both_sve && matches!(saved, Saved::Nothing | Saved::Q) {
            // The hint: the normal world has nothing there, but must not find the other's either.
            // SAFETY: SVE is open in both worlds, so it is, whichever CPTR_EL3 is in effect yet.
            unsafe { vectors::clear_sve() };
        }
        match saved {
            Saved::Nothing => {}
            Saved::Q => {
                // SAFETY: FP is open in both worlds. EL3 uses no vector register.
                unsafe { vectors::load_q(self.z()) };
                self.normal.load(features);
            }
            Saved::Z => {
                // EL3's own use of SVE below needs CPTR_EL3.EZ, which the secure world may lack.
                isb();
                self.load_z(true);
                self.normal.load(features);
            }
            Saved::Streaming => {
                // The same for CPTR_EL3.ESM.
                isb();
                // Entering streaming mode clears all vectors and FPSR: first that.
                SVCR::write(self.svcr);
                self.load_z(features.has(Feature::SME_FA64));
                self.normal.load(features);
            }
        }
    }

    fn save_z(&mut self, ffr: bool) {
        // SAFETY: the memory has room for this core's longest vectors, and the callers have SVE (or
        // streaming mode) open for EL3, with FFR where `ffr` says so.
        unsafe {
            vectors::save_z(self.z(), self.p());
            if ffr {
                vectors::save_ffr(self.ffr());
            }
        }
    }

    fn load_z(&mut self, ffr: bool) {
        // SAFETY: as in `save_z`. FFR goes through P0, so it comes first.
        unsafe {
            if ffr {
                vectors::load_ffr(self.ffr());
            }
            vectors::load_z(self.z(), self.p());
        }
    }

    /// Exchanges the registers that control vector lengths, where both worlds can reach them.
    ///
    /// They are not switched with their banks, because EL3 itself is trapped where CPTR_EL3 traps.
    #[inline(never)]
    fn swap_lengths(opened: u8, policy: &Policy, parked: &mut SysRegs) {
        let mode = policy.mode();
        // SAFETY: the CPU has the registers, or the traps had not opened, and they are open in both
        // worlds. EL3 does not depend on the lengths of lower ELs.
        unsafe {
            if opened & opened::BOTH_SVE == opened::BOTH_SVE {
                if mode.el2() {
                    parked.el2.swap_group::<sve::SveEl2>();
                }
                if mode.el1() {
                    parked.el1.swap_group::<sve::SveEl1>();
                }
            }
            if opened & opened::BOTH_SME == opened::BOTH_SME {
                if mode.el2() {
                    parked.el2.swap_group::<sme::SmeEl2>();
                }
                if mode.el1() {
                    parked.el1.swap_group::<sme::SmeEl1>();
                }
            }
        }
    }

    /// A trap of `world` with this ESR_EL3: whether it was a first use of what the world may use,
    /// and the instruction can now be executed. `parked` are the other world's registers.
    #[cold]
    pub(super) fn first_use(
        &mut self,
        policy: &Policy,
        world: World,
        el3: &mut El3Regs,
        parked: &mut SysRegs,
        esr: u64,
    ) -> bool {
        let features = self.features;
        let normal = world == World::Normal;
        // An SPMC at S-EL1 gets neither SVE nor SME.
        let scalable = normal || policy.mode().el2();
        let was = self.opened;
        match esr >> 26 & 0x3f {
            // FP and SIMD.
            0x07 if el3.cptr_el3 & cptr::TFP != 0 => {}
            0x19 if features.has(Feature::SVE) && scalable && el3.cptr_el3 & cptr::EZ == 0 => {
                el3.cptr_el3 |= cptr::EZ;
                self.opened |= if normal {
                    opened::NORMAL_SVE
                } else {
                    opened::SECURE_SVE
                };
            }
            0x1d if features.has(Feature::SME) && scalable && el3.cptr_el3 & cptr::ESM == 0 => {
                el3.cptr_el3 |= cptr::ESM;
                self.opened |= if normal {
                    opened::NORMAL_SME
                } else {
                    opened::SECURE_SME
                };
            }
            _ => return false,
        }
        // Any of them reaches the Q registers, in which the secure world's are until now.
        let take_q = el3.cptr_el3 & cptr::TFP != 0;
        el3.cptr_el3 &= !cptr::TFP;
        self.call = 0;
        // SAFETY: the world's value, with one trap less.
        unsafe { CPTR_EL3::write(el3.cptr_el3) };
        // EL3 uses below what was trapped for EL3 too.
        isb();
        if take_q {
            self.opened |= opened::NORMAL_FP;
            self.secure.save(features);
            self.normal.load(features);
            // SAFETY: both areas have room for 32 Q registers. EL3 uses no vector register.
            unsafe {
                vectors::save_q(self.secure_q());
                vectors::load_q(self.z());
            }
        }
        let new = self.opened & !was;
        if new & opened::BOTH_SVE != 0 {
            let sme = self.opened
                & if normal {
                    opened::NORMAL_SME
                } else {
                    opened::SECURE_SME
                };
            // Leaving streaming mode will clear everything by itself.
            if sme == 0 || SVCR::read() & SVCR_SM == 0 {
                // SAFETY: SVE is open.
                unsafe { vectors::clear_sve() };
            }
        }
        // What controls the lengths holds the other world's values if it opened its trap earlier.
        if new & (opened::BOTH_SVE | opened::BOTH_SME) != 0 {
            Self::swap_lengths(self.opened & Self::pair(new), policy, parked);
        }
        true
    }

    /// The extension of `bit`, for both worlds.
    const fn pair(bit: u8) -> u8 {
        if bit & opened::BOTH_SVE != 0 {
            opened::BOTH_SVE
        } else {
            opened::BOTH_SME
        }
    }
}

#[cfg(test)]
mod tests;
