//! The lists of registers: what is saved is what is restored, where it belongs, in the same order.

use super::registers::{BANK_MAX, List};
use super::{CommonBank, El1Bank, El2Bank, Feature};
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
                    assert_eq!(operands[n - 2], "load", "{line}");
                    Step::Load(operands[..n - 2].to_vec(), operands[n - 1].clone())
                }
                "str" | "stp" => {
                    let n = operands.len();
                    assert_eq!(operands[n - 2], "save", "{line}");
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
        for (_, list) in lists {
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
