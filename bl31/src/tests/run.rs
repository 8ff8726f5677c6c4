//! Tests of the run loop: which world runs next, and where interrupts go.

use super::*;
use crate::hw::gic::{IntId, Pending};
use std::sync::{Arc, Mutex};

/// FFA_INTERRUPT and FFA_NORMAL_WORLD_RESUME.
const INTERRUPT: u64 = 0x8400_0062;
const RESUME: u64 = 0x8400_007c;

/// Makes a world's step: Group 0 interrupt `id` is pending and takes it to EL3.
fn group0(id: u32) -> impl FnOnce(&mut WorldContext) -> Exit + 'static {
    move |_| {
        machine().pending = Some(Pending::Group0(IntId::try_from(id).unwrap()));
        Exit::FIQ
    }
}

#[test]
fn a_message_goes_there_and_back() {
    with_spmc(&[]);
    normal(smc(&[DIRECT_REQ, 0x8000, 0, 77]));
    secure(smc(&[DIRECT_RESP, 0x8000_0000, 0, 78]));
    let (_, events) = boots();
    assert!(
        events
            .iter()
            .any(entered(World::Secure, &[DIRECT_REQ, 0x8000, 0, 77]))
    );
    assert!(
        events
            .iter()
            .any(entered(World::Normal, &[DIRECT_RESP, 0x8000_0000, 0, 78]))
    );
    assert_eq!(
        entries(&events)[2..],
        [(World::Secure, DIRECT_REQ), (World::Normal, DIRECT_RESP)]
    );
}

#[test]
fn each_world_goes_on_where_it_called() {
    with_spmc(&[]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let step = |call: &'static [u64], at: (u64, u64)| {
        let seen = seen.clone();
        move |context: &mut WorldContext| {
            seen.lock().unwrap().push(machine().return_state);
            machine().return_state = at;
            smc(call)(context)
        }
    };
    normal(step(&[DIRECT_REQ, 0x8000], (0x6000_0100, EL1)));
    secure(step(&[DIRECT_RESP, 0x8000_0000], (BL32 + 0x200, EL1)));
    normal(step(&[DIRECT_REQ, 0x8000], (0x6000_0300, EL2)));
    secure(step(&[DIRECT_RESP, 0x8000_0000], (BL32 + 0x400, EL1)));
    normal(step(&[0], (0, 0)));
    boots();
    let seen = seen.lock().unwrap();
    // seen[1] is left by the SPMC's boot.
    assert_eq!(seen[0], (BL33, EL2));
    assert_eq!(
        seen[2..],
        [(0x6000_0100, EL1), (BL32 + 0x200, EL1), (0x6000_0300, EL2)]
    );
}

#[test]
fn an_interrupt_that_went_away_is_nothing() {
    without_spmc();
    normal(fiq());
    normal(|_| Exit::IRQ);
    let (end, events) = boots();
    assert_eq!(end, End::OutOfScript(World::Normal));
    assert_eq!(entries(&events), [(World::Normal, 0x33); 3]);
}

#[test]
fn a_secure_interrupt_goes_to_the_spmc_and_the_normal_world_goes_on() {
    with_spmc(&[]);
    normal(|_| {
        machine().pending = Some(Pending::SecureGroup1);
        Exit::FIQ
    });
    secure(|context| {
        machine().pending = None;
        smc(&[RESUME])(context)
    });
    let (_, events) = boots();
    assert_eq!(
        entries(&events)[1..],
        [
            (World::Normal, 0x33),
            (World::Secure, INTERRUPT),
            (World::Normal, 0x33)
        ]
    );
    let taken_away = |e: &Event| matches!(e, Event::SecureInterruptsTo(_));
    assert!(!events.iter().any(taken_away), "{events:?}");
}

#[test]
fn a_secure_interrupt_without_an_spmc_is_turned_off() {
    without_spmc();
    normal(|_| {
        machine().pending = Some(Pending::SecureGroup1);
        Exit::FIQ
    });
    let (_, events) = boots();
    assert!(
        events.contains(&Event::SecureInterruptsTo(None)),
        "{events:?}"
    );
    assert_eq!(entries(&events), [(World::Normal, 0x33); 2]);
}

#[test]
fn a_group0_interrupt_that_nobody_handles_is_turned_off_at_last() {
    without_spmc();
    for _ in 0..64 {
        normal(group0(40));
    }
    let (_, events) = boots();
    let ended = events.iter().filter(|e| **e == Event::Ended(40)).count();
    assert_eq!(ended, 64);
    let disabled: Vec<_> = events
        .iter()
        .filter(|e| **e == Event::Disabled(40))
        .collect();
    assert_eq!(disabled.len(), 1);
    let said = said(&events);
    assert_eq!(said.matches("Group 0 interrupt").count(), 2, "{said}");
}

#[test]
fn the_doorbell_gives_the_normal_world_the_sri_at_once_where_it_runs() {
    with_spmc(&[("janus,doorbell-sgi", 15), ("janus,sri-id", 9)]);
    normal(group0(15));
    let (_, events) = boots();
    let sent = events
        .iter()
        .position(|e| *e == Event::Sent(9, 0))
        .expect("the SRI");
    assert_eq!(events[sent + 1], Event::Ended(15));
    assert_eq!(entries(&events[sent..]), [(World::Normal, 0x33)]);
    assert_eq!(
        events
            .iter()
            .filter(|e| matches!(e, Event::Sent(..)))
            .count(),
        1
    );
}

/// A doorbell that is handled by FFA_EL3_INTR_HANDLE while the SPMC runs: the SRI waits for the normal world.
#[test]
fn the_doorbell_rung_in_the_secure_world_waits_for_the_normal_world() {
    with_spmc(&[("janus,doorbell-sgi", 15), ("janus,sri-id", 9)]);
    normal(smc(&[DIRECT_REQ, 0x8000]));
    secure(|context| {
        group0(15)(context);
        smc(&[0x8400_008c])(context)
    });
    secure(smc(&[DIRECT_RESP, 0x8000_0000]));
    let (_, events) = boots();
    let sent = events
        .iter()
        .position(|e| *e == Event::Sent(9, 0))
        .expect("the SRI");
    let ended = events.iter().position(|e| *e == Event::Ended(15)).unwrap();
    assert!(ended < sent);
    assert_eq!(
        entries(&events[ended..sent]),
        [(World::Secure, 0x8400_0061)]
    );
    assert_eq!(entries(&events[sent..]), [(World::Normal, DIRECT_RESP)]);
}

/// A doorbell that the SPMC rings at a core that is off is found by the core on which the SPMC runs.
#[test]
fn the_doorbell_rung_at_a_core_that_is_off_is_heard() {
    with_spmc(&[("janus,doorbell-sgi", 15), ("janus,sri-id", 9)]);
    normal(smc(&[DIRECT_REQ, 0x8000]));
    secure(|context| {
        machine().doorbells = vec![Plat::mpidr(2)];
        smc(&[DIRECT_RESP, 0x8000_0000])(context)
    });
    let (_, events) = boots();
    assert!(events.contains(&Event::Sent(9, 0)), "{events:?}");
    assert!(machine().doorbells.is_empty());
}

/// Exceptions of other kinds than `smc #0` of AArch64: which of them are calls, and what x0 becomes.
#[test]
fn only_smcs_with_immediate_zero_are_calls() {
    const PSCI_VERSION: u64 = 0x8400_0000;
    let version = 0x1_0003;
    for (ec, iss, x0, answer) in [
        (0x17, 0, PSCI_VERSION, version),
        (0x17, 1, PSCI_VERSION, NOT_SUPPORTED),
        (0x13, 0, PSCI_VERSION, version),
        (0x13, 0, PSCI_VERSION | 1 << 30, NOT_SUPPORTED),
        // An unknown trap becomes an exception of the world. Its registers stay.
        (0x18, 0x3f, PSCI_VERSION, PSCI_VERSION),
        (0x00, 0, PSCI_VERSION, PSCI_VERSION),
    ] {
        let entries = std::thread::spawn(move || {
            without_spmc();
            normal(move |context| {
                context.gpr[0] = x0;
                Exit::from_vectors(ec << 26 | 1 << 25 | iss)
            });
            entries(&boots().1)
        });
        let entries = entries.join().unwrap();
        assert_eq!(
            entries[1],
            (World::Normal, answer),
            "EC {ec:#x}, ISS {iss:#x}"
        );
    }
}

/// Calls of AArch32 take no short cut. All that follows from them is the same, in the report of the last calls too.
#[test]
fn calls_of_aarch32_have_the_same_effect() {
    const ID_GET: u64 = 0x8400_0069;
    const PSCI_VERSION: u64 = 0x8400_0000;
    let [of_aarch64, of_aarch32] = [0x17, 0x13].map(|class: i64| {
        let happens = std::thread::spawn(move || {
            let smc = |call: &'static [u64]| {
                move |context: &mut WorldContext| {
                    machine().pending = None;
                    smc(call)(context);
                    Exit::from_vectors(class << 26 | 1 << 25)
                }
            };
            with_spmc(&[]);
            // It fixes the versions, which opens the short cuts.
            normal(smc(&[DIRECT_REQ, 0x8000, 0, 76]));
            secure(smc(&[DIRECT_RESP, 0x8000_0000, 0, 77]));
            normal(smc(&[DIRECT_REQ, 0x8000, 0, 78]));
            secure(smc(&[ID_GET]));
            secure(smc(&[PSCI_VERSION]));
            secure(smc(&[DIRECT_RESP, 0x8000_0000, 0, 79]));
            normal(smc(&[ID_GET]));
            normal(smc(&[PSCI_VERSION]));
            normal(|_| {
                machine().pending = Some(Pending::SecureGroup1);
                Exit::FIQ
            });
            secure(smc(&[RESUME]));
            normal(smc(&[DIRECT_REQ, 0x8000, 0, 80]));
            secure(|_| Exit::SERROR);
            boots().1
        });
        let mut events = happens.join().unwrap();
        // A record's address stands in the place of the answer that is missing.
        for event in &mut events {
            if let Event::Said(line) = event
                && let Some(at) = line.find(" ? ")
            {
                line.truncate(at);
            }
        }
        events
    });
    let resumed = [
        (World::Secure, INTERRUPT),
        (World::Normal, 0x1_0003),
        (World::Secure, DIRECT_REQ),
    ];
    let entries = entries(&of_aarch64);
    assert!(
        entries.windows(3).any(|three| three == resumed),
        "{entries:x?}"
    );
    assert!(said(&of_aarch64).contains("the SPMC died"));
    assert_eq!(of_aarch64, of_aarch32);
}

#[test]
fn an_serror_is_said_and_the_normal_world_goes_on() {
    without_spmc();
    normal(|_| Exit::SERROR);
    let (_, events) = boots();
    assert!(said(&events).contains("SError taken from the Normal world"));
    assert_eq!(entries(&events), [(World::Normal, 0x33); 2]);
}

#[test]
fn an_serror_of_the_secure_world_ends_its_spmc() {
    with_spmc(&[]);
    normal(smc(&[DIRECT_REQ, 0x8000]));
    secure(|_| Exit::SERROR);
    normal(smc(&[DIRECT_REQ, 0x8000]));
    let (_, events) = boots();
    assert!(said(&events).contains("SError taken from the Secure world"));
    assert!(said(&events).contains("the SPMC died"), "{events:?}");
    let aborted = [FFA_ERROR, 0, u64::from(-8_i32 as u32)];
    let unsupported = [FFA_ERROR, 0, u64::from(-1_i32 as u32)];
    assert!(
        events.iter().any(entered(World::Normal, &aborted)),
        "{events:?}"
    );
    assert!(
        events.iter().any(entered(World::Normal, &unsupported)),
        "{events:?}"
    );
}
