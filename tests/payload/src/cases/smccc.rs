//! The calling convention itself: version, features, unknown functions.

use crate::arch::smc;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::{cores, ffa, regs::Regs};
use crate::{ensure, ensure_eq};

pub const CASES: &[Case] = &[
    Case::new("smccc/version", version).needs(Needs::NO_FFA),
    Case::new("smccc/arch-features", arch_features).needs(Needs::NO_FFA),
    Case::new("smccc/unknown", unknown).needs(Needs::NO_FFA),
    Case::new("smccc/preserved", preserved).needs(Needs::NO_FFA),
];

const VERSION: u32 = 0x8000_0000;
const ARCH_FEATURES: u32 = 0x8000_0001;
const NOT_SUPPORTED: u32 = u32::MAX;

fn version() -> Outcome {
    let version = ffa::call(VERSION, &[]).function();
    ensure!(
        (0x1_0002..0x2_0000).contains(&version),
        "SMCCC_VERSION: {version:#x}, should be 1.2 or later"
    );
    Ok(())
}

fn arch_features() -> Outcome {
    let features = |id: u32| ffa::call(ARCH_FEATURES, &[u64::from(id)]).function();
    ensure_eq!(features(VERSION), 0, "SMCCC_ARCH_FEATURES(SMCCC_VERSION)");
    ensure_eq!(
        features(ARCH_FEATURES),
        0,
        "SMCCC_ARCH_FEATURES(SMCCC_ARCH_FEATURES)"
    );
    ensure_eq!(
        features(0x8000_7abc),
        NOT_SUPPORTED,
        "SMCCC_ARCH_FEATURES of no such function"
    );
    Ok(())
}

/// Functions that nobody has, in each range of owners and both conventions.
fn unknown() -> Outcome {
    for id in [
        0x8000_1234,
        0xc000_1234,
        0x8100_0001,
        0x8200_0001,
        0xc200_0001,
        0x8300_0001,
        0x8400_1fff,
        0xc400_1fff,
        0x8500_0001,
        0x8600_0001,
        0x8700_0001,
        0xb200_0001,
        0xbf00_ff01,
        0x0000_0001,
        0x4000_0001,
        0x7fff_ffff,
        0xffff_ffff,
    ] {
        let got = ffa::call(id, &[]).function();
        ensure_eq!(got, NOT_SUPPORTED, "w0 of unknown function {id:#x}");
    }
    Ok(())
}

/// What a call does not return in registers is preserved: x4-x17 here, x18-x30 by `smc::call`.
fn preserved() -> Outcome {
    cores::on_each(|n| {
        for id in [
            VERSION,
            ARCH_FEATURES,
            0x8400_0000,
            0x8400_1fff,
            0xc400_1fff,
        ] {
            let mut regs = Regs::default();
            regs.0
                .iter_mut()
                .enumerate()
                .for_each(|(i, x)| *x = 0x1111_0000_2222_0000 * (n as u64 + 1) + i as u64);
            regs.0[0] = u64::from(id);
            let got = smc::call(regs);
            for i in 4..18 {
                ensure_eq!(got.x(i), regs.x(i), "x{i} after SMC {id:#x}");
            }
        }
        Ok(())
    })
}
