//! Tests of the dispatch of SMCs to services.

use super::*;

/// Calls `function` from `world` with 1 to 4 in x1 to x4, and returns its x0 to x4 afterwards. The normal world calls
/// on a machine without an SPMC.
fn answer(world: World, function: u64) -> [u64; 5] {
    answer_with(world, function, 1)
}

/// As [`answer`], with `x1` in x1.
fn answer_with(world: World, function: u64, x1: u64) -> [u64; 5] {
    let events = std::thread::spawn(move || {
        let call = smc(&[function, x1, 2, 3, 4]);
        if world == World::Normal {
            without_spmc();
            normal(call);
        } else {
            with_spmc(&[]);
            normal(smc(&[DIRECT_REQ, 0x8000]));
            secure(call);
        }
        boots().1
    });
    let events = events.join().unwrap();
    let last = events.iter().rev().find_map(|event| match event {
        Event::Entered(who, registers) if *who == world => Some(*registers),
        _ => None,
    });
    last.unwrap()
}

const UNKNOWN: [u64; 5] = [NOT_SUPPORTED, 1, 2, 3, 4];

#[test]
fn every_service_is_reached() {
    for (function, x0) in [
        (0x8000_0000, 0x1_0005),                    // SMCCC_VERSION
        (0x8400_0000, 0x1_0003),                    // PSCI_VERSION
        (0x8400_00f0, 0x1_0000),                    // EM_VERSION
        (0x8400_ff01, 0x108d_905b),                 // the Standard Secure service's UUID
        (0x8400_0063, NOT_SUPPORTED & 0xffff_ffff), // FFA_VERSION, without an SPMC
        (0x8400_0069, FFA_ERROR),                   // FFA_ID_GET
    ] {
        let [found, ..] = answer(World::Normal, function);
        assert_eq!(found & 0xffff_ffff, x0, "{function:#x}: {found:#x}");
    }
}

/// docs/smccc.md and docs/psci.md have the versions that the services answer.
#[test]
fn the_documents_versions() {
    let version = |function: u64| {
        let [x0, ..] = answer(World::Normal, function);
        format!("{}.{}", x0 >> 16 & 0x7fff, x0 & 0xffff)
    };
    let smccc = include_str!("../../../docs/smccc.md");
    let psci = include_str!("../../../docs/psci.md");
    for (text, said) in [
        (
            smccc,
            format!(
                "| SMCCC_VERSION 0x8000_0000 | N, S | {} |",
                version(0x8000_0000)
            ),
        ),
        (smccc, format!("(DEN0100 {})", version(0x8400_00f0))),
        (psci, format!("version {}.", version(0x8400_0000))),
    ] {
        assert!(text.contains(&said), "{said}");
    }
}

/// The host has no source of entropy, so TRNG_VERSION is not supported.
#[test]
fn the_trng_answers_for_itself() {
    assert_eq!(answer(World::Normal, 0x8400_0050)[0] as i32, -1);
}

#[test]
fn the_sve_hint_is_no_part_of_a_function() {
    for function in [0x8000_0000, 0x8400_0000, 0x8400_00f0, 0x8400_ff01] {
        assert_eq!(
            answer(World::Normal, function | 1 << 16),
            answer(World::Normal, function),
            "{function:#x}"
        );
    }
}

/// Functions that no service has are NOT_SUPPORTED, and all other registers stay.
#[test]
fn what_is_nobodys_is_not_supported() {
    for function in [
        0x8200_0000, // SiP
        0x8300_0001, // OEM
        0x8500_0000, // Standard Hypervisor
        0x8600_ff01, // vendor hypervisor
        0x8700_7001, // vendor EL3 monitor
        0x0700_0000, // a yielding call to it
        0x8702_0000, // a reserved bit in its range
        0xc700_ff01, // a query in the 64-bit form
        0x8200_ff01, // a query of a service that is not there
        0xb000_0000, // trusted application
        0xb200_0000, // trusted OS
        0x0400_0000, // a yielding call
        0x8400_0040, // between PSCI and TRNG
        0x8400_0100,
        0x8402_0000, // a reserved bit in the standard range
        0xffff_ffff,
        0,
    ] {
        assert_eq!(answer(World::Normal, function), UNKNOWN, "{function:#x}");
        assert_eq!(answer(World::Secure, function), UNKNOWN, "{function:#x}");
    }
}

/// Both worlds can ask for Janus' version and platform.
#[test]
fn the_platforms_service() {
    for world in [World::Normal, World::Secure] {
        for function in [0x8700_0000, 0xc700_0000, 0x8701_0000] {
            let found = answer(world, function);
            assert_eq!(found, [0, 1, 0, 0x1122_3344, 0x5566_7788], "{function:#x}");
        }
        let [_, q, e, m, u] = answer(world, 0x8700_0001);
        let [v, i] = [u32::from_le_bytes(*b" vir"), u32::from_le_bytes(*b"QEMU")];
        assert_eq!([q, e, m, u], [i.into(), v.into(), b't'.into(), 0]);
        assert_eq!(answer(world, 0x8700_ff00), [4, 1, 2, 3, 4]);
        let uuid = [0x632e_0f6d, 0x0b4c_a491, 0x1e5b_378a, 0x04c9_d27f];
        assert_eq!(answer(world, 0x8700_ff01)[..4], uuid);
        assert_eq!(answer(world, 0x8700_ff03), [1, 0, 2, 3, 4]);
    }
}

#[test]
fn psci_is_the_normal_worlds() {
    assert_eq!(answer(World::Secure, 0x8400_0000), UNKNOWN);
    assert_eq!(answer(World::Secure, 0x8000_0000)[0], 0x1_0005);
}

/// The calls in the tables of docs/smccc.md, with those who may make them ("N", "S"), as far as the product's image has
/// them.
fn documented() -> Vec<(u64, String)> {
    let text = include_str!("../../../docs/smccc.md");
    let (product, _lab) = text
        .split_once("An image built with `--features lab`")
        .unwrap();
    let mut calls = Vec::new();
    for row in product.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let words = cells[0].split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        let ids = words.filter(|word| word.starts_with("0x") && word.len() == 11);
        for id in ids {
            let id = u64::from_str_radix(&id[2..].replace('_', ""), 16).unwrap();
            calls.push((id, cells[1].to_owned()));
        }
    }
    calls
}

/// Calls that the tables have and that this image, on a CPU that nobody knows, does not.
const NOT_HERE: [u64; 10] = [
    0x8000_0002, // no SoC
    0x8000_8000, // workarounds
    0x8000_7fff,
    0x8000_3fff,
    0x8400_0050, // no FEAT_RNG
    0x8400_0051,
    0x8400_0052,
    0x8400_0053,
    0xc400_0053,
    0xc400_02e0, // no component to replace
];

/// docs/smccc.md names every call, and who may make it. FF-A's and PSCI's have documents of their own.
#[test]
fn the_documents_calls() {
    let documented = documented();
    assert!(documented.len() > 20, "{documented:x?}");
    let ranges = [
        0x8000_0000..0x8000_0010,
        0x8000_3ff8..0x8000_4008,
        0x8000_7ff8..0x8000_8008,
        0x8000_ff00..0x8000_ff04,
        0x8200_0000..0x8200_0004,
        0x8300_0000..0x8300_0008,
        0x8400_0040..0x8400_0060,
        0x8400_00f0..0x8400_00f8,
        0x8400_02de..0x8400_02ea,
        0x8400_ff00..0x8400_ff08,
        0x8500_0000..0x8500_0004,
        0x8700_0000..0x8700_0014,
        0x8700_ff00..0x8700_ff08,
    ];
    for function in ranges.into_iter().flatten() {
        for function in [function, function | 1 << 30] {
            let named = documented.iter().find(|(id, _)| *id == function);
            let who = named.map_or("", |(_, who)| who);
            for (world, mark) in [(World::Normal, 'N'), (World::Secure, 'S')] {
                let known = [1, 0x8000_0000, 0x8400_00f0]
                    .into_iter()
                    .any(|x1| answer_with(world, function, x1) != [NOT_SUPPORTED, x1, 2, 3, 4]);
                let should = who.contains(mark) && !NOT_HERE.contains(&function);
                assert_eq!(known, should, "{function:#x} of {world:?}");
            }
        }
    }
}
