//! SMCCC_ARCH_FEATURE_AVAILABILITY (DEN0028, section 7): which features of the CPU EL3 lets the
//! caller use, as bits of EL3's own control registers.
//!
//! A set bit means "may be used". EL3 keeps a feature closed unless the CPU has it and the world may
//! use it, so most answers are the register's bits as they are. Bits that trap when they are set say
//! nothing about a feature that the CPU lacks; they count only with the feature.

use crate::context::el3::{cptr, mdcr, scr};
use crate::context::{El3Regs, Feature, Features, World};

/// The function. SMC64 only, its answer has 64 bits.
pub const FEATURE_AVAILABILITY: u32 = 0xc000_0003;

/// A register as the caller names it: its encoding, op0 from bit 19, op1 from 16, CRn from 12, CRm
/// from 8, op2 from 5.
const fn register(op1: u64, crn: u64, crm: u64, op2: u64) -> u64 {
    3 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5
}

const SCR_EL3: u64 = register(6, 1, 1, 0);
const CPTR_EL3: u64 = register(6, 1, 1, 2);
const MDCR_EL3: u64 = register(6, 1, 3, 1);
const MPAM3_EL3: u64 = register(6, 10, 5, 0);

/// SCR_EL3: enables.
const SCR_ENABLES: u64 = scr::APK
    | scr::EN_SCXT
    | scr::ATA
    | scr::FGT_EN
    | scr::ECV_EN
    | scr::AMVOFF_EN
    | scr::EN_AS0
    | scr::AD_EN
    | scr::HX_EN
    | scr::GCS_EN
    | scr::EN_TP2
    | scr::RCWMASK_EN
    | scr::TCR2_EN
    | scr::SCTLR2_EN
    | scr::PI_EN
    | scr::AI_EN
    | scr::D128_EN
    | scr::EN_FPM
    | scr::PFAR_EN
    | scr::SRMASK_EN
    | scr::FGT_EN2
    | scr::HDBSS_EN
    | scr::HACDBS_EN;
/// SCR_EL3.TERR: error record registers are trapped.
const SCR_TERR: u64 = 1 << 15;
/// SCR_EL3.FIEN: fault injection. Janus keeps it closed, and says with TF-A's BL31 (without its
/// FAULT_INJECTION_SUPPORT) that it comes with RAS: TF-A's tests take another answer for an error.
const SCR_FIEN: u64 = 1 << 21;
/// SCR_EL3.TRNDR: RNDR and RNDRRS are trapped.
const SCR_TRNDR: u64 = 1 << 40;

/// CPTR_EL3.TCPAC: CPACR_EL1 and CPTR_EL2 are trapped.
const CPTR_TCPAC: u64 = 1 << 31;

/// MDCR_EL3: enables that hold for both worlds.
const MDCR_ENABLES: u64 = mdcr::EN_PM2 | mdcr::PMEE_EL2 | mdcr::EBWE | mdcr::EN_STEPOP;
/// MDCR_EL3: enables of what the normal world owns; of fields with two bits, the one that enables.
const MDCR_NORMAL: u64 = NSPB | NSTB | mdcr::SBRBE_NS;
const NSPB: u64 = 1 << 12;
const NSTB: u64 = 1 << 24;
/// MDCR_EL3: TPM, the performance monitors; TDA and TDOSA, debug registers; TTRF, trace filters;
/// TDCC, the debug communication channel. All trap.
const MDCR_TPM: u64 = 1 << 6;
const MDCR_TDA: u64 = 1 << 9;
const MDCR_TDOSA: u64 = 1 << 10;
const MDCR_TTRF: u64 = 1 << 19;
const MDCR_TDCC: u64 = 1 << 27;

const MPAM3_TRAPLOWER: u64 = 1 << 62;

/// Which features `world` may use on a CPU with these features; `None` if `register` is none that
/// tells. `el3` is what [`El3Regs::new`] makes for the world, not what the registers hold at the
/// moment. `rng`: the CPU has RNDR.
pub fn available(
    register: u64,
    world: World,
    el3: &El3Regs,
    features: Features,
    rng: bool,
) -> Option<u64> {
    // What traps while its bit is set, and the condition under which there is something to trap.
    let untrapped = |value: u64, traps: &[(u64, bool)]| {
        let present = traps.iter().filter(|(_, present)| *present);
        present.fold(0, |bits, (bit, _)| bits | bit) & !value
    };
    let has = |feature| features.has(feature);
    Some(match register {
        SCR_EL3 => {
            let ras = has(Feature::RAS);
            let traps = [(SCR_TERR, ras), (SCR_FIEN, ras), (SCR_TRNDR, rng)];
            el3.scr_el3 & SCR_ENABLES | untrapped(el3.scr_el3, &traps)
        }
        CPTR_EL3 => {
            // Vector and matrix state is open to both worlds; only the first use is trapped.
            let enables = [(cptr::EZ, Feature::SVE), (cptr::ESM, Feature::SME)];
            let open = enables.into_iter().filter(|(_, feature)| has(*feature));
            let traps = [
                (cptr::TTA, has(Feature::TRACE)),
                (cptr::TAM, has(Feature::AMU)),
                (CPTR_TCPAC, true),
            ];
            open.fold(cptr::TFP, |bits, (bit, _)| bits | bit) | untrapped(el3.cptr_el3, &traps)
        }
        MDCR_EL3 => {
            let enables = match world {
                World::Normal => MDCR_ENABLES | MDCR_NORMAL,
                World::Secure => MDCR_ENABLES,
            };
            let traps = [
                (MDCR_TPM, has(Feature::PMU)),
                (MDCR_TDA, true),
                (MDCR_TDOSA, true),
                (MDCR_TTRF, has(Feature::TRF)),
                (MDCR_TDCC, has(Feature::FGT)),
            ];
            el3.mdcr_el3 & enables | untrapped(el3.mdcr_el3, &traps)
        }
        MPAM3_EL3 => untrapped(el3.mpam3_el3, &[(MPAM3_TRAPLOWER, has(Feature::MPAM))]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(register: u64, world: World, features: Features) -> u64 {
        let el3 = El3Regs::new(features, false, world);
        available(register, world, &el3, features, false).unwrap()
    }

    #[test]
    fn encodings() {
        assert_eq!(SCR_EL3, 0x1e_1100);
        assert_eq!(CPTR_EL3, 0x1e_1140);
        assert_eq!(MDCR_EL3, 0x1e_1320);
        assert_eq!(MPAM3_EL3, 0x1e_a500);
        let el3 = El3Regs::EMPTY;
        for other in [0, SCR_EL3 + 1, 0x1e_1000, u64::MAX] {
            let answer = available(other, World::Normal, &el3, Features::NONE, true);
            assert_eq!(answer, None);
        }
    }

    #[test]
    fn a_bare_cpu_has_what_the_architecture_has() {
        let none = Features::NONE;
        assert_eq!(ask(SCR_EL3, World::Normal, none), 0);
        assert_eq!(ask(CPTR_EL3, World::Normal, none), cptr::TFP | CPTR_TCPAC);
        assert_eq!(ask(MDCR_EL3, World::Normal, none), MDCR_TDA | MDCR_TDOSA);
        assert_eq!(ask(MPAM3_EL3, World::Normal, none), 0);
    }

    #[test]
    fn what_is_opened_is_told() {
        let features = Features::of(&[Feature::PAUTH, Feature::FGT, Feature::TCR2, Feature::RAS]);
        let expected = scr::APK | scr::FGT_EN | scr::TCR2_EN | SCR_TERR | SCR_FIEN;
        assert_eq!(ask(SCR_EL3, World::Normal, features), expected);
        assert_eq!(ask(SCR_EL3, World::Secure, features), expected);
        let el3 = El3Regs::new(features, false, World::Normal);
        let random = available(SCR_EL3, World::Normal, &el3, features, true).unwrap();
        assert_eq!(random, expected | SCR_TRNDR);
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
        let normal = cptr::TFP | CPTR_TCPAC | cptr::TTA | cptr::TAM;
        assert_eq!(ask(CPTR_EL3, World::Normal, features), normal);
        assert_eq!(
            ask(CPTR_EL3, World::Secure, features),
            cptr::TFP | CPTR_TCPAC
        );
        assert_eq!(ask(MPAM3_EL3, World::Normal, features), MPAM3_TRAPLOWER);
        assert_eq!(ask(MPAM3_EL3, World::Secure, features), 0);
        let both = MDCR_TDA | MDCR_TDOSA | MDCR_TPM | mdcr::EN_PM2;
        assert_eq!(ask(MDCR_EL3, World::Secure, features), both);
        assert_eq!(ask(MDCR_EL3, World::Normal, features), both | MDCR_NORMAL);
    }
}
