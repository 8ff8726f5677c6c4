//! The lists of registers: what is saved is what is restored, where it belongs, in the same order.

use super::registers::{BANK_MAX, List};
use super::{
    CommonBank, El1Bank, El2Bank, Feature, Features, IdRegs, Policy, Simd, SpmcMode, SysRegs,
    World, el3,
};
use crate::cpu_ext::EXTENSIONS;
use std::collections::HashSet;

type Lists = &'static [(Option<Feature>, List)];

const BANKS: [(&str, Lists, usize); 3] = [
    ("common", CommonBank::LISTS, size_of::<CommonBank>()),
    ("EL2", El2Bank::LISTS, size_of::<El2Bank>()),
    ("EL1", El1Bank::LISTS, size_of::<El1Bank>()),
];

/// One access of the generated code: the register, or the field's name with the pair's second one.
#[derive(Debug, PartialEq)]
enum Step {
    Read(String, String),
    Write(String, String),
    Load(Vec<String>, String),
    Store(Vec<String>, String),
}

/// Reads the generated code as the assembler would.
fn parse(code: &str) -> Vec<Step> {
    let name = |s: &str| s.trim().trim_matches(['{', '}', '#', '[', ']']).to_owned();
    code.lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (op, rest) = line.split_once(' ').expect("an operand");
            let operands: Vec<_> = rest.split(',').map(name).collect();
            match op {
                "mrs" => Step::Read(operands[1].clone(), operands[0].clone()),
                "msr" => Step::Write(operands[0].clone(), operands[1].clone()),
                "ldr" | "ldp" => {
                    let n = operands.len();
                    assert_eq!(operands[n - 2], "bank", "{line}");
                    Step::Load(operands[..n - 2].to_vec(), operands[n - 1].clone())
                }
                "str" | "stp" => {
                    let n = operands.len();
                    assert_eq!(operands[n - 2], "bank", "{line}");
                    Step::Store(operands[..n - 2].to_vec(), operands[n - 1].clone())
                }
                other => panic!("the switch has an instruction of another kind: {other}"),
            }
        })
        .collect()
}

#[test]
fn saved_and_restored_are_the_same() {
    for (bank, lists, _) in BANKS {
        for (_, list) in lists.iter().filter(|(_, list)| list.load_code.is_empty()) {
            let mut steps = parse(list.code).into_iter();
            for pair in list.registers.chunks(2) {
                let mut next = || steps.next().expect("code for each register");
                // What each temporary holds on its way out of and into the CPU.
                let mut out = Vec::new();
                for register in pair {
                    let Step::Read(name, temporary) = next() else {
                        panic!("{bank}: no read")
                    };
                    assert_eq!(name, register.encoding);
                    out.push(temporary);
                }
                let Step::Load(loaded, at) = next() else {
                    panic!("{bank}: no load")
                };
                assert_eq!((loaded.len(), at.as_str()), (pair.len(), pair[0].name));
                assert!(
                    loaded.iter().all(|t| !out.contains(t)),
                    "{bank}: {at} overwritten"
                );
                assert_eq!(next(), Step::Store(out, pair[0].name.to_owned()));
                for (register, temporary) in pair.iter().zip(loaded) {
                    assert_eq!(next(), Step::Write(register.encoding.to_owned(), temporary));
                }
            }
            assert_eq!(
                steps.next(),
                None,
                "{bank}: {} has code to spare",
                list.name
            );
        }
    }
}

#[test]
fn what_is_kept_is_saved_and_loaded_alike() {
    let mut lists = 0;
    for (_, banks, _) in BANKS {
        for (_, list) in banks.iter().filter(|(_, list)| !list.load_code.is_empty()) {
            lists += 1;
            let mut saves = parse(list.code).into_iter();
            let mut loads = parse(list.load_code).into_iter();
            for pair in list.registers.chunks(2) {
                let mut temporaries = Vec::new();
                for register in pair {
                    let Some(Step::Read(name, temporary)) = saves.next() else {
                        panic!()
                    };
                    assert_eq!(name, register.encoding);
                    temporaries.push(temporary);
                }
                let at = pair[0].name.to_owned();
                assert_eq!(saves.next(), Some(Step::Store(temporaries, at.clone())));
                let Some(Step::Load(loaded, from)) = loads.next() else {
                    panic!()
                };
                assert_eq!((loaded.len(), from), (pair.len(), at));
                for (register, temporary) in pair.iter().zip(loaded) {
                    let write = Step::Write(register.encoding.to_owned(), temporary);
                    assert_eq!(loads.next(), Some(write));
                }
            }
            assert_eq!((saves.next(), loads.next()), (None, None));
        }
    }
    assert_eq!(lists, 3);
}

#[test]
fn offsets_follow_the_lists() {
    for (bank, lists, size) in BANKS {
        assert!(size <= BANK_MAX);
        let mut taken = HashSet::new();
        for (_, list) in lists {
            for (i, register) in list.registers.iter().enumerate() {
                // A pair is stored by one instruction, so its second register comes right after.
                assert_eq!(
                    register.offset,
                    list.registers[0].offset + 8 * i,
                    "{}",
                    register.name
                );
                assert!(register.offset + 8 <= size);
                assert!(
                    taken.insert(register.offset),
                    "{bank}: {} overlaps",
                    register.name
                );
            }
        }
        let registers: usize = lists.iter().map(|(_, list)| list.registers.len()).sum();
        assert!(
            size - registers * 8 < 16,
            "{bank}: {} registers in {size} bytes",
            registers
        );
    }
}

#[test]
fn no_register_is_listed_twice() {
    let mut names = HashSet::new();
    let mut encodings = HashSet::new();
    for (_, lists, _) in BANKS {
        for (_, list) in lists {
            for register in list.registers {
                assert!(names.insert(register.name), "{}", register.name);
                assert!(encodings.insert(register.encoding), "{}", register.name);
            }
        }
    }
}

#[test]
fn generic_encodings_are_system_registers() {
    for (_, lists, _) in BANKS {
        for (_, list) in lists {
            for register in list.registers {
                let Some(generic) = register
                    .encoding
                    .strip_prefix('S')
                    .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                else {
                    assert_eq!(register.encoding.to_lowercase(), register.name);
                    continue;
                };
                let fields: Vec<u32> = generic
                    .split('_')
                    .map(|field| field.trim_start_matches('C').parse().expect("a number"))
                    .collect();
                let [op0, op1, crn, crm, op2] = fields[..] else {
                    panic!("{}", register.name)
                };
                assert!((2..4).contains(&op0) && op1 < 8 && crn < 16 && crm < 16 && op2 < 8);
                // Op1 says at which EL a register is accessible, and so does its name.
                let suffix = register.name.rsplit("_el").next().unwrap_or_default();
                let expected: &[u32] = match suffix {
                    "0" => &[3],
                    "1" => &[0],
                    "2" => &[4],
                    _ => &[3],
                };
                assert!(
                    expected.contains(&op1),
                    "{}: {}",
                    register.name,
                    register.encoding
                );
            }
        }
    }
}

/// ID registers of a CPU with everything: each 4-bit field at its highest known value.
fn everything() -> IdRegs {
    const MAX: u64 = 0x4444_4444_4444_4444;
    IdRegs {
        pfr0: MAX & !0xf0 | 0x20,
        pfr1: MAX,
        pfr2: MAX,
        dfr0: MAX | 0xb,
        dfr1: MAX,
        dfr2: MAX,
        isar0: MAX,
        isar1: MAX,
        isar2: MAX,
        isar3: MAX,
        mmfr0: MAX,
        mmfr1: MAX,
        mmfr2: MAX,
        mmfr3: MAX,
        mmfr4: MAX,
        smfr0: 1 << 63,
        midr: 0x410f_d080,
        impdef_el1: 1,
        impdef_el2: 1,
        erridr: 1,
        ich_vtr: 6 << 26 | 15,
    }
}

#[test]
fn every_extension_is_found_by_its_own_field() {
    let all = Features::from_id(&everything());
    for extension in EXTENSIONS {
        assert!(
            all.has(extension.feature),
            "{:?} is not in a CPU with all",
            extension.feature
        );
    }
    let none = Features::from_id(&IdRegs::default());
    assert_eq!(none, Features::NONE);
    let mut seen = HashSet::new();
    for extension in EXTENSIONS {
        assert!(
            seen.insert(extension.feature as u8),
            "{:?} is there twice",
            extension.feature
        );
    }
    // A bit that no extension sets would switch nothing off for ever.
    let derived = [Feature::SPSR_AA32, Feature::NONE];
    for (_, lists, _) in BANKS {
        for feature in lists.iter().filter_map(|(feature, _)| *feature) {
            assert!(
                seen.contains(&(feature as u8)) || derived.contains(&feature),
                "{feature:?}"
            );
        }
    }
}

#[test]
fn old_cpu() {
    // A Cortex-A57: AArch32 at each EL, GIC system registers, PMUv3, nothing later.
    let id = IdRegs {
        pfr0: 0x0100_2222,
        dfr0: 0x1030_5106,
        mmfr0: 0x1124,
        ich_vtr: 4 << 29 | 4 << 26 | 3,
        midr: 0x411f_d070,
        ..IdRegs::default()
    };
    let features = Features::from_id(&id);
    assert!(!el3::has_sel2(&id));
    assert_eq!(features.to_string(), "AA32EL1 PMUv3");
    assert!(features.has(Feature::EAGER_FP));
    assert!(features.has(Feature::ICH_LR0_3) && !features.has(Feature::ICH_LR4_7));
    assert!(!features.has(Feature::LATE_EL1) && !features.has(Feature::LATE_EL2));
}

#[test]
fn el3_registers_of_the_worlds() {
    use el3::{cptr, mdcr, mpam3, scr};
    let features = Features::from_id(&everything());
    for mode in [SpmcMode::SEl1, SpmcMode::SEl2, SpmcMode::All] {
        let policy = Policy::new(features, mode);
        let normal = policy.el3_regs(World::Normal);
        let secure = policy.el3_regs(World::Secure);
        assert_eq!(normal.mdcr_el3, secure.mdcr_el3, "it is not switched");
        assert_eq!(
            normal.mdcr_el3 & (1 << 17 | 1 << 35 | 1 << 18),
            0,
            "SPME, MPMX, STE"
        );
        assert_eq!(
            normal.mdcr_el3 & (mdcr::SDD | mdcr::SCCD),
            mdcr::SDD | mdcr::SCCD
        );
        assert_eq!(secure.scr_el3 & (scr::NS | scr::FIQ), 0);
        assert_eq!(normal.scr_el3 & (scr::NS | scr::FIQ), scr::NS | scr::FIQ);
        let eel2 = if mode.el2() { scr::EEL2 } else { 0 };
        assert_eq!(
            (normal.scr_el3 & scr::EEL2, secure.scr_el3 & scr::EEL2),
            (eel2, eel2)
        );
        assert_eq!(
            secure.cptr_el3 & cptr::TFP,
            0,
            "an SPMC's first FP access would stop it"
        );
        assert_eq!(
            secure.cptr_el3 & (cptr::TAM | cptr::TTA),
            cptr::TAM | cptr::TTA
        );
        assert_eq!(normal.cptr_el3 & (cptr::TAM | cptr::TTA), 0);
        assert_eq!(
            (normal.cptr_el3 | secure.cptr_el3) & (cptr::EZ | cptr::ESM),
            0
        );
        assert_eq!(
            (normal.mpam3_el3, secure.mpam3_el3),
            (mpam3::MPAMEN, mpam3::TRAPLOWER)
        );
    }
    let alone = Policy::new(features, SpmcMode::None).el3_regs(World::Normal);
    assert_eq!(alone.cptr_el3, cptr::EZ | cptr::ESM);
}

#[test]
fn a_cpu_with_nothing_gets_nothing_enabled() {
    use el3::{cptr, mdcr, scr};
    let secure = Policy::new(Features::NONE, SpmcMode::SEl1).el3_regs(World::Secure);
    assert_eq!(secure.scr_el3, scr::RES1 | scr::SIF | scr::RW | scr::ST);
    assert_eq!(secure.cptr_el3, cptr::TAM | cptr::TTA);
    assert_eq!(secure.mdcr_el3, mdcr::SDD | mdcr::SPD32_DISABLED);
}

/// The registers of [`El3Regs`] that real software was seen to work with: the C BL31's on QEMU
/// with `-cpu max` and an SPMC at S-EL2.
#[test]
fn compatible_with_what_works_today() {
    let mut features = Features::of(&[Feature::EL2, Feature::SEL2, Feature::PAUTH, Feature::MTE]);
    for feature in [
        Feature::CSV2_2,
        Feature::FGT,
        Feature::ECV,
        Feature::HCX,
        Feature::SME,
        Feature::TPIDR2,
    ] {
        features.insert(feature);
    }
    let policy = Policy::new(features, SpmcMode::SEl2);
    let normal = policy.el3_regs(World::Normal).scr_el3;
    assert_eq!(normal, 0x240_1e07_0735);
    // What the secure world gets on its first use is closed yet.
    let secure = policy.el3_regs(World::Secure).scr_el3;
    assert_eq!(secure, 0x0400_0f30 | el3::scr::EEL2);
}

/// docs/context.md lists every group with its number of registers, and the sizes of a context.
#[test]
fn the_document_tells_the_truth() {
    let text = include_str!("../../../docs/context.md");
    let mut missing = String::new();
    for (bank, lists, _) in BANKS {
        for (_, list) in lists {
            let row = format!("| {bank} | `{}` | {} |", list.name, list.registers.len());
            if !text.contains(&row) {
                missing += &format!("{row}\n");
            }
        }
    }
    for (what, bytes) in [
        ("system registers of a core", size_of::<SysRegs>()),
        ("vector registers of a core, 128 bits", Simd::room(16)),
        ("vector registers of a core, 2048 bits", Simd::room(256)),
    ] {
        let row = format!("| {what} | {bytes} |");
        if !text.contains(&row) {
            missing += &format!("{row}\n");
        }
    }
    assert!(missing.is_empty(), "docs/context.md lacks:\n{missing}");
}
