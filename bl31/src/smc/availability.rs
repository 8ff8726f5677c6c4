//! SMCCC_ARCH_FEATURE_AVAILABILITY (DEN0028, section 7): the features of the CPU that EL3 lets the
//! caller use, as bits of EL3's own control registers.
//!
//! A set bit means "may be used", even if the bit traps in the register itself. The bits are those of the controls
//! that the extensions declare ([`janus_context::cpu_ext`]), so that none can be forgotten here.

use janus_context::el3::Register;
use janus_context::{Policy, opening};
use janus_spmd::World;

/// The function's ID. It is SMC64 only, because its answer has 64 bits.
pub const FEATURE_AVAILABILITY: u32 = 0xc000_0003;

/// Returns the encoding by which the caller names a register: op0 from bit 19, op1 from bit 16, CRn from bit 12, CRm
/// from bit 8, op2 from bit 5.
const fn register(op1: u64, crn: u64, crm: u64, op2: u64) -> u64 {
    3 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5
}

const SCR_EL3: u64 = register(6, 1, 1, 0);
const CPTR_EL3: u64 = register(6, 1, 1, 2);
const MDCR_EL3: u64 = register(6, 1, 3, 1);
const MPAM3_EL3: u64 = register(6, 10, 5, 0);

/// Returns the bits of the features that `world` may use, or None if `register` is not one of those defined.
pub fn available(register: u64, policy: &Policy, world: World) -> Option<u64> {
    let register = match register {
        SCR_EL3 => Register::Scr,
        CPTR_EL3 => Register::Cptr,
        MDCR_EL3 => Register::Mdcr,
        MPAM3_EL3 => Register::Mpam3,
        _ => return None,
    };
    let sel2 = policy.mode().el2();
    Some(opening::available(register, policy.features(), sel2, world))
}

#[cfg(test)]
mod tests {
    use super::*;
    use janus_context::{Feature, Features, SpmcMode};

    fn ask(register: u64, world: World, features: Features) -> u64 {
        let policy = Policy::new(features, SpmcMode::SEl1);
        available(register, &policy, world).unwrap()
    }

    #[test]
    fn encodings() {
        assert_eq!(SCR_EL3, 0x1e_1100);
        assert_eq!(CPTR_EL3, 0x1e_1140);
        assert_eq!(MDCR_EL3, 0x1e_1320);
        assert_eq!(MPAM3_EL3, 0x1e_a500);
        for other in [0, SCR_EL3 + 1, 0x1e_1000, u64::MAX] {
            let answer = available(other, &Policy::NONE, World::Normal);
            assert_eq!(answer, None);
        }
    }

    // The bits of the architecture, written out independently of the code under test.
    const TCPAC_TFP: u64 = 1 << 31 | 1 << 10;
    const TDA_TDOSA: u64 = 1 << 9 | 1 << 10;

    #[test]
    fn a_bare_cpu_has_what_the_architecture_has() {
        let none = Features::NONE;
        assert_eq!(ask(SCR_EL3, World::Normal, none), 0);
        assert_eq!(ask(CPTR_EL3, World::Normal, none), TCPAC_TFP);
        assert_eq!(ask(MDCR_EL3, World::Normal, none), TDA_TDOSA);
        assert_eq!(ask(MPAM3_EL3, World::Normal, none), 0);
    }

    #[test]
    fn what_is_opened_is_told() {
        let features = Features::of(&[Feature::PAUTH, Feature::FGT, Feature::TCR2, Feature::RAS]);
        // APK, FGTEn, TCR2En and TERR.
        let expected = 1 << 16 | 1 << 27 | 1 << 43 | 1 << 15;
        assert_eq!(ask(SCR_EL3, World::Normal, features), expected);
        assert_eq!(ask(SCR_EL3, World::Secure, features), expected);
        // TDCC.
        assert_eq!(ask(MDCR_EL3, World::Secure, features), TDA_TDOSA | 1 << 27);
        let mut random = features;
        random.insert(Feature::RNG);
        assert_eq!(ask(SCR_EL3, World::Normal, random), expected | 1 << 40);
    }

    #[test]
    fn the_worlds_differ() {
        let features = Features::of(&[
            Feature::AMU,
            Feature::TRACE,
            Feature::MPAM,
            Feature::SPE,
            Feature::TRBE,
            Feature::BRBE,
            Feature::PMU,
        ]);
        // TTA and TAM.
        let normal = TCPAC_TFP | 1 << 20 | 1 << 30;
        assert_eq!(ask(CPTR_EL3, World::Normal, features), normal);
        assert_eq!(ask(CPTR_EL3, World::Secure, features), TCPAC_TFP);
        assert_eq!(ask(MPAM3_EL3, World::Normal, features), 1 << 62);
        assert_eq!(ask(MPAM3_EL3, World::Secure, features), 0);
        // TPM and EnPM2; NSPB, NSTB and SBRBE.
        let both = TDA_TDOSA | 1 << 6 | 1 << 7;
        assert_eq!(ask(MDCR_EL3, World::Secure, features), both);
        let owned = 1 << 12 | 1 << 24 | 1 << 32;
        assert_eq!(ask(MDCR_EL3, World::Normal, features), both | owned);
    }

    #[test]
    fn an_spmc_at_sel1_is_not_told_of_vectors_that_it_does_not_get() {
        let features = Features::of(&[Feature::SVE, Feature::SME]);
        // EZ and ESM.
        let vectors = 1 << 8 | 1 << 12;
        assert_eq!(ask(CPTR_EL3, World::Normal, features), TCPAC_TFP | vectors);
        assert_eq!(ask(CPTR_EL3, World::Secure, features), TCPAC_TFP);
        let sel2 = Policy::new(features, SpmcMode::SEl2);
        let told = available(CPTR_EL3, &sel2, World::Secure).unwrap();
        assert_eq!(told, TCPAC_TFP | vectors);
    }
}
