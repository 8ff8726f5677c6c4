// SPDX-License-Identifier: BSD-3-Clause

//! EL3 logical partitions: a partition that asks and gets its answer, and discovery in both directions.

mod support;

use janus_spmd::{
    Action, Activation, Answer, Body, Death, LogicalPartition, Message, Messenger, NotAvailable,
    Pages, PartitionError, Properties, Regs, Request, Step, Version, Work, activation_status,
    check_partitions,
};
use std::sync::Mutex;
use support::*;

/// An example: it looks for a secure partition by its protocol and greets the first one it finds.
struct Greeter {
    /// What it was answered, for the test to see.
    answers: Mutex<Vec<Result<Regs, NotAvailable>>>,
}

const PROTOCOL: [u64; 2] = [0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210];

impl LogicalPartition for Greeter {
    fn id(&self) -> u16 {
        0xFFC1
    }

    fn uuid(&self) -> [u64; 2] {
        [7, 8]
    }

    fn start(&self, messenger: &mut dyn Messenger) {
        let found = messenger.ask(Request::Discover {
            uuid: PROTOCOL,
            start: 0,
        });
        let partition = match &found {
            Ok(regs) if regs[0] == id(0x61, true) => regs[3] as u16,
            _ => 0,
        };
        let greet = |body| {
            Request::Message(Message {
                sender: self.id(),
                receiver: partition,
                body,
            })
        };
        let requests = [
            greet(Body::Req32([0x68, 0x69, 0, 0, 5])),
            greet(Body::Req64([0x1_0000_0001, 2, 3, 4, 5])),
            greet(Body::Req2 {
                uuid: PROTOCOL,
                payload: std::array::from_fn(|i| i as u64),
            }),
        ];
        let mut answers = self.answers.lock().unwrap();
        answers.push(found);
        for request in requests {
            answers.push(messenger.ask(request));
        }
    }
}

static GREETER: Greeter = Greeter {
    answers: Mutex::new(Vec::new()),
};
static PARTITIONS: [&dyn LogicalPartition; 1] = [&GREETER];

/// bl31's run loop in small, over an SPMC that has one partition, 8005, which echoes.
struct El3 {
    machine: Machine,
    seen: Vec<Regs>,
}

impl Messenger for El3 {
    fn ask(&mut self, request: Request) -> Result<Regs, NotAvailable> {
        let Machine {
            spmd, core, secure, ..
        } = &mut self.machine;
        spmd.request(core, request, secure)?;
        self.seen.push(*secure);
        // In between the SPMC asks EL3 something, and tries to let the normal world go on.
        let asked = *secure;
        assert_eq!(self.machine.secure_says(&[id(0x69, false)]), Action::Return);
        assert_eq!(self.machine.secure_says(&[id(0x6C, false)]), Action::Return);
        assert_eq!(self.machine.secure[2], error_code(-6));
        let mut answer = asked;
        if asked[0] == id(0x8B, true) {
            answer = [0; 18];
            answer[..4].copy_from_slice(&[id(0x61, true), 0, 24 << 48, 0x2_0001_8005]);
        } else {
            answer[0] += 1;
            answer[1] = asked[1] >> 16 | (asked[1] & 0xFFFF) << 16;
            answer[7] += 1;
        }
        self.machine.secure = answer;
        match self.machine.secure_says(&[]) {
            Action::El3(Work::Answered(Answer::Message)) => Ok(self.machine.secure),
            other => panic!("{other:x?}"),
        }
    }
}

#[test]
fn a_partition_finds_another_and_talks_to_it() {
    let mut config = config(Version::V1_2);
    config.partitions = &PARTITIONS;
    let mut el3 = El3 {
        machine: Machine::running(config),
        seen: Vec::new(),
    };
    let normal = el3.machine.normal;
    for partition in PARTITIONS {
        partition.start(&mut el3);
    }
    assert_eq!(
        el3.machine.normal, normal,
        "the normal world sees nothing of it"
    );
    let route = 0xFFC1_8005;
    let expected: [&[u64]; 4] = [
        &[id(0x8B, true), PROTOCOL[0], PROTOCOL[1], 0],
        &[id(0x6F, false), route, 0, 0x68, 0x69, 0, 0, 5],
        &[id(0x6F, true), route, 0, 0x1_0000_0001, 2, 3, 4, 5],
        &[
            id(0x8D, true),
            route,
            PROTOCOL[0],
            PROTOCOL[1],
            0,
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            10,
            11,
            12,
            13,
        ],
    ];
    assert_eq!(el3.seen.len(), expected.len());
    for (seen, expected) in el3.seen.iter().zip(expected) {
        assert_eq!(seen[..expected.len()], *expected);
        assert!(
            seen[expected.len()..].iter().all(|reg| *reg == 0),
            "nothing else: {seen:x?}"
        );
    }
    let answers = GREETER.answers.lock().unwrap();
    let greeted: Vec<u64> = answers
        .iter()
        .skip(1)
        .map(|answer| answer.unwrap()[7])
        .collect();
    assert_eq!(greeted, [6, 6, 4], "x7 of what was sent, and one");
}

#[test]
fn only_partitions_send_and_only_secure_partitions_receive() {
    let message = |sender, receiver| {
        Request::Message(Message {
            sender,
            receiver,
            body: Body::Req64([0; 5]),
        })
    };
    for (sender, receiver) in [
        (0xFFC1, 0x8001), // Nobody has this ID.
        (0x8000, 0x8001),
        (0xFFFF, 0x8001),
        (0xFFC0, 0x0001),
        (0xFFC0, 0xFFFF),
        (0xFFC0, 0xFFC0),
    ] {
        let mut machine = Machine::running(config_with_partition(Version::V1_2));
        let before = machine.secure;
        let Machine {
            spmd, core, secure, ..
        } = &mut machine;
        let result = spmd.request(core, message(sender, receiver), secure);
        assert_eq!(result, Err(NotAvailable::Id), "{sender:x} to {receiver:x}");
        assert_eq!(machine.secure, before);
    }
}

#[test]
fn an_spmc_below_1_2_has_neither_req2_nor_discovery() {
    let req2 = message(Body::Req2 {
        uuid: [1, 2],
        payload: [0; 14],
    });
    for (request, version, expected) in [
        (req2, Version::V1_1, Err(NotAvailable::Version)),
        (
            Request::Discover {
                uuid: [0; 2],
                start: 0,
            },
            Version::V1_1,
            Err(NotAvailable::Version),
        ),
        (message(Body::Req32([0; 5])), Version::V1_0, Ok(())),
        (req2, Version::V1_2, Ok(())),
    ] {
        let mut machine = Machine::running(config_with_partition(version));
        let Machine {
            spmd, core, secure, ..
        } = &mut machine;
        assert_eq!(spmd.request(core, request, secure), expected);
    }
}

#[test]
fn live_activation_messages() {
    let route = 0xFFC0_8000;
    let whole: [u64; 18] = std::array::from_fn(|i| match i {
        0 => id(0x6F, true),
        1 => route,
        2 => 0x8000_000C,
        3 => 0x8001,
        4 => 0x1_0e80_0000,
        5 => 0x100,
        6 => 0x0e90_0000,
        7 => 1,
        _ => 0,
    });
    let image = pages(0x1_0e80_0000, 0x100);
    let alone = Step::Start {
        image,
        manifest: None,
    };
    for (step, number, to) in [(START, 0xC, 8), (alone, 0xC, 6), (Step::Finish, 0xE, 4)] {
        let mut machine = Machine::running(config_with_partition(Version::V1_3));
        machine.request(activation(step));
        let mut expected = whole;
        expected[2] = 0x8000_0000 | number;
        expected[to..].fill(0);
        assert_eq!(machine.secure, expected, "{step:x?}");
    }
}

#[test]
fn only_el3s_partitions_replace_secure_ones_and_only_at_1_3() {
    let from = |sender, partition| {
        Request::Activation(Activation {
            sender,
            partition,
            step: START,
        })
    };
    let refused = |version, request, error| {
        let mut machine = Machine::running(config_with_partition(version));
        let before = machine.secure;
        let Machine {
            spmd, core, secure, ..
        } = &mut machine;
        let result = spmd.request(core, request, secure);
        assert_eq!(result, Err(error), "{version:?} {request:x?}");
        assert_eq!(machine.secure, before);
    };
    for (sender, partition) in [
        (0xFFC1, 0x8001), // Nobody has this ID.
        (0xFFFF, 0x8001),
        (0x8000, 0x8001),
        (0x8002, 0x8001),
        (0x0000, 0x8001),
        (0xFFC0, 0x8000), // The SPMC does not replace itself,
        (0xFFC0, 0xFFC0), // nor anybody at EL3,
        (0xFFC0, 0xFFFF),
        (0xFFC0, 0x0001), // nor in the normal world.
    ] {
        refused(Version::V1_3, from(sender, partition), NotAvailable::Id);
    }
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        refused(version, activation(Step::Finish), NotAvailable::Version);
    }
}

#[test]
fn pages_are_pages() {
    let pages = |base, count| Pages::new(base, count).map(|it| (it.base(), it.count()));
    for (base, count) in [
        (0, 1),
        (0x1000, 0),
        (0x1001, 1),
        (0xFFF, 1),
        (u64::MAX - 0xFFF, 1),
        (u64::MAX - 0x1FFF, 2),
    ] {
        assert_eq!(pages(base, count), None, "{base:#x} {count}");
    }
    for (base, count) in [(0x1000, 1), (u64::MAX - 0x1FFF, 1), (1 << 44, u32::MAX)] {
        assert_eq!(pages(base, count), Some((base, count)));
    }
}

#[test]
fn the_status_of_a_live_activation() {
    let answer = |number, is_64, w2, w3| {
        let mut regs = pattern(5);
        regs[0] = id(number, is_64);
        regs[2] = w2 | 0xFACE << 32;
        regs[3] = w3 | 0xFACE << 32;
        activation_status(&regs)
    };
    for is_64 in [false, true] {
        assert_eq!(answer(0x70, is_64, 0x8000_000D, 0), Ok(()));
        assert_eq!(answer(0x70, is_64, 0x8000_000D, error_code(-8)), Err(-8));
        assert_eq!(answer(0x70, is_64, 0x8000_000F, 1), Err(1));
        assert_eq!(answer(0x60, is_64, error_code(-2), 0), Err(-2));
        assert_eq!(answer(0x60, is_64, 0, 0), Err(-1), "no success");
    }
}

struct Named(u16, [u64; 2]);

impl LogicalPartition for Named {
    fn id(&self) -> u16 {
        self.0
    }
    fn uuid(&self) -> [u64; 2] {
        self.1
    }
    fn start(&self, _: &mut dyn Messenger) {}
}

static MANY: [&dyn LogicalPartition; 7] = [
    &Named(0xFFC0, [1, 1]),
    &Named(0xFFC1, [2, 2]),
    &Named(0xFFC2, [1, 1]),
    &Named(0xFFC3, [3, 3]),
    &Named(0xFFC4, [1, 1]),
    &Named(0xFFC5, [1, 2]),
    &Named(0xFFC6, [2, 1]),
];

/// A partition as FFA_PARTITION_INFO_GET_REGS tells of it: ID and UUID.
type Found = (u64, [u64; 2]);

/// The partitions found in one call: IDs, UUIDs; and the indices of the last one and the last given.
fn info(version: Version, uuid: [u64; 2], start: u64) -> Result<(Vec<Found>, u64, u64), u64> {
    let mut config = config(version);
    config.partitions = &MANY;
    let mut machine = Machine::running(config);
    let action = machine.secure_says(&[id(0x8B, true), uuid[0], uuid[1], start]);
    assert_eq!(action, Action::Return);
    let regs = machine.secure;
    if regs[0] == id(0x60, false) {
        assert_eq!(regs[8..], pattern(2)[8..]);
        return Err(regs[2]);
    }
    assert_eq!(regs[0..2], [id(0x61, true), 0]);
    let (last, given, tag, size) = (
        regs[2] & 0xFFFF,
        regs[2] >> 16 & 0xFFFF,
        regs[2] >> 32 & 0xFFFF,
        regs[2] >> 48,
    );
    assert_eq!(tag, 0);
    assert_eq!(size, if version >= Version::V1_3 { 48 } else { 24 });
    let words = size as usize / 8;
    let count = (given - start + 1) as usize;
    let descriptors = regs[3..3 + count * words].chunks_exact(words);
    let found = descriptors
        .map(|words| {
            assert_eq!(words[0] >> 16 & 0xFFFF, 1, "one execution context");
            assert_eq!(words[0] >> 32, 0x502, "sends REQ and REQ2, AArch64");
            if let [_, _, _, image_low, image_high, version] = words {
                assert_eq!([*image_low, *image_high, *version], [0, 0, 0x1_0003]);
            }
            (words[0] & 0xFFFF, [words[1], words[2]])
        })
        .collect();
    assert!(
        regs[3 + count * words..].iter().all(|reg| *reg == 0),
        "nothing after them"
    );
    Ok((found, last, given))
}

#[test]
fn the_spmc_finds_the_partitions() {
    let all = |range: std::ops::Range<usize>| -> Vec<Found> {
        MANY[range]
            .iter()
            .map(|p| (u64::from(p.id()), p.uuid()))
            .collect()
    };
    // Five descriptors of 24 bytes in 15 registers, two of 48.
    assert_eq!(info(Version::V1_2, [0, 0], 0), Ok((all(0..5), 6, 4)));
    assert_eq!(info(Version::V1_2, [0, 0], 5), Ok((all(5..7), 6, 6)));
    assert_eq!(info(Version::V1_3, [0, 0], 0), Ok((all(0..2), 6, 1)));
    assert_eq!(info(Version::V1_3, [0, 0], 6), Ok((all(6..7), 6, 6)));
    // Of one protocol; its UUID is not repeated.
    let one = |ids: &[u64]| ids.iter().map(|id| (*id, [0, 0])).collect::<Vec<_>>();
    assert_eq!(
        info(Version::V1_2, [1, 1], 0),
        Ok((one(&[0xFFC0, 0xFFC2, 0xFFC4]), 2, 2))
    );
    assert_eq!(info(Version::V1_2, [1, 1], 2), Ok((one(&[0xFFC4]), 2, 2)));
    assert_eq!(info(Version::V1_2, [1, 1], 3), Err(error_code(-2)));
    assert_eq!(info(Version::V1_2, [0, 0], 7), Err(error_code(-2)));
    assert_eq!(
        info(Version::V1_2, [0, 0], 1 << 16),
        Err(error_code(-2)),
        "a tag nobody gave"
    );
    assert_eq!(
        info(Version::V1_2, [9, 9], 0),
        Err(error_code(-1)),
        "what Hafnium takes for none"
    );
    assert_eq!(
        info(Version::V1_1, [0, 0], 0),
        Err(error_code(-1)),
        "not known to 1.1"
    );
}

#[test]
fn faults_in_the_set_of_partitions_are_found() {
    let unlike = [MANY[0], MANY[1], MANY[3], MANY[5], MANY[6]];
    assert_eq!(check_partitions(&unlike), Ok(()));
    assert_eq!(
        check_partitions(&MANY),
        Err(PartitionError::SameUuid(0xFFC2))
    );
    let named = |id, uuid| Named(id, uuid);
    let (good, low, nil) = (
        named(0xFFC0, [1, 0]),
        named(0xFFBF, [2, 0]),
        named(0xFFFE, [0, 0]),
    );
    let spmd = named(0xFFFF, [1, 0]);
    assert_eq!(
        check_partitions(&[&good, &low]),
        Err(PartitionError::Id(0xFFBF))
    );
    assert_eq!(check_partitions(&[&spmd]), Err(PartitionError::Id(0xFFFF)));
    assert_eq!(
        check_partitions(&[&nil]),
        Err(PartitionError::NilUuid(0xFFFE))
    );
    assert_eq!(
        check_partitions(&[&good, &good]),
        Err(PartitionError::Twice(0xFFC0))
    );
    let message = PartitionError::Id(0xFFBF).to_string();
    assert_eq!(
        message,
        "EL3 logical partition 0xffbf: give it an ID from 0xffc0 to 0xfffe"
    );
}

/// A partition that says something else of itself.
struct Silent;

impl LogicalPartition for Silent {
    fn id(&self) -> u16 {
        0xFFD0
    }
    fn uuid(&self) -> [u64; 2] {
        [5, 6]
    }
    fn properties(&self) -> Properties {
        Properties::NONE
    }
    fn start(&self, _: &mut dyn Messenger) {}
}

#[test]
fn a_partition_states_its_own_properties() {
    static SILENT: [&dyn LogicalPartition; 1] = [&Silent];
    for (version, words) in [(Version::V1_2, 3), (Version::V1_3, 6)] {
        let mut config = config(version);
        config.partitions = &SILENT;
        let mut machine = Machine::running(config);
        let action = machine.secure_says(&[id(0x8B, true), 0, 0, 0]);
        assert_eq!(action, Action::Return);
        let want = [0x100_0001_FFD0, 5, 6, 0, 0, 0x1_0003];
        assert_eq!(machine.secure[3..3 + words], want[..words]);
        assert_eq!(machine.secure[3 + words..], vec![0; 15 - words]);
    }
}

/// Every call of the normal world but FFA_VERSION fixes the versions, and then partitions may ask; where no SPMC
/// runs, and by what is no FF-A call, none does.
#[test]
fn partitions_wait_until_the_normal_world_has_its_version() {
    let fixes = |machine: &mut Machine, function: u64| {
        let mut call = pattern(3);
        call[0] = function;
        let Machine { spmd, core, .. } = machine;
        spmd.fixes_version(core, &call)
    };
    for number in 0x60..=0xEF {
        for is_64 in [false, true] {
            for hint in [0, HINT] {
                let mut machine =
                    Machine::negotiated(config(Version::V1_2), Some(Version::V1_1), Version::V1_2);
                let version = number == 0x63 && !is_64;
                let function = id(number, is_64) | hint;
                assert_eq!(fixes(&mut machine, function), !version, "{function:#x}");
                // The SPMC is not asked anything of the normal world's yet: a version can still be, in vain.
                let _ = machine.normal_says(&[id(0x63, false), 0x1_0000, 0]);
                let _ = machine.secure_says(&[id(0x70, false), 0x8000_FFFF, 0x8000_0009, 0x1_0000]);
                let wanted = if version {
                    Version::V1_0
                } else {
                    Version::V1_1
                };
                assert_eq!(machine.spmd.versions().0, Some(wanted), "{function:#x}");
            }
        }
    }
    let mut machine = Machine::running(config(Version::V1_2));
    for function in [
        0x8400_0000,
        0x8400_005F,
        0x8400_00F0,
        0x8000_0069,
        0xC200_0069,
    ] {
        assert!(!fixes(&mut machine, function), "{function:#x}");
    }
    assert!(!fixes(
        &mut Machine::booting(config(Version::V1_2)),
        id(0x69, false)
    ));
    assert!(!fixes(
        &mut Machine::new(config(Version::V1_2)),
        id(0x69, false)
    ));
    // While the SPMC has something else to end, the normal world does not run.
    machine.request(POWER);
    assert!(!fixes(&mut machine, id(0x69, false)));
}

/// The rest of a request is FFA_RUN of the partition that was interrupted, and only EL3's partitions ask for it.
#[test]
fn a_request_goes_on_by_run() {
    let mut machine = Machine::running(config_with_both(Version::V1_2));
    machine.request(message_of(0xFFC2, Body::Req64([1, 2, 3, 4, 5])));
    let action = machine.secure_says(&[id(0x62, false), 0x8001_0003, 0]);
    assert_eq!(action, Action::El3(Work::Answered(Answer::Message)));
    assert_eq!(machine.secure[1], 0x8001_0003, "the partition sees which");
    // Meanwhile the normal world has its own with the SPMC.
    assert_eq!(
        machine.normal_says(&[id(0x6F, false), 0x8002, 0, 7]),
        Action::Enter
    );
    assert_eq!(
        machine.secure_says(&[id(0x70, false), 0x8002_0000, 0, 8]),
        Action::Enter
    );
    machine.request(rest_of(0xFFC2, false));
    assert_eq!(machine.secure[..2], [id(0x6D, false), 0x8001_0003]);
    assert_eq!(machine.secure[2..], [0; 16]);
    let action = machine.secure_says(&[id(0x70, true), 0x8001_FFC2, 0, 9]);
    assert_eq!(action, Action::El3(Work::Answered(Answer::Message)));
    for sender in [0xFFC1, 0x8000, 0xFFFF] {
        let Machine {
            spmd, core, secure, ..
        } = &mut machine;
        let result = spmd.request(core, rest_of(sender, false), secure);
        assert_eq!(result, Err(NotAvailable::Id), "{sender:x}");
    }
}

/// An SPMC that does not answer in time is dead on the core, and the normal world sees nothing of it.
#[test]
fn an_spmc_that_is_silent_is_taken_out() {
    let mut machine = Machine::running(config_with_both(Version::V1_2));
    machine.request(message(Body::Req32([0; 5])));
    let normal = machine.normal;
    let Machine {
        spmd,
        core,
        normal: registers,
        ..
    } = &mut machine;
    let action = spmd.time_out(core, registers);
    assert_eq!(action, Action::El3(Work::Answered(Answer::Aborted)));
    assert_eq!(machine.normal, normal);
    assert_eq!(machine.core.death(), Some(Death::Silence));
    assert_eq!(
        machine.normal_says(&[id(0x6F, false), 0x8001]),
        Action::Return
    );
    assert_eq!(machine.normal[2], error_code(-1));
}
