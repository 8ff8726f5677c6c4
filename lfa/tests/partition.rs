// SPDX-License-Identifier: BSD-3-Clause

//! A component that is a secure partition, with an SPMC that answers what the test wants.

use janus_lfa::partition::{Partition, SecurePartition, Staging};
use janus_lfa::{Component, Progress, Rendezvous, Status};
use janus_spmd::{Activation, Messenger, NotAvailable, Pages, Regs, Request, Step};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const IMAGE: Pages = Pages::new(0x0ef0_0000, 16).unwrap();
const PROTOCOL: [u64; 2] = [1, 2];

#[derive(Default)]
struct Store {
    activated: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Staging for &'static Store {
    fn current(&self) -> u64 {
        1 << 32
    }
    fn pending(&self) -> Option<u64> {
        Some(2 << 32)
    }
    fn prime(&self) -> Result<Progress, Status> {
        Ok(Progress::Again)
    }
    fn image(&self) -> Result<(Pages, Option<Pages>), Status> {
        Ok((IMAGE, None))
    }
    fn activated(&self) {
        self.activated.fetch_add(1, Relaxed);
    }
    fn cancel(&self) {
        self.cancelled.fetch_add(1, Relaxed);
    }
}

/// An SPMC: its partitions as descriptors of 24 bytes, and its answers to *start* and *finish* in their order.
struct Spmc {
    partitions: Vec<[u64; 3]>,
    answers: Vec<Result<Regs, NotAvailable>>,
    seen: Vec<Step>,
    /// How many descriptors an answer holds.
    room: usize,
}

fn answer(function: u64, w2: u64, w3: i32) -> Result<Regs, NotAvailable> {
    let mut regs = [0xFACE_0000_0000_0000; 18];
    regs[0] = function;
    regs[2] = w2;
    regs[3] = (w3 as u32).into();
    Ok(regs)
}

/// Makes the response to *start* or *finish* with this status.
fn says(status: i32) -> Result<Regs, NotAvailable> {
    answer(0x8400_0070, 0x8000_000D, status)
}

fn is(id: u64, contexts: u64, properties: u64) -> [u64; 3] {
    [id | contexts << 16 | properties << 32, 0, 0]
}

impl Messenger for Spmc {
    fn ask(&mut self, request: Request) -> Result<Regs, NotAvailable> {
        match request {
            Request::Discover { uuid, start } => {
                assert_eq!(uuid, PROTOCOL);
                let Some(last) = self.partitions.len().checked_sub(1) else {
                    return answer(0x8400_0060, (-2_i32 as u32).into(), 0);
                };
                let mut regs = [0; 18];
                regs[0] = 0xC400_0061;
                let from = usize::from(start);
                let given = (from + self.room).min(last + 1);
                regs[2] = last as u64 | (given as u64 - 1) << 16 | 24 << 48;
                let words = self.partitions[from..given].iter().flatten();
                for (reg, word) in regs[3..].iter_mut().zip(words) {
                    *reg = *word;
                }
                Ok(regs)
            }
            Request::Activation(Activation {
                sender,
                partition,
                step,
            }) => {
                assert_eq!((sender, partition), (0xFFC2, 0x8007));
                self.seen.push(step);
                self.answers.remove(0)
            }
            other => panic!("{other:x?}"),
        }
    }
}

struct Test {
    store: &'static Store,
    component: SecurePartition<&'static Store>,
    spmc: Spmc,
}

impl Test {
    fn new(answers: &[Result<Regs, NotAvailable>]) -> Self {
        let store: &'static Store = Box::leak(Box::default());
        let of = Partition {
            sender: 0xFFC2,
            id: 0x8007,
            protocol: PROTOCOL,
            image: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
            rendezvous: Rendezvous::Optional,
        };
        Self {
            store,
            component: SecurePartition::new(of, store),
            spmc: Spmc {
                partitions: vec![is(0x8001, 4, 0), is(0x8007, 1, 0x901)],
                answers: answers.to_vec(),
                seen: Vec::new(),
                room: 5,
            },
        }
    }

    fn activate(&mut self, gathered: bool) -> Result<Progress, Status> {
        self.component.activate(gathered, &mut self.spmc)
    }
}

const START: Step = Step::Start {
    image: IMAGE,
    manifest: None,
};

#[test]
fn a_partition_is_replaced() {
    let mut test = Test::new(&[says(0), says(0)]);
    assert_eq!(test.activate(false), Ok(Progress::Done));
    assert_eq!(test.spmc.seen, [START, Step::Finish]);
    assert_eq!(test.store.activated.load(Relaxed), 1);
}

#[test]
fn what_start_says() {
    for (status, expected) in [
        (-1, Status::NotSupported),
        (-2, Status::InvalidParameters),
        (-3, Status::NoMemory),
        (-4, Status::Busy),
        (-5, Status::Busy),
        (-6, Status::ComponentWrongState),
        (-7, Status::Busy),
        (-8, Status::CriticalError),
        (-9, Status::ActivationFailed),
        (7, Status::ActivationFailed),
    ] {
        let error = answer(0x8400_0060, u64::from(status as u32), 0);
        for said in [says(status), error] {
            let mut test = Test::new(&[said]);
            assert_eq!(test.activate(false), Err(expected), "{status}");
            assert_eq!(test.spmc.seen, [START], "no finish after it");
            assert_eq!(test.store.activated.load(Relaxed), 0);
            assert_eq!(test.component.cancel(), Ok(()), "nothing has happened");
        }
    }
}

/// The old instance goes on if the SPMC still lists it. It is lost if the SPMC does not, or answers ABORTED.
#[test]
fn what_finish_says() {
    for status in [-1, -2, -3, -6, -8, -9, 7] {
        for there in [false, true] {
            let mut test = Test::new(&[says(0), says(status)]);
            let Spmc { partitions, .. } = &mut test.spmc;
            let found = partitions.clone();
            let mut vanish = Vanishing {
                spmc: &mut test.spmc,
                gone: !there,
                found,
            };
            let outcome = test.component.activate(false, &mut vanish);
            let expected = if there && status != -8 {
                Status::ActivationFailed
            } else {
                Status::CriticalError
            };
            assert_eq!(outcome, Err(expected), "{status} {there}");
            assert_eq!(test.store.activated.load(Relaxed), 0);
        }
    }
}

/// An SPMC that loses the partition with *finish*.
struct Vanishing<'a> {
    spmc: &'a mut Spmc,
    gone: bool,
    found: Vec<[u64; 3]>,
}

impl Messenger for Vanishing<'_> {
    fn ask(&mut self, request: Request) -> Result<Regs, NotAvailable> {
        let lost = self.gone && self.spmc.seen.contains(&Step::Finish);
        self.spmc.partitions = if lost {
            vec![is(0x8001, 4, 0)]
        } else {
            self.found.clone()
        };
        self.spmc.ask(request)
    }
}

#[test]
fn an_interrupted_finish_is_made_again_and_cannot_be_cancelled() {
    let mut test = Test::new(&[says(0), says(-5), says(-7), says(-4), says(0)]);
    for _ in 0..3 {
        assert_eq!(test.activate(false), Ok(Progress::Again));
        assert_eq!(test.component.cancel(), Err(Status::Busy));
    }
    assert_eq!(test.activate(false), Ok(Progress::Done));
    assert_eq!(test.spmc.seen[1..], [Step::Finish; 4], "start is made once");
    assert_eq!(test.component.cancel(), Ok(()));
    assert_eq!(test.store.cancelled.load(Relaxed), 1);
}

#[test]
fn an_spmc_that_is_not_there() {
    for (why, expected) in [
        (NotAvailable::NoSpmc, Status::NotSupported),
        (NotAvailable::Version, Status::NotSupported),
        (NotAvailable::Busy, Status::Busy),
        (NotAvailable::Died, Status::CriticalError),
    ] {
        let mut test = Test::new(&[Err(why)]);
        assert_eq!(test.activate(false), Err(expected));
    }
    let mut test = Test::new(&[says(0), Err(NotAvailable::Died)]);
    assert_eq!(test.activate(false), Err(Status::CriticalError));
}

#[test]
fn only_what_can_be_replaced_is_touched() {
    const REPLACEABLE: u64 = 1 << 11;
    const GATHERED: u64 = 1 << 12;
    for (partitions, expected) in [
        (vec![], Status::ComponentWrongState),
        (
            vec![is(0x8001, 1, REPLACEABLE)],
            Status::ComponentWrongState,
        ),
        (vec![is(0x8007, 1, 0)], Status::NotSupported),
        (vec![is(0x8007, 2, REPLACEABLE)], Status::NotSupported),
        (
            vec![is(0x8007, 1, REPLACEABLE | GATHERED)],
            Status::NotSupported,
        ),
    ] {
        let mut test = Test::new(&[]);
        test.spmc.partitions = partitions;
        assert_eq!(test.activate(false), Err(expected));
        assert_eq!(test.spmc.seen, []);
    }
    let mut test = Test::new(&[says(0), says(0)]);
    test.spmc.partitions = vec![is(0x8007, 1, REPLACEABLE | GATHERED)];
    assert_eq!(test.activate(true), Ok(Progress::Done));
    // The partition is the last of many, which come in one answer or in several.
    for room in 1..=5 {
        let mut test = Test::new(&[says(0), says(0)]);
        test.spmc.room = room;
        test.spmc.partitions = (0..7).map(|i| is(0x8001 + i, 1, REPLACEABLE)).collect();
        assert_eq!(test.activate(false), Ok(Progress::Done), "{room}");
    }
}

/// An SPMC may answer a discovery with anything: no answer makes the agent loop or panic.
#[test]
fn a_discovery_that_leads_nowhere_ends() {
    struct Mad(u64);
    impl Messenger for Mad {
        fn ask(&mut self, _: Request) -> Result<Regs, NotAvailable> {
            let mut regs = [0; 18];
            regs[0] = 0xC400_0061;
            regs[2] = self.0;
            Ok(regs)
        }
    }
    for x2 in [
        0,
        u64::MAX,
        0xFFFF,
        0xFFFF_0000,
        0x18_0000_0000_FFFF,
        7 << 48 | 9,
    ] {
        let test = Test::new(&[]);
        let outcome = test.component.activate(false, &mut Mad(x2));
        assert_eq!(outcome, Err(Status::ComponentWrongState), "{x2:#x}");
    }
}
