//! What is live on one core: the optional registers that both worlds use, so that a switch has to exchange
//! them.
//!
//! Most SPMCs use few of the extensions that a hypervisor uses. For some extensions, SCR_EL3 not only
//! traps a world's accesses, but also makes the extension behave for that world as if its registers
//! were zero. These extensions open to the secure world on its first use. Until then accesses trap to EL3, the
//! normal world's values stay in the CPU, where they have no effect, and nothing is switched. The first
//! access opens the group on that core for good, and the instruction is executed again.
//!
//! To the normal world everything is open from the start, except vector state, which is the subject of
//! [`Simd`].

use super::door::Door;
use super::sysreg::SCR_EL3;
use super::{El3Regs, Features, Policy, Simd, SpmcMode, Switched, SysRegs, World};
use crate::cpu_ext::{self, impdef::FirstActlr};

/// The groups of registers that are open to both worlds on one core, and the vector state.
///
/// What a forwarded call uses comes last: a monitor keeps more of that behind it, in the same line of the cache.
#[repr(C)]
#[derive(Debug)]
pub struct OpenGroups {
    door: Door,
    pub(super) actlr: FirstActlr,
    /// The features whose registers a switch exchanges.
    features: Features,
    pub(super) simd: Simd,
    /// What a switch exchanges, derived from `features`.
    switched: Switched,
}

impl OpenGroups {
    /// Makes the state of a core that was never on. `vectors` is memory for its vector registers, aligned to 16 bytes.
    ///
    /// # Safety
    ///
    /// `vectors` has at least [`Simd::room`] for vectors of 16 bytes. (On the host, nothing is moved there.)
    #[inline(always)]
    pub const unsafe fn new(vectors: &'static mut [u8]) -> Self {
        Self {
            // SAFETY: as the caller promises.
            simd: unsafe { Simd::new(vectors) },
            door: Door::NONE,
            actlr: FirstActlr::UNKNOWN,
            features: Features::NONE,
            switched: Switched::NONE,
        }
    }

    /// Notes `function` (w0) of a call of the normal world that may go to the secure world, for its SVE hint (SMCCC
    /// 1.3). Call it with zero for an interrupt.
    #[inline(always)]
    pub fn call(&mut self, function: u32) {
        self.simd.call(function);
    }

    /// Returns the features of this core, which may be fewer than those of the boot core.
    pub fn core_features(&self) -> Features {
        self.simd.features()
    }

    /// Returns what a switch exchanges.
    #[inline(always)]
    pub fn switched(&self) -> Switched {
        self.switched
    }

    /// Sets up a core that comes on. Extensions that the secure world opened when the core was on before stay
    /// open: their registers may have an effect for the SPMC without another access. Call [`OpenGroups::start`] next.
    pub(super) fn init(&mut self, features: Features, secure: &mut El3Regs) {
        let closed_at_first = features.and(cpu_ext::OPEN_ON_FIRST_USE);
        let opened = closed_at_first.and(self.features);
        if opened != Features::NONE {
            for (feature, scr) in &cpu_ext::ON_FIRST_USE {
                if opened.has(*feature) {
                    secure.scr_el3 |= scr;
                }
            }
        }
        self.features = features.minus(closed_at_first.minus(opened));
    }

    /// Computes `switched` again, after `features` or `simd` has changed.
    fn renew(&mut self, mode: SpmcMode) {
        self.switched = Switched::of(self.features, mode, self.simd.is_live());
    }

    /// Sets up vector state and door of a core with `features` that comes on. CPTR_EL3 must trap nothing. `closed` is
    /// what a switch exchanges while nothing is open yet, if that is known.
    pub(super) fn start(&mut self, features: Features, mode: SpmcMode, closed: Option<Switched>) {
        self.simd.init(features, mode);
        self.door = Door::NONE;
        if mode != SpmcMode::None {
            self.door = Door::new(features);
        }
        if self.door.is_used() {
            self.simd.set_door();
        }
        let open = self.features.and(cpu_ext::OPEN_ON_FIRST_USE) != Features::NONE;
        match closed {
            Some(closed) if !open && !self.simd.is_live() => self.switched = closed,
            _ => self.renew(mode),
        }
    }

    /// Does what comes before the normal world's registers are saved, if [`Switch::Beside`](super::Switch) is set.
    /// CPTR_EL3 still has the normal world's value. `secure` are the secure world's EL3 registers.
    pub fn leave_normal(&mut self, policy: &Policy, parked: &mut SysRegs, secure: &El3Regs) {
        secure.write_beside(self.switched);
        if self.simd.is_live() {
            if self.simd.has_door() {
                self.door.shut();
            }
            self.simd.save_normal(policy, parked);
        }
    }

    /// Does what comes before the secure world's registers are saved, if [`Switch::Beside`](super::Switch) is set.
    /// CPTR_EL3 still has the secure world's value. `normal` are the normal world's EL3 registers.
    pub fn leave_secure(&mut self, policy: &Policy, parked: &mut SysRegs, normal: &El3Regs) {
        normal.write_beside(self.switched);
        if self.simd.is_live() {
            self.simd.save_secure(policy, parked);
        }
    }

    /// Does what comes after CPTR_EL3 has the normal world's value, if [`Switch::Beside`](super::Switch) is set.
    pub fn enter_normal(&mut self) {
        if self.simd.is_live() {
            self.simd.load_normal();
            if self.simd.has_door() {
                self.door.open();
            }
        }
    }

    /// Handles a trap of `world` with this ESR_EL3, if it is the first use of an extension that the world may use.
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
        if self.simd.first_use(policy, world, el3, parked, esr) {
            self.renew(policy.mode());
            return true;
        }
        if world == World::Normal {
            return false;
        }
        let class = esr >> 26 & 0x3f;
        let register = (class == EC_MSR_MRS).then(|| trapped_register(esr));
        let Some(feature) = cpu_ext::on_first_use(class, register) else {
            return false;
        };
        let mut lazy = cpu_ext::ON_FIRST_USE.iter();
        let scr = lazy
            .find(|(of, _)| *of == feature)
            .map_or(0, |(_, scr)| *scr);
        if !policy.features().has(feature) || el3.scr_el3 & scr != 0 {
            return false;
        }
        el3.scr_el3 |= scr;
        // SAFETY: this is the secure world's value, with one more extension open. No `isb` is needed: the ERET
        // synchronises before the world uses it.
        unsafe { SCR_EL3::write(el3.scr_el3) };
        self.features.insert(feature);
        self.renew(policy.mode());
        // SAFETY: the CPU has the feature.
        unsafe { policy.swap_extension(feature, parked) };
        true
    }
}

/// ESR_EL3.EC of a trapped MSR or MRS.
const EC_MSR_MRS: u64 = 0x18;

/// Returns the register of a trapped MSR or MRS, numbered as by [`super::registers::number`].
fn trapped_register(esr: u64) -> u16 {
    let field = |shift: u32, bits: u32| (esr >> shift & ((1 << bits) - 1)) as u16;
    let (op0, op2, op1, crn, crm) = (
        field(20, 2),
        field(17, 3),
        field(14, 3),
        field(10, 4),
        field(1, 4),
    );
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Feature;

    /// ESR_EL3 of `mrs x5, HCRX_EL2`: EC 0x18, IL, Op0 3, Op1 4, CRn 1, CRm 2, Op2 2, read.
    const MRS_HCRX: u64 =
        0x18 << 26 | 1 << 25 | 3 << 20 | 2 << 17 | 4 << 14 | 1 << 10 | 5 << 5 | 2 << 1 | 1;

    #[test]
    fn a_trapped_register_is_found_by_its_encoding() {
        assert_eq!(
            trapped_register(MRS_HCRX),
            crate::registers::number("S3_4_C1_C2_2")
        );
        let found = cpu_ext::on_first_use(EC_MSR_MRS, Some(trapped_register(MRS_HCRX)));
        assert_eq!(found, Some(Feature::HCX));
    }

    #[test]
    fn first_use_opens_one_group_for_the_secure_world_alone() {
        let mut features = Features::of(&[Feature::EL2, Feature::SEL2]);
        let lazy = cpu_ext::ON_FIRST_USE;
        assert!(lazy.len() > 5, "{lazy:?}");
        lazy.iter()
            .for_each(|(feature, _)| features.insert(*feature));
        let policy = Policy::new(features, SpmcMode::SEl2);
        let mut secure = policy.el3_regs(World::Secure);
        let mut normal = policy.el3_regs(World::Normal);
        let mut parked = SysRegs::EMPTY;
        // SAFETY: this is the host.
        let mut live = unsafe { OpenGroups::new(&mut []) };
        live.init(features, &mut secure);
        for (feature, scr) in lazy {
            assert!(!live.features.has(feature) && secure.scr_el3 & scr == 0);
            assert_eq!(normal.scr_el3 & scr, scr);
        }
        let mut try_with =
            |world, el3: &mut El3Regs, esr| live.first_use(&policy, world, el3, &mut parked, esr);
        assert!(!try_with(World::Normal, &mut normal, MRS_HCRX));
        assert!(try_with(World::Secure, &mut secure, MRS_HCRX));
        assert!(
            !try_with(World::Secure, &mut secure, MRS_HCRX),
            "it is open: another reason"
        );
        assert!(try_with(World::Secure, &mut secure, 0x09 << 26));
        assert!(!try_with(World::Secure, &mut secure, 0x01 << 26));
        // HXEn, API, APK and FGTEn.
        let opened = 1 << 38 | 1 << 17 | 1 << 16;
        assert_eq!(secure.scr_el3 & (opened | 1 << 27), opened);
        assert!(live.features.has(Feature::HCX) && live.features.has(Feature::PAUTH));
        assert!(!live.features.has(Feature::FGT));

        // The core goes off and comes back.
        let mut again = policy.el3_regs(World::Secure);
        live.init(features, &mut again);
        assert_eq!(again.scr_el3, secure.scr_el3);
        assert!(live.features.has(Feature::HCX) && !live.features.has(Feature::FGT));
    }
}
