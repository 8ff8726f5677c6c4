//! Vector and matrix registers: FP, SIMD, SVE, SME.
//!
//! EL3 uses none of them itself, because it is built for a soft-float target. This module decides what is switched and
//! when. The instructions that do it are in `vectors`, in a section of their own.
//!
//! *What.* If the SPMC runs at S-EL1 or relies on EL3 for everything, Q0-Q31, FPSR, FPCR and FPMR are switched. With
//! every SPMC, the normal world's Z, P, FFR and streaming mode are restored at full vector length. The SPMC could not
//! save them itself: while it has SVE trapped, the CPU may drop all bits above 128 on the way to it.
//!
//! *When.* Only live state is switched. Each world starts with SVE and SME trapped (CPTR_EL3.EZ and ESM clear), and the
//! normal world also with FP trapped if FP is switched. The first use comes to `Simd::first_use`, which opens the trap
//! for good. From then on the state behind it is saved at each switch. A call with the hint of SMCCC 1.3 leaves SVE
//! out. While a trap is closed, the world has no such state; what it would find is cleared before the trap opens.
//!
//! *What stays.* ZA and ZT0, up to 64 KiB per core, stay in the CPU while the secure world runs. An SPMC at S-EL1
//! cannot access them, because SME is closed to it; an SPMC at S-EL2 has no reason to. docs/context.md gives the
//! reasons for all of this.

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

/// The control and status registers beside the vectors.
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

/// The part of the normal world's state that is in [`Simd`] while the secure world runs.
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
    /// Not a trap, but tested together with the traps: the core has a [`super::super::door`].
    pub const DOOR: u8 = 1 << 5;
    pub const BOTH_SME: u8 = NORMAL_SME | SECURE_SME;
}

/// The size of Q0-Q31 in bytes.
const Q_SIZE: usize = 32 * 16;

/// One core's vector state: that of the world that is not in the CPU, and what each world has opened.
///
/// What a forwarded call uses comes last, as in [`OpenGroups`](super::OpenGroups).
#[repr(C)]
#[derive(Debug)]
pub struct Simd {
    /// The normal world's SVCR.
    svcr: u64,
    normal: Control,
    secure: Control,
    /// The memory for vector registers, at least [`Simd::room`] bytes for vectors of `length`. It has the
    /// secure world's Q0-Q31, then the normal world's Z0-Z31 (or Q0-Q31), P0-P15 and FFR.
    memory: &'static mut [u8],
    /// The features that the core has, and has memory for.
    features: Features,
    /// The length of this core's longest vectors in bytes, SVE's or streaming mode's.
    length: u16,
    /// The bits of `opened`.
    opened: u8,
    saved: Saved,
    /// The function ID of the call by which the normal world leaves, for its hint.
    call: u32,
}

impl Simd {
    /// Returns the bytes of memory that a core with vectors of `length` bytes needs. `length` is at least 16, for FP.
    pub const fn room(length: u16) -> usize {
        let length = length as usize;
        Q_SIZE + 32 * length + 2 * length + length.div_ceil(128) * 16
    }

    /// Makes the state of a core that was never on. `memory` is aligned to 16 bytes.
    ///
    /// # Safety
    ///
    /// `memory` has at least [`Simd::room`] for FP. (On the host, nothing is moved there.)
    #[inline(always)]
    pub(super) const unsafe fn new(memory: &'static mut [u8]) -> Self {
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

    /// Returns the place of the secure world's Q0-Q31.
    fn secure_q(&mut self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    /// Returns the place of the normal world's Z0-Z31, or Q0-Q31.
    fn z(&mut self) -> *mut u8 {
        self.secure_q().wrapping_add(Q_SIZE)
    }

    /// Returns the place of the normal world's P0-P15.
    fn p(&mut self) -> *mut u8 {
        self.z().wrapping_add(32 * usize::from(self.length))
    }

    /// Returns the place of the normal world's FFR.
    fn ffr(&mut self) -> *mut u8 {
        self.p().wrapping_add(2 * usize::from(self.length))
    }

    /// Finds out how long this core's vectors are, and removes SVE and SME from `features` if there is too little
    /// memory for them. CPTR_EL3 must trap nothing.
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

    /// Notes `function` (w0) of a call of the normal world that may go to the secure world, for its SVE hint. Call it
    /// with zero for an interrupt.
    #[inline(always)]
    pub(super) fn call(&mut self, function: u32) {
        self.call = function;
    }

    /// Returns whether FP opens to the normal world on its first use. That is not so if EL2 registers are switched
    /// too: FPEXC32_EL2 would be trapped together with FP.
    fn fp_is_lazy(features: Features, mode: SpmcMode) -> bool {
        mode == SpmcMode::SEl1 && !features.has(Feature::EAGER_FP)
    }

    /// Sets the traps in `el3` with which `world` starts. Without an SPMC the normal world alone has the registers,
    /// and nothing is trapped.
    pub(super) fn start(features: Features, mode: SpmcMode, world: World, el3: &mut El3Regs) {
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

    /// Loads the registers that control vector lengths from `first`. CPTR_EL3 must trap nothing.
    pub(super) fn load_lengths(features: Features, first: &SysRegs) {
        // SAFETY: the CPU has the registers, and EL3 does not depend on the vector lengths of lower ELs.
        unsafe {
            if features.has(Feature::SVE) {
                Self::load_sve(features, first);
            }
            if features.has(Feature::SME) {
                Self::load_sme(features, first);
            }
        }
    }

    /// Loads SVE's registers from `sys`.
    ///
    /// # Safety
    ///
    /// The CPU has them, CPTR_EL3 does not trap them, and EL3 does not depend on lengths of lower ELs.
    #[inline(never)]
    unsafe fn load_sve(features: Features, sys: &SysRegs) {
        // SAFETY: as the caller promises.
        unsafe {
            sys.el1.load_group::<sve::SveEl1>();
            if features.has(Feature::EL2) {
                sys.el2.load_group::<sve::SveEl2>();
            }
        }
    }

    /// Loads SME's registers from `sys`.
    ///
    /// # Safety
    ///
    /// As [`Self::load_sve`].
    #[inline(never)]
    unsafe fn load_sme(features: Features, sys: &SysRegs) {
        // SAFETY: as the caller promises.
        unsafe {
            sys.el1.load_group::<sme::SmeEl1>();
            if features.has(Feature::EL2) {
                sys.el2.load_group::<sme::SmeEl2>();
            }
        }
    }

    /// Clears the vector registers of a core that came on: nothing is left of boot firmware, or of the time before the
    /// core was off. CPTR_EL3 must trap nothing.
    pub(super) fn init(&mut self, features: Features, mode: SpmcMode) {
        (self.normal, self.secure) = (Control::EMPTY, Control::EMPTY);
        (self.svcr, self.call, self.opened, self.saved) = (0, 0, 0, Saved::Nothing);
        self.features = features;
        if mode.el1() && !Self::fp_is_lazy(features, mode) {
            self.opened = opened::NORMAL_FP;
        }
        self.clear();
        if mode.el1() && self.memory.len() >= 2 * Q_SIZE {
            // The registers are zero, so this clears both worlds' Q. The rest of the memory, Z above Q and P, is written
            // before it is read.
            // SAFETY: 32 Q registers fit into each place; FP is not trapped.
            unsafe {
                vectors::save_q(self.secure_q());
                vectors::save_q(self.z());
            }
        }
    }

    /// Gives the normal world's vector registers first values, after a power-down state in which it gave them up. The
    /// normal world is current. What it has opened stays open. The secure world's registers are kept, in the CPU or
    /// in memory. CPTR_EL3 must trap nothing. `first` has the first values of the registers that control vector
    /// lengths.
    pub(super) fn come_back(&mut self, mode: SpmcMode, first: &SysRegs) {
        use opened::{NORMAL_FP, NORMAL_SME, NORMAL_SVE};
        (self.svcr, self.call, self.saved) = (0, 0, Saved::Nothing);
        self.normal = Control::EMPTY;
        // Without an SPMC all registers belong to the normal world. With one, those that only the secure world has
        // opened belong to the secure world, and are left alone.
        let alone = mode == SpmcMode::None;
        // SAFETY: the CPU has the registers: else the trap of the extension had not opened.
        unsafe {
            if self.features.has(Feature::SVE) && (alone || self.opened & NORMAL_SVE != 0) {
                Self::load_sve(self.features, first);
            }
            if self.features.has(Feature::SME) && (alone || self.opened & NORMAL_SME != 0) {
                Self::load_sme(self.features, first);
            }
        }
        // While FP is closed to the normal world, the Q registers belong to the secure world.
        if !mode.el1() || self.opened & NORMAL_FP != 0 {
            self.clear();
        }
    }

    /// Moves the secure world's vector state to memory, as far as it is in the CPU. The normal world is current and
    /// does not need its own any more; CPTR_EL3 traps nothing.
    pub(super) fn park_secure(&mut self, policy: &Policy, parked: &mut SysRegs) {
        if policy.mode().el1() && self.opened & opened::NORMAL_FP == 0 {
            self.secure.save(self.features);
            // SAFETY: 32 Q registers fit; FP is not trapped.
            unsafe { vectors::save_q(self.secure_q()) };
        }
        // The vector lengths of an extension that only the secure world has opened are in the CPU.
        Self::swap_lengths(self.secure_alone(), policy, parked);
    }

    /// Restores the state that [`Simd::park_secure`] moved, on a CPU that has lost everything. `first` has the
    /// first values of the registers that control vector lengths. CPTR_EL3 must trap nothing.
    pub(super) fn unpark_secure(&mut self, policy: &Policy, first: &SysRegs, parked: &mut SysRegs) {
        let features = self.features;
        // SAFETY: the CPU has the registers, and nothing traps them.
        unsafe {
            if features.has(Feature::SVE) {
                Self::load_sve(features, first);
            }
            if features.has(Feature::SME) {
                Self::load_sme(features, first);
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

    /// Returns bits of `opened`, with both worlds' bits set for each extension that only the secure world has opened.
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
                vectors::clear_p();
            }
        }
        self.normal.load(features);
    }

    /// Clears all of SVE's state that is not in Q0-Q31.
    ///
    /// # Safety
    ///
    /// SVE is not trapped.
    unsafe fn clear_sve() {
        // SAFETY: as the caller promises; EL3 uses no vector register.
        unsafe {
            vectors::clear_upper_z();
            vectors::clear_p();
        }
    }

    /// Returns the features of this core.
    pub(super) fn features(&self) -> Features {
        self.features
    }

    /// Returns whether a switch has more to do than to exchange the banks.
    #[inline(always)]
    pub(super) fn is_live(&self) -> bool {
        self.opened != 0
    }

    /// Notes that this core has a door.
    pub(super) fn set_door(&mut self) {
        self.opened |= opened::DOOR;
    }

    /// Returns whether this core has a door.
    #[inline(always)]
    pub(super) fn has_door(&self) -> bool {
        self.opened & opened::DOOR != 0
    }

    /// Returns whether the secure world has opened an extension that has vector lengths.
    #[inline(always)]
    fn secure_is_scalable(&self) -> bool {
        self.opened & (opened::SECURE_SVE | opened::SECURE_SME) != 0
    }

    /// Saves the normal world's vector state, and loads the secure world's. It runs before the normal world's system
    /// registers are saved: CPTR_EL3 still has the normal world's value.
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

    /// Saves the secure world's vector state. It runs before the secure world's system registers are saved: CPTR_EL3
    /// still has the secure world's value.
    pub(super) fn save_secure(&mut self, policy: &Policy, parked: &mut SysRegs) {
        if self.opened & opened::SECURE_SME != 0 {
            // Give ZA the normal world's setting and leave streaming mode, whatever the SPMC has set.
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

    /// Loads the normal world's vector state. It runs after CPTR_EL3 was written for the normal world.
    pub(super) fn load_normal(&mut self) {
        let features = self.features;
        let saved = core::mem::replace(&mut self.saved, Saved::Nothing);
        // The call of a hint that is still here went to a secure world that ran already. It says nothing of the next exit.
        self.call = 0;
        let both_sve = self.opened & opened::BOTH_SVE == opened::BOTH_SVE;
        if both_sve && matches!(saved, Saved::Nothing | Saved::Q) {
            // By its hint the normal world has no SVE state. It must not find the secure world's.
            // SAFETY: SVE is open in both worlds, so it does not matter which CPTR_EL3 is in effect yet.
            unsafe { Self::clear_sve() };
        }
        match saved {
            Saved::Nothing => {}
            Saved::Q => {
                // SAFETY: FP is open in both worlds. EL3 uses no vector register.
                unsafe { vectors::load_q(self.z()) };
                self.normal.load(features);
            }
            Saved::Z => {
                // EL3's own use of SVE below needs CPTR_EL3.EZ, which the secure world's value may lack.
                isb();
                self.load_z(true);
                self.normal.load(features);
            }
            Saved::Streaming => {
                // EL3's own use of SME below needs CPTR_EL3.ESM, which the secure world's value may lack.
                isb();
                // Entering streaming mode clears all vectors and FPSR, so this comes before they are loaded.
                SVCR::write(self.svcr);
                self.load_z(features.has(Feature::SME_FA64));
                self.normal.load(features);
            }
        }
    }

    fn save_z(&mut self, ffr: bool) {
        // SAFETY: the memory has room for this core's longest vectors. The callers have opened SVE (or
        // streaming mode) for EL3, and FFR if `ffr` is set.
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

    /// Exchanges the registers that control vector lengths, of the extensions that are open in both worlds.
    ///
    /// They are not switched with their banks, because the traps of CPTR_EL3 apply to EL3 itself.
    #[inline(never)]
    fn swap_lengths(opened: u8, policy: &Policy, parked: &mut SysRegs) {
        let mode = policy.mode();
        // SAFETY: the CPU has the registers, else the traps had not opened. They are open in both
        // worlds. EL3 does not depend on the vector lengths of lower ELs.
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

    /// Handles a trap of `world` with this ESR_EL3, if it is the first use of FP, SVE or SME and the world may use it.
    /// Returns whether it was, and the instruction can now be executed. `parked` are the other world's registers.
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
        // Each of the three gives access to the Q registers, which hold the secure world's values until now.
        let take_q = el3.cptr_el3 & cptr::TFP != 0;
        el3.cptr_el3 &= !cptr::TFP;
        self.call = 0;
        // SAFETY: this is the world's value, with one trap less.
        unsafe { CPTR_EL3::write(el3.cptr_el3) };
        // EL3 uses registers below that were trapped for EL3, too.
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
            // In streaming mode nothing is to be cleared: leaving it clears all registers.
            if sme == 0 || SVCR::read() & SVCR_SM == 0 {
                // SAFETY: SVE is open.
                unsafe { Self::clear_sve() };
            }
        }
        // If the other world has opened its trap before, the registers for vector lengths hold its values.
        if new & (opened::BOTH_SVE | opened::BOTH_SME) != 0 {
            Self::swap_lengths(self.opened & Self::pair(new), policy, parked);
        }
        true
    }

    /// Returns both worlds' bits of the extension to which `bit` belongs.
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
