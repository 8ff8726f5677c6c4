//! Tests of the lists of registers, of the code made from them, and of the controls of EL3's registers.

use super::features::SWITCHED;
use super::registers::List;
use super::{
    CommonBank, El1Bank, El2Bank, Feature, Features, IdRegs, OpenGroups, Policy, Simd, SpmcMode,
    Switch, Switched, SysRegs, World, el3, opening,
};
use crate::cpu_ext::impdef::FirstActlr;
use crate::cpu_ext::{self, Described, EXTENSIONS};
use std::collections::HashSet;

/// A bank: its lists, each with the extension that it depends on, and its size in bytes.
struct Bank {
    name: &'static str,
    lists: Vec<(Option<Feature>, List)>,
    size: usize,
}

/// Returns all banks, with the lists of the made-up extension if `made_up` is set.
fn banks(made_up: bool) -> [Bank; 3] {
    let bank = |name, base: &[List], size| {
        let extensions = EXTENSIONS
            .iter()
            .filter(|e| made_up || e.feature != Feature::MADE_UP);
        let groups = extensions.flat_map(|e| {
            let of = e.groups.iter().filter(move |(bank, _)| *bank == name);
            of.filter_map(|(_, list)| Some((Some(e.feature), (*list)?)))
        });
        let lists = base
            .iter()
            .map(|list| (None, *list))
            .chain(groups)
            .collect();
        Bank { name, lists, size }
    };
    [
        bank("common", CommonBank::BASE_LISTS, size_of::<CommonBank>()),
        bank("EL2", El2Bank::BASE_LISTS, size_of::<El2Bank>()),
        bank("EL1", El1Bank::BASE_LISTS, size_of::<El1Bank>()),
    ]
}

/// One instruction of the generated code: the system register or the field, and the registers that hold the values.
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
    for Bank {
        name: bank, lists, ..
    } in banks(true)
    {
        for (_, list) in lists.iter().filter(|(_, list)| !list.kept) {
            let mut steps = parse(list.code).into_iter();
            for pair in list.registers.chunks(2) {
                let mut next = || steps.next().expect("code for each register");
                // The temporaries that hold the values that were read from the CPU.
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
fn what_is_saved_and_what_is_loaded_are_alike() {
    let mut kept = 0;
    for Bank { lists: of, .. } in banks(true) {
        for (_, list) in &of {
            // The code of the others saves and loads at once.
            let mut saves = if list.kept {
                kept += 1;
                parse(list.code).into_iter()
            } else {
                Vec::new().into_iter()
            };
            let mut loads = parse(list.load_code).into_iter();
            for pair in list.registers.chunks(2) {
                let at = pair[0].name.to_owned();
                if list.kept {
                    let mut temporaries = Vec::new();
                    for register in pair {
                        let Some(Step::Read(name, temporary)) = saves.next() else {
                            panic!()
                        };
                        assert_eq!(name, register.encoding);
                        temporaries.push(temporary);
                    }
                    assert_eq!(saves.next(), Some(Step::Store(temporaries, at.clone())));
                }
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
    assert_eq!(kept, 3);
}

#[test]
fn offsets_follow_the_lists() {
    for Bank {
        name: bank,
        lists,
        size,
    } in banks(true)
    {
        let mut taken = HashSet::new();
        for (_, list) in &lists {
            for (i, register) in list.registers.iter().enumerate() {
                // One instruction stores a pair, so the second register must follow the first.
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
    for Bank { lists, .. } in banks(true) {
        for (_, list) in lists {
            for register in list.registers {
                let (name, encoding) = (register.name, register.encoding);
                assert!(names.insert(name), "{name} is listed twice");
                assert!(
                    encodings.insert(encoding),
                    "{name}: {encoding} is listed twice"
                );
            }
        }
    }
}

#[test]
fn generic_encodings_are_system_registers() {
    for Bank { lists, .. } in banks(true) {
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
                // Op1 says from which EL on a register is accessible. Its name says so, too.
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

/// Returns the ID registers of a CPU with everything: each 4-bit field has a high value.
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
    // The mode decides about SPSR_AA32; RAS_NO_RECORDS is the absence of error records.
    for extension in EXTENSIONS
        .iter()
        .filter(|e| ![Feature::SPSR_AA32, Feature::RAS_NO_RECORDS].contains(&e.feature))
    {
        assert!(
            all.has(extension.feature),
            "{:?}: `present` does not find it in ID registers whose fields are all 4 (`everything`)",
            extension.feature
        );
    }
    let switched = Switched::of(all, SpmcMode::All, true);
    for fact in [
        Switch::El2,
        Switch::El1,
        Switch::More,
        Switch::Rare,
        Switch::Beside,
    ] {
        assert!(switched.is(fact), "{fact:?}");
    }
    // Both banks: no straight way.
    for (mode, straight) in [
        (SpmcMode::All, None),
        (SpmcMode::SEl2, Some(Switch::StraightEl2)),
        (SpmcMode::SEl1, Some(Switch::StraightEl1)),
        (SpmcMode::None, None),
    ] {
        let switched = Switched::of(all, mode, false);
        assert!(switched.is(Switch::Beside), "MPAM3_EL3");
        for way in [Switch::StraightEl2, Switch::StraightEl1] {
            assert_eq!(switched.is(way), straight == Some(way), "{mode:?}");
        }
    }
    let none = Features::from_id(&IdRegs::default());
    assert_eq!(none, Features::NONE);
}

/// A switch has bits for the first [`SWITCHED`] features alone.
#[test]
fn what_is_switched_comes_first_in_the_list() {
    for extension in EXTENSIONS.iter().filter(|e| e.feature != Feature::MADE_UP) {
        let Described {
            feature, groups, ..
        } = extension;
        if groups.iter().any(|(_, list)| list.is_some()) {
            assert!(
                (*feature as u32) < SWITCHED,
                "{feature:?}: move its line in list.rs up, before extensions without registers"
            );
        }
    }
}

#[test]
fn without_el2_there_is_nothing_that_is_el2s_alone() {
    let mut id = everything();
    id.pfr0 &= !(0xf << 8);
    id.ich_vtr = 0;
    id.impdef_el2 = 0;
    id.forget_missing_el2();
    let features = Features::from_id(&id);
    // The extensions that have registers of EL2 and none of EL1.
    for feature in [
        Feature::VHE,
        Feature::FGT,
        Feature::FGT2,
        Feature::HAFGRTR,
        Feature::HCX,
        Feature::ECV,
        Feature::NV2,
        Feature::S2PIE,
        Feature::AA32_EL1,
        Feature::BRBE_EL2,
        Feature::MPAM_EL2,
        Feature::IMPDEF_EL2,
        Feature::LR0_3,
        Feature::EL2,
        Feature::SEL2,
    ] {
        assert!(!features.has(feature), "{feature:?}");
    }
    assert!(features.has(Feature::SVE) && features.has(Feature::PAUTH));
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
    assert!(features.has(Feature::LR0_3) && !features.has(Feature::LR4_7));
    let switched = Switched::of(features, SpmcMode::SEl1, false);
    assert!(switched.is(Switch::El1) && !switched.is(Switch::El2));
    assert!(!switched.is(Switch::Rare));
    // It has no RAS.
    assert!(!switched.is(Switch::StraightEl1) && switched.has(Feature::GIC));
}

#[test]
fn el3_registers_of_the_worlds() {
    use el3::{cptr, mdcr, scr};
    // CPTR_EL3.TAM and TTA; MDCR_EL3.SCCD; MPAM3_EL3.MPAMEN and TRAPLOWER.
    let (observers, sccd) = (1 << 30 | 1 << 20, 1 << 23);
    let (mpamen, traplower) = (1 << 63, 1 << 62);
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
        assert_eq!(normal.mdcr_el3 & (mdcr::SDD | sccd), mdcr::SDD | sccd);
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
        assert_eq!(secure.cptr_el3 & observers, observers);
        assert_eq!(normal.cptr_el3 & observers, 0);
        assert_eq!(
            (normal.cptr_el3 | secure.cptr_el3) & (cptr::EZ | cptr::ESM),
            0
        );
        assert_eq!((normal.mpam3_el3, secure.mpam3_el3), (mpamen, traplower));
    }
    let alone = Policy::new(features, SpmcMode::None).el3_regs(World::Normal);
    assert_eq!(alone.cptr_el3, cptr::EZ | cptr::ESM);
}

#[test]
fn a_cpu_with_nothing_gets_nothing_enabled() {
    use el3::{mdcr, scr};
    let secure = Policy::new(Features::NONE, SpmcMode::SEl1).el3_regs(World::Secure);
    assert_eq!(secure.scr_el3, scr::RES1 | scr::SIF | scr::RW | scr::ST);
    // TAM and TTA.
    assert_eq!(secure.cptr_el3, 1 << 30 | 1 << 20);
    assert_eq!(secure.mdcr_el3, mdcr::SDD | mdcr::SPD32_DISABLED);
}

/// SCR_EL3 has the value with which real software was seen to work: that of the C BL31 on QEMU
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
    // Extensions that open to the secure world on its first use are still closed.
    let secure = policy.el3_regs(World::Secure).scr_el3;
    assert_eq!(secure, 0x0400_0f30 | el3::scr::EEL2);
}

/// SMCCC_ARCH_FEATURE_AVAILABILITY agrees with EL3's registers: each bit that it reports is set in the register if the
/// bit enables, and clear if the bit traps, once all extensions have had their first use.
#[test]
fn what_is_told_as_available_works() {
    use el3::Register;
    // The bits that trap when they are set, from the architecture; all others enable.
    let traps = [
        (Register::Scr, 1 << 15 | 1 << 40), // TERR, TRNDR
        (Register::Cptr, 1 << 10 | 1 << 20 | 1 << 30 | 1 << 31), // TFP, TTA, TAM, TCPAC
        (
            Register::Mdcr,
            1 << 6 | 1 << 9 | 1 << 10 | 1 << 19 | 1 << 27,
        ), // TPM, TDA, TDOSA, TTRF, TDCC
        (Register::Mpam3, 1_u64 << 62),     // TRAPLOWER
    ];
    let mut told_bits = 0;
    for (erridr, mode, world) in [0, 1].into_iter().flat_map(|erridr| {
        let modes = [SpmcMode::SEl1, SpmcMode::SEl2, SpmcMode::All].into_iter();
        modes.flat_map(move |mode| {
            [World::Normal, World::Secure].map(move |world| (erridr, mode, world))
        })
    }) {
        let id = IdRegs {
            erridr,
            ..everything()
        };
        let features = Features::from_id(&id);
        let policy = Policy::new(features, mode);
        let mut el3 = policy.el3_regs(world);
        for (_, scr) in cpu_ext::ON_FIRST_USE {
            el3.scr_el3 |= scr;
        }
        el3.cptr_el3 &= !el3::cptr::TFP;
        if world == World::Normal || mode.el2() {
            el3.cptr_el3 |= el3::cptr::EZ | el3::cptr::ESM;
        }
        for (register, traps) in traps {
            let value = match register {
                Register::Scr => el3.scr_el3,
                Register::Cptr => el3.cptr_el3,
                Register::Mdcr => el3.mdcr_el3,
                Register::Mpam3 => el3.mpam3_el3,
            };
            let told = opening::available(register, features, mode.el2(), world);
            let lie = told & traps & value | told & !traps & !value;
            assert_eq!(
                lie, 0,
                "{register:?} of {world:?}: {told:#x} told, it is {value:#x}"
            );
            told_bits += told.count_ones();
        }
    }
    assert!(told_bits > 200);
}

/// An EL2 that no software has set up traps nothing of EL1. The bits that trap when they are clear are listed by the
/// architecture.
#[test]
fn an_unused_el2_traps_nothing() {
    let features = Features::from_id(&everything());
    let policy = Policy::new(features, SpmcMode::SEl1);
    let mut first = SysRegs::EMPTY;
    policy.reset_normal(&mut FirstActlr::default(), &mut first, true);
    let el2 = &first.el2;
    for (name, value, bits) in [
        (
            "HCR_EL2: APK, API, EnSCXT, ATA, RW",
            el2.el2.hcr_el2,
            1 << 40 | 1 << 41 | 1 << 53 | 1 << 56 | 1 << 31,
        ),
        (
            "HCRX_EL2: EnAS0, EnALS, EnASR, MSCEn, TCR2En, SCTLR2En, D128En",
            el2.HCX.hcrx_el2,
            0x2_c807,
        ),
        (
            "HCRX_EL2: GCSEn, EnFPM, SRMASKEn",
            el2.HCX.hcrx_el2,
            1 << 22 | 1 << 23 | 1 << 26,
        ),
        ("HFGRTR_EL2", el2.FGT.hfgrtr_el2, 0xfff4 << 48),
        ("HFGWTR_EL2", el2.FGT.hfgwtr_el2, 0xfff4 << 48),
        ("HFGITR_EL2", el2.FGT.hfgitr_el2, 0x1f << 55),
        ("HDFGRTR_EL2", el2.FGT.hdfgrtr_el2, 0xf << 59),
        ("MDCR_EL2: E2PB, E2TB", el2.el2.mdcr_el2, 3 << 12 | 3 << 24),
        ("CNTHCTL_EL2: EL1PCTEN, EL1PCEN", el2.el2.cnthctl_el2, 3),
    ] {
        assert_eq!(value & bits, bits, "{name}: {value:#x}");
    }
    // TSM, TZ, TFP, TTA, TAM and TCPAC of CPTR_EL2 trap when they are set.
    assert_eq!(el2.el2.cptr_el2 & (0x1500 | 1 << 20 | 3 << 30), 0);
    // A hypervisor that does not know an extension leaves it closed to its guests.
    let mut first = SysRegs::EMPTY;
    policy.reset_normal(&mut FirstActlr::default(), &mut first, false);
    assert_eq!(first.el2.HCX.hcrx_el2, 0);
}

/// One file and one line are enough to add an extension everywhere: the tests have a made-up one.
#[test]
fn one_file_and_one_line_make_an_extension() {
    use cpu_ext::made_up::MUEN;
    const BIT: u64 = 1 << 62;
    let features = Features::from_id(&IdRegs {
        mmfr4: 1 << 60,
        ..IdRegs::default()
    });
    assert_eq!(features, Features::of(&[Feature::MADE_UP]));
    assert_eq!(features.to_string(), "MADEUP");
    // EL3's register opens it to the normal world at once and to the secure world on first use, and is reported.
    let policy = Policy::new(features, SpmcMode::All);
    assert_eq!(policy.el3_regs(World::Normal).scr_el3 & BIT, BIT);
    let secure = policy.el3_regs(World::Secure);
    assert_eq!(secure.scr_el3 & BIT, 0);
    for world in [World::Normal, World::Secure] {
        let told = opening::available(el3::Register::Scr, features, true, world);
        assert_eq!(told, BIT);
    }
    assert_eq!(el3::Control::first_use(&[MUEN]), BIT);
    // Its registers are in their banks, and have first values.
    let [common, el2, el1] = banks(true);
    for (bank, group, register) in [
        (common, "MadeUp", "mu_el0"),
        (el2, "MadeUpEl2", "mu_el2"),
        (el1, "MadeUpEl1", "mu_el1"),
    ] {
        let mut lists = bank.lists.iter();
        let list = lists.find(|(feature, _)| *feature == Some(Feature::MADE_UP));
        let (_, list) = list.expect("a list in each bank");
        assert_eq!((list.name, list.registers[0].name), (group, register));
    }
    let mut first = SysRegs::EMPTY;
    policy.reset(&mut FirstActlr::default(), &mut first);
    assert_eq!(first.el2.MADE_UP.mu_el2, 7);
    // The secure world's first use, by a register of each bank and by an instruction, opens it.
    for esr in [
        (0x18 << 26 | 3 << 20 | 7 << 17 | 3 << 14 | 15 << 10 | 15 << 1),
        (0x18 << 26 | 3 << 20 | 7 << 17 | 4 << 14 | 15 << 10 | 15 << 1),
        (0x18 << 26 | 3 << 20 | 7 << 17 | 15 << 10 | 15 << 1),
        0x3f << 26,
    ] {
        // SAFETY: this is the host.
        let mut live = unsafe { OpenGroups::new(&mut []) };
        let mut el3 = secure;
        live.init(features, &mut el3);
        assert!(!live.switched().has(Feature::MADE_UP));
        let mut parked = SysRegs::EMPTY;
        assert!(live.first_use(&policy, World::Secure, &mut el3, &mut parked, esr));
        assert!(live.switched().has(Feature::MADE_UP) && el3.scr_el3 & BIT != 0);
    }
}

/// Returns what is wrong with the extensions' files (name and text), compared with the list of extensions.
fn left_out(files: &[(String, String)], list: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in files {
        if !list.iter().any(|(module, _)| module == file) {
            wrong.push(format!("cpu_ext/{file}.rs has no line in the list"));
            continue;
        }
        let declared: Vec<_> = text
            .split("extension! {")
            .skip(1)
            .filter_map(|declaration| declaration.split("pub ").nth(1)?.split_whitespace().next())
            .collect();
        for name in &declared {
            if !list.contains(&(file, name)) {
                wrong.push(format!(
                    "cpu_ext/{file}.rs: {name} is not in its line of the list"
                ));
            }
        }
    }
    wrong
}

#[test]
fn an_extension_that_is_not_in_the_list_is_found() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cpu_ext");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !matches!(stem.as_str(), "mod" | "list") {
            files.push((stem, std::fs::read_to_string(&path).unwrap()));
        }
    }
    let list: Vec<_> = EXTENSIONS
        .iter()
        .map(|e| (e.module, e.declaration))
        .collect();
    assert_eq!(left_out(&files, &list), [""; 0]);
    // Leave out the line of the made-up extension, then its name in the line.
    let without: Vec<_> = list
        .iter()
        .copied()
        .filter(|(file, _)| *file != "made_up")
        .collect();
    let wrong = left_out(&files, &without);
    assert_eq!(wrong, ["cpu_ext/made_up.rs has no line in the list"]);
    let mut other = without;
    other.push(("made_up", "OTHER"));
    let wrong = left_out(&files, &other);
    assert_eq!(
        wrong,
        ["cpu_ext/made_up.rs: MADE_UP is not in its line of the list"]
    );
}

/// Extensions of different files share no bit of EL3's registers.
#[test]
fn no_bit_belongs_to_two_extensions() {
    let mut owners: Vec<(el3::Control, &str)> = Vec::new();
    for extension in EXTENSIONS {
        for control in extension.opens {
            for (other, file) in &owners {
                assert!(
                    *file == extension.module || !control.overlaps(other),
                    "{:?} and cpu_ext/{file}.rs",
                    extension.feature
                );
            }
            owners.push((*control, extension.module));
        }
    }
}

/// System registers are named in tables of this crate: no other code of EL3 has an encoding, no register is in two
/// tables, and EL3's own are unsafe to write.
#[test]
fn system_registers_have_names() {
    let texts = sources(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let (mut names, mut encodings) = (HashSet::new(), HashSet::new());
    for (name, encoding, access) in texts.iter().flat_map(|text| tables(text)) {
        assert!(names.insert(name), "{name} is in two tables");
        assert!(encodings.insert(encoding), "{encoding} is in two tables");
        // EL3's own registers, and those that change the whole core.
        let own = name.ends_with("_EL3") || name.starts_with("CPU");
        let own = own && access.contains("write");
        assert_eq!(own, access.contains("unsafe"), "{name}");
    }
    assert!(names.contains("MUCTL_EL0"), "the tables were not found");
    // Each encoding in the sources is in a table or in a list.
    let lists: HashSet<_> = banks(true)
        .into_iter()
        .flat_map(|bank| bank.lists)
        .flat_map(|(_, list)| list.registers.iter().map(|register| register.encoding))
        .collect();
    let mut seen = 0;
    let image = sources(concat!(env!("CARGO_MANIFEST_DIR"), "/../src"));
    for text in texts.iter().chain(&image) {
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                // RNDRRS reports its success in the flags, so it needs more than a plain read.
                if super::registers::number(word) == 0 || word == "S3_3_C2_C4_1" {
                    continue;
                }
                seen += 1;
                assert!(
                    encodings.contains(&word) || lists.contains(word),
                    "{word}: {line}"
                );
            }
        }
    }
    assert!(seen > 100, "the sources were not found");
}

/// Returns the lines of the tables in a source: the register's name, its name for the assembler, and how it may be
/// accessed.
fn tables(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.split("sysregs! {").skip(1).flat_map(|rest| {
        let table = rest.split("\n}").next().unwrap_or_default();
        table.lines().filter_map(|line| {
            let (name, rest) = line.trim().split_once(" = \"")?;
            let (encoding, access) = rest.split_once("\": ")?;
            Some((name, encoding, access))
        })
    })
}

/// Returns the text of all source files below `folder`, without tests.
fn sources(folder: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        if path.is_dir() {
            texts.extend(sources(name));
        } else if !name.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            texts.push(text.split("mod tests {").next().unwrap().to_owned());
        }
    }
    texts
}

/// docs/context.md lists every group with its number of registers, and the sizes of a context.
#[test]
fn the_document_tells_the_truth() {
    let text = include_str!("../../../docs/context.md");
    let mut missing = String::new();
    for Bank {
        name: bank, lists, ..
    } in banks(false)
    {
        for (_, list) in lists {
            let row = format!("| {bank} | `{}` | {} |", list.name, list.registers.len());
            if !text.contains(&row) {
                missing += &format!("{row}\n");
            }
        }
    }
    // Sizes without the made-up extension, whose registers may fill a gap of the real bank.
    let sizes = banks(false).map(|bank| {
        let registers: usize = bank
            .lists
            .iter()
            .map(|(_, list)| list.registers.len())
            .sum();
        (8 * registers).next_multiple_of(16)
    });
    let system_registers = sizes.iter().sum();
    for (what, bytes) in [
        ("system registers of a core", system_registers),
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
