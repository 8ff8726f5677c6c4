//! What the boot decides.

use super::*;
use std::sync::{Arc, Mutex};

#[test]
fn without_parameters_nothing_runs() {
    let end = ends(|| cold_main(0, 0));
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

/// Where each world starts: ELR_EL3 and SPSR_EL3 at its first entry.
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
