//! Tests of how PSCI's decisions are carried out: which requests the SPMC gets, in which order, and where a core goes
//! on.

use super::*;
use janus_plat::Stop;
use janus_psci::Reset;

const CPU_SUSPEND: u64 = 0xc400_0001;
const CPU_OFF: u64 = 0x8400_0002;
const CPU_ON: u64 = 0xc400_0003;
const AFFINITY_INFO: u64 = 0xc400_0004;
const SYSTEM_OFF: u64 = 0x8400_0008;
const SYSTEM_RESET: u64 = 0x8400_0009;

const SUCCESS: u64 = 0;
const DENIED: u64 = -3_i64 as u64;
const ALREADY_ON: u64 = -4_i64 as u64;

/// The numbers in x2 of messages to the SPMC: a PSCI function, and a warm boot.
const PSCI: u64 = 0x8000_0000;
const WARM_BOOT: u64 = 0x8000_0001;

/// A power-down state of the core, and a standby state.
const POWER_DOWN: u64 = 0x1_0002;
const STANDBY: u64 = 1;

/// The address at which a core starts that core 0 turns on.
const START: u64 = 0x7000_0000;

fn turns_on(core: usize) {
    normal(smc(&[CPU_ON, Plat::mpidr(core), START, 0xc0]));
}

#[test]
fn a_core_comes_on_with_its_spmc_first() {
    with_spmc(&[]);
    turns_on(1);
    let (_, events) = boots();
    assert!(events.contains(&Event::Released(1)), "{events:?}");
    assert!(events.iter().any(entered(World::Normal, &[SUCCESS])));
    secure(smc(&[MSG_WAIT]));
    let (end, events) = comes_on(1);
    assert_eq!(end, End::OutOfScript(World::Normal));
    assert!(
        events
            .iter()
            .any(entered(World::Secure, &[Machine::MANIFEST, 1, 2, 3, 1]))
    );
    assert_eq!(entries(&events)[1..], [(World::Normal, 0xc0)]);
    assert_eq!(machine().return_state, (START, EL2));
}

#[test]
fn a_core_is_turned_on_once() {
    without_spmc();
    turns_on(1);
    turns_on(1);
    let (_, events) = boots();
    let answers = entries(&events);
    assert_eq!(answers[1], (World::Normal, SUCCESS));
    assert_ne!(answers[2], (World::Normal, SUCCESS));
    comes_on(1);
    assert_eq!(
        events.iter().filter(|e| **e == Event::Released(1)).count(),
        1
    );
}

#[test]
fn a_core_that_does_not_exist_is_not_turned_on() {
    without_spmc();
    turns_on(5);
    let (_, events) = boots();
    assert_eq!(entries(&events)[1], (World::Normal, -2_i64 as u64));
}

/// Boots core 0, which turns core 1 on; calls `steps`, which adds to the scripts; then starts core 1.
fn core_1_runs(steps: impl FnOnce()) -> (End, Vec<Event>) {
    turns_on(1);
    boots();
    if machine().manifest.is_some() {
        secure(smc(&[MSG_WAIT]));
    }
    steps();
    comes_on(1)
}

#[test]
fn a_core_goes_off_when_its_spmc_agrees() {
    with_spmc(&[]);
    let (end, events) = core_1_runs(|| {
        normal(smc(&[CPU_OFF]));
        agrees(0);
    });
    assert_eq!(end, End::Parked(1));
    let asked = entered(World::Secure, &[DIRECT_REQ, TO_SPMC, PSCI, CPU_OFF]);
    let asked = events.iter().position(asked).expect("the SPMC is asked");
    assert_eq!(events[asked + 1..], [Event::ListensForWake]);
    normal(smc(&[AFFINITY_INFO, Plat::mpidr(1), 0]));
    // It is off: only core 0 is on.
    assert_eq!(crate::power::PSCI.cores_on(), 1);
}

#[test]
fn a_core_stays_on_when_its_spmc_refuses() {
    with_spmc(&[]);
    let (end, events) = core_1_runs(|| {
        normal(smc(&[CPU_OFF]));
        agrees(-3);
    });
    assert_eq!(end, End::OutOfScript(World::Normal));
    assert_eq!(entries(&events).last(), Some(&(World::Normal, DENIED)));
    assert!(said(&events).contains("core 1: the SPMC refuses, PSCI status -3"));
    assert!(!events.contains(&Event::ListensForWake));
}

#[test]
fn a_core_whose_spmc_dies_over_it_goes_off() {
    with_spmc(&[]);
    let (end, events) = core_1_runs(|| {
        normal(smc(&[CPU_OFF]));
        secure(smc(&[0x8400_0090])); // FFA_ABORT
    });
    assert_eq!(end, End::Parked(1));
    assert!(
        said(&events).contains("core 1: the SPMC died"),
        "{events:?}"
    );
}

/// The report of an SPMC's death has the last calls of all cores: in order, whoever answered, with the open call at the
/// end, and with repeated calls of the SPMC only once.
#[test]
fn a_death_comes_with_the_last_calls() {
    with_spmc(&[]);
    let (_, events) = core_1_runs(|| {
        for _ in 0..20 {
            normal(smc(&[0x8400_0000]));
        }
        normal(smc(&[DIRECT_REQ, 0x1_8000]));
        secure(smc(&[FFA_ERROR, 0, u64::from(-7_i32 as u32)]));
        normal(fiq());
        normal(smc(&[CPU_OFF]));
        for _ in 0..40 {
            secure(smc(&[0x8400_0077, 7]));
        }
    });
    let said = said(&events);
    let (_, report) = said.split_once("core 1: the SPMC died").expect(&said);
    let lines: Vec<&str> = report
        .lines()
        .filter(|line| line.starts_with("core 000"))
        .collect();
    let of_core_1: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("core 00000001 "))
        .collect();
    assert_eq!(of_core_1.len(), 16, "{said}");
    assert_eq!(of_core_1[10], "84000000 00000000 = 00010003 00000000");
    assert_eq!(of_core_1[11], "84000000 00000000 = 00010003 00000000");
    assert_eq!(of_core_1[12], "8400006f 00018000 = 84000060 fffffff9");
    assert_eq!(of_core_1[13], "00000002 00000000 = 84000060 fffffff9");
    assert_eq!(of_core_1[14], "84020077 00000007 = 84000060 fffffffa");
    assert!(of_core_1[15].starts_with("84000002 00000000 ?"), "{report}");
    // The first record of the boot core is the start of its normal world.
    assert!(
        lines[0].starts_with("core 00000000 00000005 60000000 ="),
        "{report}"
    );
}

#[test]
fn the_sri_that_waits_at_a_core_that_goes_off_goes_to_one_that_stays() {
    with_spmc(&[("janus,doorbell-sgi", 15), ("janus,sri-id", 9)]);
    let (end, events) = core_1_runs(|| {
        normal(smc(&[CPU_OFF]));
        secure(|context| {
            machine().doorbells = vec![Plat::mpidr(1)];
            smc(&[DIRECT_RESP, FROM_SPMC, 0x8000_0002, 0])(context)
        });
    });
    assert_eq!(end, End::Parked(1));
    let sent: Vec<_> = events
        .iter()
        .filter(|e| matches!(e, Event::Sent(..)))
        .collect();
    assert_eq!(sent, [&Event::Sent(9, Plat::mpidr(0))]);
}

#[test]
fn standby_asks_nobody() {
    with_spmc(&[]);
    normal(smc(&[CPU_SUSPEND, STANDBY, 0, 0]));
    let (_, events) = boots();
    assert_eq!(entries(&events)[2..], [(World::Normal, SUCCESS)]);
    assert!(events.contains(&Event::Slept));
}

#[test]
fn a_power_down_ends_at_its_entry_point_and_the_spmc_is_told() {
    with_spmc(&[]);
    normal(smc(&[CPU_SUSPEND, POWER_DOWN, START, 0xc1]));
    agrees(0);
    agrees(0);
    let (_, events) = boots();
    let slept = events.iter().position(|e| *e == Event::Slept).unwrap();
    let before = entries(&events[..slept]);
    assert_eq!(before.last().unwrap().0, World::Secure);
    assert!(entered(
        World::Secure,
        &[0xc400_006f, TO_SPMC, PSCI, CPU_SUSPEND]
    )(&events[slept - 1]));
    assert!(entered(World::Secure, &[DIRECT_REQ, TO_SPMC, WARM_BOOT, 1])(&events[slept + 1]));
    assert!(
        events[slept + 2..]
            .iter()
            .any(entered(World::Normal, &[0xc1]))
    );
    assert_eq!(machine().return_state, (START, EL2));
}

#[test]
fn a_power_down_that_the_spmc_refuses_does_not_happen() {
    with_spmc(&[]);
    normal(smc(&[CPU_SUSPEND, POWER_DOWN, START, 0xc1]));
    agrees(-3);
    let (_, events) = boots();
    assert!(!events.contains(&Event::Slept));
    assert_eq!(entries(&events).last(), Some(&(World::Normal, DENIED)));
}

#[test]
fn with_an_interrupt_waiting_a_power_down_is_over_at_once() {
    with_spmc(&[]);
    normal(|context| {
        machine().interrupt_pending = true;
        smc(&[CPU_SUSPEND, POWER_DOWN, START, 0xc1])(context)
    });
    let (_, events) = boots();
    assert!(!events.contains(&Event::Slept));
    assert_eq!(entries(&events)[2..], [(World::Normal, SUCCESS)]);
}

#[test]
fn the_system_stops_when_the_spmc_has_heard_of_it() {
    let reset = Reset {
        function: SYSTEM_RESET as u32,
        kind: None,
        cookie: 0,
        clear_memory: false,
    };
    for (function, how) in [
        (SYSTEM_OFF, Stop::Off { hibernate: false }),
        (SYSTEM_RESET, Stop::Reset(reset)),
    ] {
        let (end, events) = std::thread::spawn(move || {
            with_spmc(&[]);
            normal(smc(&[function]));
            // The SPMC's refusal changes nothing.
            agrees(-3);
            boots()
        })
        .join()
        .unwrap();
        assert_eq!(end, End::SystemStopped(how));
        let asked = entered(World::Secure, &[DIRECT_REQ, TO_SPMC, PSCI, function]);
        assert!(events.iter().any(asked), "{events:?}");
    }
}

#[test]
fn what_answers_at_once_stays_in_the_normal_world() {
    with_spmc(&[]);
    normal(smc(&[AFFINITY_INFO, Plat::mpidr(0), 0]));
    normal(smc(&[CPU_ON, Plat::mpidr(0), START, 0]));
    let (_, events) = boots();
    assert_eq!(
        entries(&events)[1..],
        [
            (World::Normal, 0x33),
            (World::Normal, 0),
            (World::Normal, ALREADY_ON)
        ]
    );
}
