//! Cases about SMCCC and its general services: version, features, unknown functions, workarounds, TRNG, errata.

use crate::arch::smc;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::{cores, ffa, regs::Regs};
use crate::machine;
use crate::{ensure, ensure_eq, mrs};

pub const CASES: &[Case] = &[
    Case::new("smccc/version", version).needs(Needs::NO_FFA),
    Case::new("smccc/arch-features", arch_features).needs(Needs::NO_FFA),
    Case::new("smccc/unknown", unknown).needs(Needs::NO_FFA),
    Case::new("smccc/reserved-bits", reserved_bits).needs(JANUS),
    Case::new("smccc/preserved", preserved).needs(Needs::NO_FFA),
    Case::new("smccc/workarounds", workarounds).needs(JANUS),
    Case::new("smccc/feature-availability", feature_availability).needs(JANUS),
    Case::new("smccc/soc-id", soc_id).needs(JANUS),
    Case::new("smccc/trng", trng).needs(JANUS),
    Case::new("smccc/errata", errata).needs(JANUS),
];

/// The needs of cases about services that the C BL31 has only if it is built with them.
const JANUS: Needs = Needs::NO_FFA.union(Needs::JANUS);

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

/// Functions that do not exist return NOT_SUPPORTED, in each range of owners and in both conventions.
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
        0x8700_7001,
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

/// Bits 23:17 of a function ID are zero. An ID with one of them set names no function.
fn reserved_bits() -> Outcome {
    for id in [
        VERSION,
        ARCH_FEATURES,
        0xc000_0003, // SMCCC_ARCH_FEATURE_AVAILABILITY
        0x8400_0000, // PSCI_VERSION
        0x8400_000a, // PSCI_FEATURES
        0xc400_0004, // AFFINITY_INFO
        0x8400_0050, // TRNG_VERSION
        0x8400_00f0, // EM_VERSION
        0x8400_ff01, // UUID of the Standard Secure service
        ffa::VERSION,
        ffa::ID_GET,
        ffa::DIRECT_REQ | ffa::SMC64,
    ] {
        for bit in 17..24 {
            let mut regs = ffa::request(id | 1 << bit, &[0x8000_0000, 2, 3, 4, 5, 6, 7]);
            let got = smc::call(regs);
            ensure_eq!(got.x(0), u64::MAX, "x0 of {id:#x} with bit {bit}");
            regs.0[0] = got.x(0);
            ensure!(
                got.0 == regs.0,
                "{id:#x} with bit {bit} changed x1 to x17: {got}"
            );
        }
    }
    Ok(())
}

/// Registers in which a call returns nothing are preserved: this checks x4-x17, `smc::call` x18-x30.
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

/// Returns the 4-bit field of an ID register from bit `shift`.
fn field(register: u64, shift: u32) -> u64 {
    register >> shift & 0xf
}

/// The answer of SMCCC_ARCH_FEATURES about a workaround agrees with the ID registers on each core. If it
/// says that the call works, the call returns with all registers unchanged.
fn workarounds() -> Outcome {
    cores::on_each(|_| {
        let midr = mrs!("midr_el1");
        let csv2 = field(mrs!("id_aa64pfr0_el1"), 56);
        let ssbs = field(mrs!("id_aa64pfr1_el1"), 4);
        for (id, unaffected) in [
            (0x8000_8000, csv2 > 0),
            (0x8000_7fff, ssbs > 0),
            (0x8000_3fff, csv2 >= 3),
            (0x8000_0004, false),
        ] {
            let told = ffa::call(ARCH_FEATURES, &[u64::from(id)]).x(0) as i32;
            // EL3's entries have a measure on Cortex-A57, A72, A76 and Neoverse N1. On the first two, EL3 has forbidden
            // store bypass for good.
            let arm = midr >> 24 & 0xff == 0x41;
            let expected = match (midr >> 4 & 0xfff, id) {
                (0xd07 | 0xd08, 0x8000_8000 | 0x8000_3fff) if csv2 == 0 => Some(0),
                (0xd07 | 0xd08, 0x8000_7fff) => Some(1),
                (0xd0b | 0xd0c, 0x8000_3fff) if csv2 < 3 => Some(0),
                _ => None,
            };
            if let Some(expected) = expected.filter(|_| arm) {
                ensure_eq!(told, expected, "workaround {id:#x} on this CPU");
            }
            ensure!((-1..=1).contains(&told), "workaround {id:#x}: {told}");
            ensure!(
                !unaffected || told == 1,
                "workaround {id:#x}: {told}, CPU is safe"
            );
            let got = ffa::call(id, &[17, 18, 19]);
            if told >= 0 {
                ensure_eq!(got.x(0), u64::from(id), "x0 after workaround {id:#x}");
                ensure_eq!(got.x(3), 19, "x3 after workaround {id:#x}");
            } else {
                ensure_eq!(got.function(), NOT_SUPPORTED, "workaround {id:#x}");
            }
        }
        Ok(())
    })
}

fn feature_availability() -> Outcome {
    let ask = |register: u64| ffa::call(0xc000_0003, &[register]);
    let (scr, cptr, mdcr) = (ask(0x1e_1100), ask(0x1e_1140), ask(0x1e_1320));
    for answer in [&scr, &cptr, &mdcr, &ask(0x1e_a500)] {
        ensure_eq!(answer.x(0), 0, "status");
    }
    let pauth = field(mrs!("id_aa64isar1_el1"), 4) | field(mrs!("id_aa64isar1_el1"), 8);
    let rng = field(mrs!("id_aa64isar0_el1"), 60);
    let sve = field(mrs!("id_aa64pfr0_el1"), 32);
    let pmu = field(mrs!("id_aa64dfr0_el1"), 8);
    for (what, register, bit, present) in [
        ("APK", &scr, 16, pauth != 0),
        ("TRNDR", &scr, 40, rng != 0),
        ("NS", &scr, 0, false),
        ("TFP", &cptr, 10, true),
        ("EZ", &cptr, 8, sve != 0),
        ("TPM", &mdcr, 6, pmu != 0),
    ] {
        ensure_eq!(register.x(1) >> bit & 1, u64::from(present), "{what}");
    }
    let bad = ask(0x1e_1000);
    ensure_eq!(bad.x(0) as i32, -3, "SCTLR_EL3 is no register of features");
    ensure_eq!(bad.x(1), 0, "its features");
    Ok(())
}

/// A machine that is an SoC reports its SoC ID. A virtual machine has none, which the call and SMCCC_ARCH_FEATURES both
/// report.
fn soc_id() -> Outcome {
    if let Some(sys_id) = machine::HERE.sys_id {
        // SAFETY: this is a register of the machine that is mapped as a device. Reading it changes nothing.
        let sys_id = unsafe { core::ptr::with_exposed_provenance::<u32>(sys_id).read_volatile() };
        for function in [0x8000_0002, 0xc000_0002] {
            let ask = |kind| ffa::call(function, &[kind]).function();
            ensure_eq!(ask(0), 0x043b_0000, "ARCH_SOC_ID, its version");
            ensure_eq!(ask(1), sys_id >> 28, "ARCH_SOC_ID, its revision");
            ensure_eq!(ask(2), -3_i32 as u32, "ARCH_SOC_ID, type 2");
        }
        let got = ffa::call(ARCH_FEATURES, &[0x8000_0002]).function();
        ensure_eq!(got, 0, "ARCH_FEATURES of ARCH_SOC_ID");
        return Ok(());
    }
    for kind in 0..3 {
        let got = ffa::call(0x8000_0002, &[kind]).function();
        ensure_eq!(got, NOT_SUPPORTED, "ARCH_SOC_ID, type {kind}");
    }
    let got = ffa::call(ARCH_FEATURES, &[0x8000_0002]).function();
    ensure_eq!(got, NOT_SUPPORTED, "ARCH_FEATURES of ARCH_SOC_ID");
    Ok(())
}

fn trng() -> Outcome {
    const RND_32: u32 = 0x8400_0053;
    const RND_64: u32 = 0xc400_0053;
    let version = ffa::call(0x8400_0050, &[]).function();
    if field(mrs!("id_aa64isar0_el1"), 60) == 0 {
        ensure_eq!(version, NOT_SUPPORTED, "TRNG_VERSION without RNDR");
        ensure_eq!(
            ffa::call(RND_64, &[64]).function(),
            NOT_SUPPORTED,
            "TRNG_RND"
        );
        return Ok(());
    }
    ensure_eq!(version, 0x1_0000, "TRNG_VERSION");
    ensure_eq!(
        ffa::call(0x8400_0051, &[u64::from(RND_64)]).x(0),
        0,
        "FEATURES(RND)"
    );
    let (a, b) = (ffa::call(RND_64, &[192]), ffa::call(RND_64, &[192]));
    ensure_eq!(a.x(0), 0, "TRNG_RND of 192 bits");
    for i in 1..4 {
        ensure!(a.x(i) != b.x(i), "x{i} is the same twice: {:#x}", a.x(i));
    }
    let few = ffa::call(RND_32, &[33]);
    ensure_eq!(few.x(0), 0, "TRNG_RND of 33 bits");
    ensure_eq!(few.x(1), 0, "w1 of 33 bits");
    ensure!(
        few.x(2) <= 1 && few.x(3) <= 0xffff_ffff,
        "more than 33 bits"
    );
    for (id, bits) in [(RND_64, 0), (RND_64, 193), (RND_32, 97)] {
        let got = ffa::call(id, &[bits]);
        ensure_eq!(got.x(0) as i32, -2, "TRNG_RND of {bits} bits");
        ensure_eq!(got.x(3), 0, "x3 of {bits} bits");
    }
    Ok(())
}

fn errata() -> Outcome {
    let call = |id: u32, w1: u64, w2: u64| ffa::call(id, &[w1, w2]).x(0) as i32;
    ensure_eq!(call(0x8400_00f0, 0, 0), 0x1_0000, "EM_VERSION");
    ensure_eq!(call(0x8400_00f1, 0x8400_00f2, 0), 0, "EM_FEATURES");
    ensure_eq!(
        call(0x8400_00f1, 0x8400_00f3, 0),
        -1,
        "EM_FEATURES of no function"
    );
    ensure_eq!(
        call(0x8400_00f2, 1, 0),
        -3,
        "an erratum that does not exist"
    );
    ensure_eq!(
        call(0x8400_00f2, 1, 2),
        -2,
        "a forward flag that does not exist"
    );
    ensure_eq!(call(0x8400_00f3, 0, 0), -1, "no function");
    Ok(())
}
