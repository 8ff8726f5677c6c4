//! Tests of the decisions about vector state, without the registers: which world opens what, and what is saved when.

use super::*;

const FP: u64 = 0x07 << 26;
const SVE: u64 = 0x19 << 26;
const SME: u64 = 0x1d << 26;

/// One core, with the EL3 registers with which its worlds start.
struct Core {
    policy: Policy,
    simd: Simd,
    normal: El3Regs,
    secure: El3Regs,
}

fn core(mode: SpmcMode) -> Core {
    let features = Features::of(&[Feature::EL2, Feature::SEL2, Feature::SVE, Feature::SME]);
    let policy = Policy::new(features, mode);
    let memory = vec![0; Simd::room(256)].leak();
    // SAFETY: there is room.
    let mut simd = unsafe { Simd::new(memory) };
    simd.init(features, mode);
    let (normal, secure) = (
        policy.el3_regs(World::Normal),
        policy.el3_regs(World::Secure),
    );
    Core {
        policy,
        simd,
        normal,
        secure,
    }
}

impl Core {
    fn traps(&mut self, world: World, esr: u64) -> bool {
        let mut parked = SysRegs::EMPTY;
        let el3 = match world {
            World::Normal => &mut self.normal,
            World::Secure => &mut self.secure,
        };
        self.simd
            .first_use(&self.policy, world, el3, &mut parked, esr)
    }

    /// Returns what is saved when the normal world leaves by a call of `function`.
    fn leaves(&mut self, function: u32) -> Saved {
        self.simd.call(function);
        let mut parked = SysRegs::EMPTY;
        self.simd.save_normal(&self.policy, &mut parked);
        self.simd.saved
    }
}

#[test]
fn each_world_opens_what_it_may_use_once() {
    use World::{Normal, Secure};
    for (mode, secure_sve) in [
        (SpmcMode::SEl1, false),
        (SpmcMode::SEl2, true),
        (SpmcMode::All, true),
    ] {
        let mut core = core(mode);
        // FP is closed to the normal world alone, and only in the mode in which it is switched lazily.
        assert_eq!(
            core.normal.cptr_el3 & cptr::TFP != 0,
            mode == SpmcMode::SEl1
        );
        assert_eq!(core.traps(Normal, FP), mode == SpmcMode::SEl1);
        assert!(!core.traps(Secure, FP) && !core.traps(Normal, FP));
        for (esr, bit) in [(SVE, cptr::EZ), (SME, cptr::ESM)] {
            assert!(core.traps(Normal, esr) && !core.traps(Normal, esr));
            assert_ne!(core.normal.cptr_el3 & bit, 0);
            assert_eq!(core.traps(Secure, esr), secure_sve);
            assert_eq!(core.secure.cptr_el3 & bit != 0, secure_sve);
        }
        assert_eq!((core.normal.cptr_el3 | core.secure.cptr_el3) & cptr::TFP, 0);
    }
}

#[test]
fn sve_or_sme_before_fp_takes_the_q_registers_over_too() {
    for esr in [SVE, SME] {
        let mut core = core(SpmcMode::SEl1);
        assert!(core.traps(World::Normal, esr));
        assert_eq!(core.normal.cptr_el3 & cptr::TFP, 0);
        assert_ne!(core.simd.opened & opened::NORMAL_FP, 0);
    }
}

#[test]
fn only_what_is_live_is_saved() {
    let call = 0xc400_006f;
    let mut core = core(SpmcMode::SEl1);
    assert_eq!(core.leaves(call), Saved::Nothing);
    core.traps(World::Normal, FP);
    assert_eq!(core.leaves(call), Saved::Q);
    core.traps(World::Normal, SVE);
    assert_eq!(core.leaves(call), Saved::Z);
    assert_eq!(core.leaves(call | HINT), Saved::Q);
    // The hint belongs to that call, and not to the interrupt that comes next.
    let mut parked = SysRegs::EMPTY;
    core.simd.save_normal(&core.policy, &mut parked);
    assert_eq!(core.simd.saved, Saved::Z);

    let mut core = self::core(SpmcMode::SEl2);
    assert_eq!(core.leaves(call), Saved::Nothing);
    core.traps(World::Normal, SVE);
    assert_eq!(core.leaves(call), Saved::Z);
    assert_eq!(core.leaves(call | HINT), Saved::Nothing);
}

/// A call may go to a secure world that runs already: a partition at EL3 has asked the SPMC before the call was
/// decided. No switch takes the hint then.
#[test]
fn a_hint_that_no_switch_took_is_forgotten() {
    let mut core = core(SpmcMode::SEl1);
    core.traps(World::Normal, SVE);
    assert_eq!(core.leaves(0), Saved::Z);
    core.simd.call(0xc401_006f);
    core.simd.load_normal();
    // An interrupt is next.
    let mut parked = SysRegs::EMPTY;
    core.simd.save_normal(&core.policy, &mut parked);
    assert_eq!(core.simd.saved, Saved::Z);
}

#[test]
fn a_hint_from_before_the_first_use_is_forgotten() {
    let mut core = core(SpmcMode::SEl2);
    core.simd.call(0xc401_006f);
    core.traps(World::Normal, SVE);
    let mut parked = SysRegs::EMPTY;
    core.simd.save_normal(&core.policy, &mut parked);
    assert_eq!(core.simd.saved, Saved::Z);
}

/// Without room for their vectors, SVE and SME stay closed. On the host registers read as zero, so that the vectors
/// have the least length, 16 bytes.
#[test]
fn without_memory_for_them_vectors_stay_closed() {
    let all = [Feature::SVE, Feature::SME, Feature::SME2, Feature::SME_FA64];
    for (bytes, kept) in [(Simd::room(16), true), (Simd::room(16) - 1, false)] {
        // SAFETY: this is the host.
        let mut simd = unsafe { Simd::new(vec![0; bytes].leak()) };
        let mut features = Features::of(&all);
        simd.measure(&mut features);
        assert!(all.iter().all(|&feature| features.has(feature) == kept));
        simd.init(features, SpmcMode::SEl2);
        let policy = Policy::new(Features::of(&all), SpmcMode::SEl2);
        let mut normal = policy.el3_regs(World::Normal);
        let mut parked = SysRegs::EMPTY;
        for esr in [SVE, SME] {
            let opens = simd.first_use(&policy, World::Normal, &mut normal, &mut parked, esr);
            assert_eq!(opens, kept);
        }
    }
}
