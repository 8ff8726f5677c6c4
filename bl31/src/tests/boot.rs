//! Tests of the boot's decisions.

use super::*;
use crate::transfer_list::{Tag, TransferList, X1, list_at};
use std::sync::{Arc, Mutex};

#[test]
fn without_parameters_nothing_runs() {
    let end = ends(|| cold_boot(0, 0, 0));
    assert_eq!(end, End::Stopped);
    let said = said(&machine().take_events());
    assert!(said.contains("BL2's parameters cannot be used"), "{said}");
    assert!(said.contains("BL2 names no BL33"), "{said}");
}

#[test]
fn without_an_spmc_the_normal_world_boots_alone() {
    without_spmc();
    let (end, events) = boots();
    assert_eq!(end, End::OutOfScript(World::Normal));
    assert_eq!(entries(&events), [(World::Normal, 0x33)]);
    assert!(
        said(&events).contains("no FF-A: BL2 loaded no BL32"),
        "{events:?}"
    );
    let released = events.iter().position(|e| *e == Event::HeldCoresReleased);
    let first = events
        .iter()
        .position(entered(World::Normal, &[0x33, 1, 2]));
    assert!(released < first && released.is_some(), "{events:?}");
}

#[test]
fn the_spmc_boots_first_and_the_normal_world_gets_the_sri_between() {
    with_spmc(&[]);
    let (end, events) = boots();
    assert_eq!(end, End::OutOfScript(World::Normal));
    let worlds = [(World::Secure, Machine::MANIFEST), (World::Normal, 0x33)];
    assert_eq!(entries(&events), worlds);
    let given = events.iter().position(|e| *e == Event::SriGiven).unwrap();
    assert!(entered(World::Secure, &[Machine::MANIFEST, 1, 2, 3, 0])(
        &events[given - 1]
    ));
    assert!(entered(World::Normal, &[0x33])(&events[given + 1]));
}

/// Each world starts with the right ELR_EL3 and SPSR_EL3.
#[test]
fn each_world_starts_where_it_should() {
    machine().parameters = parameters(BL33, EL2, true);
    machine().manifest = Some(manifest(&[]));
    let starts = Arc::new(Mutex::new(Vec::new()));
    for world in [World::Secure, World::Normal] {
        let starts = starts.clone();
        machine().plays(world, move |context| {
            let state = machine().return_state;
            starts.lock().unwrap().push(state);
            smc(&[MSG_WAIT])(context)
        });
    }
    boots();
    assert_eq!(*starts.lock().unwrap(), [(BL32, EL1), (BL33, EL2)]);
}

#[test]
fn an_spmc_that_fails_leaves_the_normal_world_without_ffa() {
    machine().parameters = parameters(BL33, EL2, true);
    machine().manifest = Some(manifest(&[]));
    secure(smc(&[FFA_ERROR, 0, -1_i64 as u64]));
    normal(smc(&[DIRECT_REQ, 0x8000]));
    let (_, events) = boots();
    assert!(said(&events).contains("core 0: no FF-A here"), "{events:?}");
    let answer = [FFA_ERROR, 0, u64::from(-1_i32 as u32)];
    assert!(
        events.iter().any(entered(World::Normal, &answer)),
        "{events:?}"
    );
}

#[test]
fn an_spmc_that_strays_is_named() {
    machine().parameters = parameters(BL33, EL2, true);
    machine().manifest = Some(manifest(&[]));
    secure(smc(&[DIRECT_REQ, 0x8000_0000]));
    secure(smc(&[DIRECT_RESP, 0x8000_0000]));
    let (_, events) = boots();
    let said = said(&events);
    assert!(
        said.contains("the SPMC called 0x84000070 while it was to start"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_with_the_spmc_is_said_and_the_normal_world_boots() {
    for (change, why) in [
        (("maj_ver", 2), "FF-A version 2.2"),
        (("janus,spmc-el", 2), "this CPU has no S-EL2"),
        (("janus,doorbell-sgi", 77), "janus,doorbell-sgi 77"),
    ] {
        let lines = std::thread::spawn(move || {
            machine().parameters = parameters(BL33, EL2, true);
            machine().manifest = Some(manifest(&[change]));
            let (end, events) = boots();
            assert_eq!(end, End::OutOfScript(World::Normal));
            assert_eq!(entries(&events), [(World::Normal, 0x33)]);
            said(&events)
        });
        let lines = lines.join().unwrap();
        assert!(lines.contains(why), "{why}: {lines}");
    }
}

/// Hafnium, for one, stops at its first instruction for EL2.
#[test]
fn an_spmc_for_sel2_on_a_cpu_without_it_is_warned_of() {
    for nodes in [&[][..], &["hypervisor"]] {
        let lines = std::thread::spawn(move || {
            machine().parameters = parameters(BL33, EL2, true);
            machine().manifest = Some(manifest_with(&[], nodes));
            let (_, events) = boots();
            said(&events)
        });
        let lines = lines.join().unwrap();
        assert!(lines.contains("the CPU has no S-EL2"), "{lines}");
        let warned = lines.contains("has a `hypervisor` node");
        assert_eq!(warned, !nodes.is_empty(), "{lines}");
    }
}

#[test]
fn an_spmc_outside_secure_ram_is_not_run() {
    let mut words = parameters(BL33, EL2, true);
    // Its place and its entry point.
    (words[11], words[26]) = (BL33, BL33);
    machine().parameters = words;
    machine().manifest = Some(manifest(&[]));
    let (_, events) = boots();
    assert_eq!(entries(&events), [(World::Normal, 0x33)]);
    assert!(said(&events).contains("outside secure RAM"), "{events:?}");
}

#[test]
fn bl33_starts_in_the_normal_world_or_not_at_all() {
    for (pc, spsr) in [(BL33, 0x3cd), (BL33, 0x3c0), (BL32, EL2), (0, EL2)] {
        machine().parameters = parameters(pc, spsr, false);
        let (end, events) = boots();
        assert_eq!(end, End::Stopped, "{pc:#x} {spsr:#x}");
        assert_eq!(entries(&events), []);
        assert!(said(&events).contains("BL2 enters BL33 at"), "{events:?}");
    }
}

#[test]
fn without_a_gic_nothing_runs() {
    without_spmc();
    machine().gic_fault = Some("it is broken");
    let (end, events) = boots();
    assert_eq!(end, End::Stopped);
    assert!(
        said(&events).contains("interrupts: it is broken"),
        "{events:?}"
    );
    assert_eq!(entries(&events), []);
}

#[test]
fn a_core_that_nobody_wants_parks() {
    without_spmc();
    boots();
    let (end, events) = comes_on(2);
    assert_eq!(end, End::Parked(2));
    assert_eq!(events, [Event::ListensForWake]);
}

/// Makes an entry point in the form of a transfer list.
pub(super) fn in_list(attributes: u32, pc: u64, spsr: u64) -> Vec<u8> {
    let mut words = [0; 11];
    words[..3].copy_from_slice(&[header(1) | u64::from(attributes) << 32, pc, spsr]);
    words
        .iter()
        .flat_map(|word: &u64| word.to_le_bytes())
        .collect()
}

/// Sets up a hand-over by a transfer list with BL32 and BL33, a realm's image, and the entries in `more`.
fn hands_over_list(more: &[(Tag, &[u8], u64)]) {
    let images = [
        in_list(0x21, 1, 2),
        in_list(0, BL32, 0),
        in_list(1, BL33, EL2),
    ];
    let mut entries = vec![(Tag::DEVICE_TREE, &b"a tree"[..], 8)];
    entries.extend(images.iter().map(|image| (Tag::ENTRY_POINT, &image[..], 8)));
    entries.extend(more);
    let mut machine = machine();
    machine.list = Some(list_at(Machine::LIST, &entries).leak());
}

/// Boots after a hand-over by transfer list, with this value in x0. Returns how the boot ends and what happened.
fn boots_from_list(x0: u64) -> (End, Vec<Event>) {
    let end = ends(|| cold_boot(x0, X1, Machine::LIST));
    (end, machine().take_events())
}

#[test]
fn a_transfer_list_alone_is_enough() {
    // A transfer list does not say where BL2 put the SPMC: its manifest does.
    let place = [
        ("load_address", BL32 as u32),
        ("binary_size", BL32_SIZE as u32),
    ];
    let manifest = manifest(&place);
    hands_over_list(&[(Tag::SPMC_MANIFEST, &manifest[..0x400], 8)]);
    secure(smc(&[MSG_WAIT]));
    let (end, events) = boots_from_list(Machine::LIST + 32);
    assert_eq!(end, End::OutOfScript(World::Normal));
    assert!(!said(&events).contains("parameters"), "{events:?}");

    let theirs = machine()
        .list
        .map(|list| TransferList::read(list, Machine::LIST));
    let found = theirs.unwrap().unwrap().find(Tag::SPMC_MANIFEST).unwrap();
    assert!(
        events
            .iter()
            .any(entered(World::Secure, &[found.at, X1, 0, Machine::LIST, 0])),
        "{events:?}"
    );
    // The normal world's list has the device tree and nothing else.
    let given = machine().normal_list.clone();
    let given = TransferList::read(&given, Machine::NORMAL_LIST).unwrap();
    let tags: Vec<_> = given.entries().map(|entry| entry.tag).collect();
    assert_eq!(tags, [Tag::DEVICE_TREE]);
    let tree = given.find(Tag::DEVICE_TREE).unwrap().at;
    assert!(
        events.iter().any(entered(
            World::Normal,
            &[tree, X1, 0, Machine::NORMAL_LIST, 0]
        )),
        "{events:?}"
    );
}

#[test]
fn a_parameter_list_beside_a_transfer_list_counts() {
    with_spmc(&[]);
    hands_over_list(&[]);
    let (_, events) = boots_from_list(Machine::PARAMETERS);
    let spmc = [Machine::MANIFEST, X1, 0, Machine::LIST, 0];
    assert!(
        events.iter().any(entered(World::Secure, &spmc)),
        "{events:?}"
    );
    // BL2 gives BL33 no transfer list, so EL3 gives none either.
    assert!(
        events.iter().any(entered(World::Normal, &[0x33, 1, 2])),
        "{events:?}"
    );
    assert!(machine().normal_list.is_empty());
}

#[test]
fn a_transfer_list_without_a_manifest_is_no_ffa() {
    hands_over_list(&[]);
    let (end, events) = boots_from_list(0);
    assert_eq!(end, End::OutOfScript(World::Normal));
    let said = said(&events);
    assert!(said.contains("nor in its transfer list"), "{said}");
    assert!(!said.contains("parameters"), "{said}");
}

#[test]
fn a_transfer_list_that_cannot_be_used_is_named() {
    hands_over_list(&[]);
    let good = machine().list.unwrap();
    for (byte, x1, x3, why) in [
        (8, X1, Machine::LIST, "its checksum is wrong"),
        (3, X1, Machine::LIST, "its signature is"),
        (200, X1 + (1 << 32), Machine::LIST, "not known"),
        (200, X1, 0x6000_0000, "not in BL2's memory"),
    ] {
        let mut bytes = good.to_vec();
        bytes[byte] ^= 1;
        machine().list = Some(bytes.leak());
        let end = ends(|| cold_boot(0, x1, x3));
        assert_eq!(end, End::Stopped);
        let said = said(&machine().take_events());
        assert!(said.contains(why), "{why}: {said}");
        assert!(said.contains("BL2 names no BL33"), "{said}");
    }
    // A hand-over without a transfer list can have any value in x3.
    without_spmc();
    let end = ends(|| cold_boot(Machine::PARAMETERS, 0, Machine::LIST));
    assert_eq!(end, End::OutOfScript(World::Normal));
    assert!(!said(&machine().take_events()).contains("transfer list"));
}
