// SPDX-License-Identifier: BSD-3-Clause

//! The dispatcher against the golden files: every function number, convention, world, state, pair of
//! versions and SVE hint, with the registers that each outcome must leave.

mod support;

use janus_spmd::{
    Action, Answer, Body, Core, Request, Spmd, StateName, Step, Version, Work, World,
};
use support::*;

/// An outcome of the golden files and the versions it needs.
#[derive(Clone, Debug)]
struct Cell {
    outcome: String,
    condition: String,
}

impl Cell {
    fn parse(text: &str) -> Self {
        let (outcome, condition) = text.split_once('@').unwrap_or((text, ""));
        Self {
            outcome: outcome.into(),
            condition: condition.into(),
        }
    }

    /// The outcome at a pair of versions; `None`: the normal world never asked.
    fn at(&self, normal: Option<Version>, secure: Version) -> &str {
        let known = normal.unwrap_or(Version::V1_0);
        let number = |text: &str| {
            let (major, minor) = text.split_once('.').expect("a version");
            Version::new(major.parse().unwrap(), minor.parse().unwrap())
        };
        let condition = self.condition.as_str();
        let holds = if condition.is_empty() {
            true
        } else if let Some(version) = condition.strip_prefix("both=") {
            known == number(version) && secure == number(version)
        } else if let Some(version) = condition.strip_prefix("both") {
            known >= number(version) && secure >= number(version)
        } else if let Some(version) = condition.strip_prefix('n') {
            normal.is_none_or(|normal| normal >= number(version))
        } else {
            secure >= number(condition.strip_prefix('s').expect("a condition"))
        };
        if holds { &self.outcome } else { "-" }
    }
}

struct GoldenRow {
    name: String,
    normal: Cell,
    boot: Cell,
    running: Cell,
    interrupted: Cell,
    requested: Cell,
    w1: Option<u64>,
}

fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split('|').map(str::trim).collect())
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{text} is not hexadecimal"))
}

/// Rows by function number and convention; no row: nothing is there.
fn calls() -> std::collections::HashMap<(u32, bool), GoldenRow> {
    let mut rows = std::collections::HashMap::new();
    for line in lines(include_str!("golden/calls.txt")) {
        let [
            number,
            conventions,
            name,
            normal,
            boot,
            running,
            interrupted,
            requested,
            w1,
        ] = line[..]
        else {
            panic!("calls.txt: {line:?} does not have 9 columns");
        };
        for convention in conventions.split_whitespace() {
            let row = GoldenRow {
                name: name.into(),
                normal: Cell::parse(normal),
                boot: Cell::parse(boot),
                running: Cell::parse(running),
                interrupted: Cell::parse(interrupted),
                requested: Cell::parse(requested),
                w1: (!w1.is_empty()).then(|| hex(w1)),
            };
            let key = (hex(number) as u32, convention == "64");
            assert!(rows.insert(key, row).is_none(), "{name} is there twice");
        }
    }
    rows
}

/// What the receiver of a forwarded call sees, by the contract's section "Registers".
fn forwarded(
    call: [u64; 18],
    before: [u64; 18],
    is_64: bool,
    from: Option<Version>,
    to: Option<Version>,
    hint_passes: bool,
) -> [u64; 18] {
    let wide = |version: Option<Version>| version.is_some_and(|version| version >= Version::V1_2);
    let w0 = call[0] & 0xFFFF_FFFF;
    let w0 = if hint_passes { w0 } else { w0 & !HINT };
    std::array::from_fn(|i| match i {
        0 => w0,
        1..=7 if is_64 => call[i],
        1..=7 => call[i] & 0xFFFF_FFFF,
        _ if is_64 && wide(to) => {
            if wide(from) {
                call[i]
            } else {
                0
            }
        }
        _ => before[i],
    })
}

/// x0 to x7 as given, the rest of `before`.
fn answered(before: [u64; 18], first: [u64; 4]) -> [u64; 18] {
    std::array::from_fn(|i| match i {
        0..=3 => first[i],
        4..=7 => 0,
        _ => before[i],
    })
}

/// Makes the call and compares everything with what `outcome` means.
fn check(
    machine: &mut Machine,
    world: World,
    call: [u64; 18],
    outcome: &str,
    versions: (Option<Version>, Version),
    what: &str,
) {
    let is_64 = call[0] & (1 << 30) != 0;
    match world {
        World::Normal => machine.normal = call,
        World::Secure => machine.secure = call,
    }
    let other_before = machine.regs(world.other());
    let state = machine.core.state();
    let action = machine.says(world, &[]);
    let (caller, receiver) = (machine.regs(world), machine.regs(world.other()));
    let (verb, value) = outcome.split_once(':').unwrap_or((outcome, "0"));
    let value = hex(value);
    let sides = match world {
        World::Normal => (versions.0, Some(versions.1)),
        World::Secure => (Some(versions.1), versions.0),
    };
    let error = |code| answered(call, [id(0x60, false), 0, error_code(code), 0]);
    let (expected_action, expected_caller, expected_receiver) = match verb {
        "-" => (Action::Return, error(-1), other_before),
        "invalid" => (Action::Return, error(-2), other_before),
        "denied" => (Action::Return, error(-6), other_before),
        "success" => (
            Action::Return,
            answered(call, [id(0x61, false), 0, value, 0]),
            other_before,
        ),
        "success64" => (
            Action::Return,
            answered(call, [id(0x61, true), 0, 0, 0]),
            other_before,
        ),
        "denied64" => (
            Action::Return,
            answered(call, [id(0x60, true), 0, error_code(-6), 0]),
            other_before,
        ),
        "version" => (
            Action::Return,
            answered(call, [value, 0, 0, 0]),
            other_before,
        ),
        "forward" => {
            let sees = forwarded(
                call,
                other_before,
                is_64,
                sides.0,
                sides.1,
                world == World::Normal,
            );
            (Action::Enter, call, sees)
        }
        "resume" => (Action::Enter, call, other_before),
        "ask" => {
            let asks = [
                id(0x6F, false),
                0xFFFF_8000,
                0x8000_0008,
                call[1] & 0xFFFF_FFFF,
            ];
            let mut sees = answered(other_before, asks);
            sees[4] = call[2] & 0xFFFF_FFFF;
            (Action::Enter, call, sees)
        }
        "ready" => (Action::El3(Work::SpmcReady), call, other_before),
        "failed" => (
            Action::El3(Work::SpmcFailed(call[2] as u32 as i32)),
            call,
            other_before,
        ),
        "strayed" => {
            let id = (call[0] & 0xFFFF_FFFF & !HINT) as u32;
            (Action::El3(Work::SpmcCalledEarly(id)), call, other_before)
        }
        "group0" => (
            Action::El3(Work::Group0Interrupt),
            answered(call, [id(0x61, false), 0, 0, 0]),
            other_before,
        ),
        "console" => (action, call, other_before),
        "dead" => match state {
            StateName::Booting => (Action::El3(Work::SpmcFailed(-8)), call, other_before),
            StateName::Interrupted => (Action::El3(Work::Aborted), call, other_before),
            StateName::RequestedVersion => {
                let sees = answered(other_before, [error_code(-1), 0, 0, 0]);
                (Action::El3(Work::Aborted), call, sees)
            }
            StateName::RequestedPower | StateName::RequestedMessage => (
                Action::El3(Work::Answered(Answer::Aborted)),
                call,
                other_before,
            ),
            _ => {
                let sees = answered(other_before, [id(0x60, false), 0, error_code(-8), 0]);
                (Action::El3(Work::Aborted), call, sees)
            }
        },
        "w0" => (
            Action::Enter,
            call,
            answered(other_before, [value, 0, 0, 0]),
        ),
        "done" => (
            Action::El3(Work::Answered(Answer::Done)),
            call,
            other_before,
        ),
        "refused" => {
            let answer = Answer::Refused(value as u32 as i32);
            (Action::El3(Work::Answered(answer)), call, other_before)
        }
        "ignored" => {
            let answer = Answer::Ignored(value as u32 as i32);
            (Action::El3(Work::Answered(answer)), call, other_before)
        }
        "message" => (
            Action::El3(Work::Answered(Answer::Message)),
            call,
            other_before,
        ),
        _ => panic!("{what}: `{outcome}` is no outcome"),
    };
    if verb == "console" {
        assert!(
            matches!(action, Action::El3(Work::ConsoleLog(_))),
            "{what}: {action:?}"
        );
    }
    assert_eq!(action, expected_action, "{what}: action");
    assert_eq!(
        caller.map(Hex),
        expected_caller.map(Hex),
        "{what}: the caller's registers"
    );
    assert_eq!(
        receiver.map(Hex),
        expected_receiver.map(Hex),
        "{what}: the other's registers"
    );
    let next = match verb {
        "ready" | "resume" | "w0" | "done" | "refused" | "ignored" | "message" => {
            StateName::Running
        }
        "failed" | "strayed" => StateName::Failed,
        "dead" => StateName::Dead,
        "ask" => StateName::RequestedVersion,
        _ => state,
    };
    assert_eq!(machine.core.state(), next, "{what}: the state after it");
}

#[derive(Clone, Copy, Eq, PartialEq)]
struct Hex(u64);

impl std::fmt::Debug for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A machine that has agreed on the pair of versions; `fixed`: and has made use of it, so that calls
/// take the short path.
fn at(normal: Option<Version>, secure: Version, fixed: bool) -> Machine {
    let mut machine = Machine::negotiated(config(secure), normal, secure);
    if fixed {
        assert_eq!(machine.normal_says(&[id(0x69, false)]), Action::Return);
    }
    machine
}

const ASKED: [Option<Version>; 5] = [
    None,
    Some(Version::V1_0),
    Some(Version::V1_1),
    Some(Version::V1_2),
    Some(Version::V1_3),
];

/// Every number and convention at one pair of versions.
fn every_call(mut of: impl FnMut(u32, bool, Option<&GoldenRow>, [u64; 18], &str)) {
    let rows = calls();
    for number in 0x60..=0xEF {
        for is_64 in [false, true] {
            for hint in [0, HINT] {
                let row = rows.get(&(number, is_64));
                let name = row.map_or("nothing", |row| row.name.as_str());
                let mut call = pattern(7);
                call[0] = id(number, is_64) | hint | 0xFFFF_FFFF_0000_0000;
                call[2] = 0x00AB_CDEF_0000_1234;
                let what = format!("{name}, {:#x}", call[0] as u32);
                of(number, is_64, row, call, &what);
            }
        }
    }
}

/// Returns w1 for a row: the value that the row gives, or `default`. If the upper half of x1 does not count, it is set.
fn w1(row: Option<&GoldenRow>, number: u32, is_64: bool, default: u64) -> u64 {
    let upper = if is_64 && number == 0x87 {
        0
    } else {
        0xFACE_0000_0000_0000
    };
    row.and_then(|row| row.w1).unwrap_or(default) | upper
}

fn cell(row: Option<&GoldenRow>, of: fn(&GoldenRow) -> &Cell) -> Cell {
    row.map_or_else(|| Cell::parse("-"), |row| of(row).clone())
}

#[test]
fn the_whole_matrix() {
    let mut cases = 0_u32;
    every_call(|number, is_64, row, mut call, what| {
        for normal in ASKED {
            for secure in VERSIONS {
                for fixed in [false, true] {
                    let versions = (normal, secure);
                    let what = |world: &str| {
                        format!("{what} from {world}, {normal:?} {secure:?} fixed {fixed}")
                    };
                    call[1] = w1(row, number, is_64, 0x0001_8001);
                    let mut outcome = cell(row, |row| &row.normal).at(normal, secure).to_owned();
                    if outcome == "ask" && secure == Version::V1_0 {
                        outcome = "version:10000".into();
                    }
                    let mut machine = at(normal, secure, fixed);
                    check(
                        &mut machine,
                        World::Normal,
                        call,
                        &outcome,
                        versions,
                        &what("NS"),
                    );

                    call[1] = w1(row, number, is_64, 0x8001_0001);
                    let mut from_spmc =
                        |mut machine: Machine, of: fn(&GoldenRow) -> &Cell, state| {
                            let cell = cell(row, of);
                            let outcome = cell.at(normal, secure);
                            if outcome != "answer" {
                                let what = what(state);
                                check(&mut machine, World::Secure, call, outcome, versions, &what);
                            }
                            cases += 1;
                        };
                    if normal.is_none() && !fixed {
                        from_spmc(Machine::booting(config(secure)), |row| &row.boot, "booting");
                    }
                    from_spmc(at(normal, secure, fixed), |row| &row.running, "running");
                    let mut machine = at(normal, secure, fixed);
                    assert_eq!(machine.interrupt(), Action::Enter);
                    from_spmc(machine, |row| &row.interrupted, "interrupted");
                    let mut machine = at(normal, secure, fixed);
                    machine.request(POWER);
                    from_spmc(machine, |row| &row.requested, "requested");
                }
            }
        }
    });
    assert_eq!(cases, 0x90 * 2 * 2 * (5 * 4 * 2 * 3 + 4));
}

#[test]
fn an_spmc_at_s_el1_does_not_see_the_sve_hint() {
    every_call(|number, is_64, row, mut call, what| {
        call[1] = w1(row, number, is_64, 0x0001_8001);
        if cell(row, |row| &row.normal).outcome != "forward" {
            return;
        }
        let mut config = config(Version::V1_2);
        config.sel2 = false;
        let mut machine = Machine::negotiated(config, Some(Version::V1_3), Version::V1_3);
        let before = machine.secure;
        machine.normal = call;
        if machine.normal_says(&[]) == Action::Enter {
            let version = Some(Version::V1_3);
            let sees = forwarded(call, before, is_64, version, version, false);
            assert_eq!(machine.secure.map(Hex), sees.map(Hex), "{what}");
        }
    });
}

#[test]
fn direct_messages() {
    let mut covered = 0;
    for line in lines(include_str!("golden/direct.txt")) {
        let [from, number, w1, w2, outcome, what] = line[..] else {
            panic!("direct.txt: {line:?} does not have 6 columns");
        };
        let world = if from == "N" {
            World::Normal
        } else {
            World::Secure
        };
        let number = hex(number) as u32;
        let conventions: &[bool] = match number {
            0x8D | 0x8E => &[true],
            0x86 => &[false],
            _ => &[false, true],
        };
        for normal in [Version::V1_2, Version::V1_3] {
            for secure in [Version::V1_2, Version::V1_3] {
                for is_64 in conventions {
                    let mut call = pattern(7);
                    call[0] = id(number, *is_64);
                    call[1] = hex(w1) | 0xFACE_0000_0000_0000;
                    call[2] = hex(w2) | 0xFACE_0000_0000_0000;
                    for fixed in [false, true] {
                        let mut machine = at(Some(normal), secure, fixed);
                        let what = format!("{what} ({line:?} {is_64} {normal:?} {secure:?})");
                        let versions = (Some(normal), secure);
                        check(&mut machine, world, call, outcome, versions, &what);
                        covered += 1;
                    }
                }
            }
        }
    }
    assert!(covered > 400, "{covered}");
}

#[test]
fn answers_to_requests_of_the_spmd() {
    let mut kinds = std::collections::HashSet::new();
    for line in lines(include_str!("golden/answers.txt")) {
        let [request, call_name, w1, w2, w3, outcome, what] = line[..] else {
            panic!("answers.txt: {line:?} does not have 7 columns");
        };
        let (number, convention) = call_name.split_once(' ').expect("number and convention");
        let mut machine = Machine::negotiated(
            config_with_both(Version::V1_3),
            Some(Version::V1_2),
            Version::V1_3,
        );
        let mut pending = StateName::RequestedMessage;
        match request {
            "version" => {
                pending = StateName::RequestedVersion;
                let action = machine.normal_says(&[id(0x63, false), 0x1_0001, 0]);
                assert_eq!(action, Action::Enter);
            }
            "power" => {
                pending = StateName::RequestedPower;
                machine.request(POWER);
            }
            "message" => machine.request(message(Body::Req32([1, 2, 3, 4, 5]))),
            "message2" => {
                machine.request(message(Body::Req2 {
                    uuid: [1, 2],
                    payload: [3; 14],
                }));
            }
            "way" => machine.request(message_of(0xFFC2, Body::Req64([1, 2, 3, 4, 5]))),
            "run" => machine.request(rest_of(0xFFC2, false)),
            "run2" => machine.request(rest_of(0xFFC2, true)),
            "discover" => machine.request(Request::Discover {
                uuid: [0, 0],
                start: 0,
            }),
            "start" => machine.request(activation(START)),
            "finish" => machine.request(activation(Step::Finish)),
            _ => panic!("{request} is no request"),
        }
        kinds.insert(request);
        assert_eq!(machine.core.state(), pending);
        let mut call = pattern(7);
        call[0] = id(hex(number) as u32, convention == "64");
        for (reg, value) in call[1..4].iter_mut().zip([w1, w2, w3]) {
            *reg = hex(value) | 0xFACE_0000_0000_0000;
        }
        let versions = (Some(Version::V1_2), Version::V1_3);
        let what = format!("{what} ({line:?})");
        check(&mut machine, World::Secure, call, outcome, versions, &what);
        if outcome == "denied" {
            assert_eq!(machine.core.state(), pending, "{what}: still pending");
        }
    }
    assert_eq!(kinds.len(), 10);
}

#[test]
fn features_tell_what_the_table_accepts() {
    let rows = calls();
    // What no SPMC is ever granted is not a feature it has.
    let accepts = |cell: &Cell| !["-", "denied"].contains(&cell.outcome.as_str());
    for number in 0x60..=0xEF {
        for is_64 in [false, true] {
            for secure in VERSIONS {
                let accepted = rows.get(&(number, is_64)).is_some_and(|row| {
                    // Taken at any version, but a feature of 1.3 only.
                    if number == 0x90 {
                        return secure >= Version::V1_3;
                    }
                    // RESP2 has no condition of its own while booting; it came with 1.2.
                    let cells: &[&Cell] = match number {
                        0x8E => &[&row.running],
                        0x6E => &[&row.running],
                        _ => &[&row.boot, &row.running, &row.interrupted],
                    };
                    cells.iter().any(|cell| {
                        // Seen from the SPMC alone: the normal world as far as it is.
                        accepts(cell) && cell.at(Some(secure), secure) != "-"
                    })
                }) || (number == 0x8B && is_64 && secure >= Version::V1_2);
                let mut machine = at(None, secure, false);
                let mut call = pattern(3);
                call[0] = id(0x64, false);
                call[1] = id(number, is_64);
                let outcome = if accepted { "success:0" } else { "-" };
                let what = format!("FEATURES({:#x}) at {secure}", call[1]);
                check(
                    &mut machine,
                    World::Secure,
                    call,
                    outcome,
                    (None, secure),
                    &what,
                );
                // The hint and reserved bits are no part of a function's name.
                for wrong in [HINT, 1 << 17, 1 << 24] {
                    let mut wrong_call = call;
                    wrong_call[1] ^= wrong;
                    check(
                        &mut machine,
                        World::Secure,
                        wrong_call,
                        "-",
                        (None, secure),
                        &what,
                    );
                }
            }
        }
    }
    for feature in 0..16 {
        let mut machine = at(None, Version::V1_3, false);
        let mut call = pattern(3);
        call[0] = id(0x64, false);
        call[1] = feature;
        let what = format!("FEATURES({feature})");
        check(
            &mut machine,
            World::Secure,
            call,
            "-",
            (None, Version::V1_3),
            &what,
        );
    }
}

type Make = fn() -> (Spmd, Core);

#[test]
fn without_an_spmc_every_call_is_not_supported() {
    let off = || (Spmd::new(), Core::new());
    let not_started = || (Spmd::with_spmc(config(Version::V1_2)), Core::new());
    let failed = || {
        let mut machine = Machine::booting(config(Version::V1_2));
        assert_eq!(
            machine.secure_says(&[id(0x60, false), 0, error_code(-3)]),
            Action::El3(Work::SpmcFailed(-3))
        );
        (machine.spmd, machine.core)
    };
    let dead = || {
        let mut machine = Machine::running(config(Version::V1_3));
        assert_eq!(
            machine.secure_says(&[id(0x90, false)]),
            Action::El3(Work::Aborted)
        );
        (machine.spmd, machine.core)
    };
    let cases: [(&str, Make); 4] = [
        ("none", off),
        ("off", not_started),
        ("failed", failed),
        ("dead", dead),
    ];
    for (what, make) in cases {
        for number in 0x60..=0xEF {
            for is_64 in [false, true] {
                for world in [World::Normal, World::Secure] {
                    let (spmd, core) = make();
                    let mut machine = Machine {
                        spmd,
                        core,
                        normal: pattern(1),
                        secure: pattern(2),
                    };
                    let mut call = pattern(7);
                    call[0] = id(number, is_64);
                    let version = world == World::Normal && number == 0x63 && !is_64;
                    let outcome = if version { "version:ffffffff" } else { "-" };
                    let what = format!("{number:02X} from {world:?}, {what}");
                    check(
                        &mut machine,
                        world,
                        call,
                        outcome,
                        (None, Version::V1_2),
                        &what,
                    );
                }
            }
        }
    }
}

#[test]
fn the_normal_world_does_not_get_in_where_it_does_not_run() {
    let booting = || Machine::booting(config(Version::V1_2));
    let interrupted = || {
        let mut machine = Machine::running(config(Version::V1_2));
        assert_eq!(machine.interrupt(), Action::Enter);
        machine
    };
    let requested = || {
        let mut machine = Machine::running(config(Version::V1_2));
        machine.request(POWER);
        machine
    };
    let cases: [&dyn Fn() -> Machine; 3] = [&booting, &interrupted, &requested];
    for make in cases {
        for number in 0x60..=0xEF {
            let mut call = pattern(7);
            call[0] = id(number, false);
            let outcome = if number == 0x63 {
                "version:ffffffff"
            } else {
                "denied"
            };
            let what = format!("{number:02X}");
            check(
                &mut make(),
                World::Normal,
                call,
                outcome,
                (None, Version::V1_2),
                &what,
            );
        }
    }
}
