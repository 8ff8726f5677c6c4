//! Traces made up for tests: four cores boot and call, again and again.

use crate::{Event, Header, Record, Way};

/// ESR_EL3 of an SMC.
const SMC: u64 = 0x5e00_0000;
/// What a core calls in turn: registers of the normal world, and those of the answer, where the SPMC gives
/// it; else EL3 does.
const CALLS: [(&[u64], &[u64], bool); 5] = [
    (&[0x8400_0063, 0x1_0002], &[0x1_0002], false),
    (&[0x8400_0069], &[0x8400_0061, 0, 0], false),
    (
        &[0xc400_006f, 0x1_8001, 0, 0x11],
        &[0xc400_0070, 0x8001_0001, 0, 0x22],
        true,
    ),
    (
        &[0x8400_0070, 0x1_8001],
        &[0x8400_0060, 0, 0xffff_fffa],
        false,
    ),
    (&[0x8400_000a, 0x8400_0003], &[0], false),
];

/// Makes the trace of a made-up boot, of `count` events.
pub fn events(count: usize) -> impl Iterator<Item = Event> {
    let boots = (0..4).flat_map(|core| {
        [
            event(core, None, false, 0x0e10_0000, &[]),
            event(core, Some(SMC), false, 0x0e10_0100, &[0x8400_006b]),
            event(core, None, true, 0x6000_0000, &[]),
        ]
    });
    let calls = (0_usize..).flat_map(|turn| {
        let core = (turn / CALLS.len() % 4) as u64;
        let (call, answer, passed_on) = CALLS[turn % CALLS.len()];
        let mut events = vec![event(core, Some(SMC), true, 0x6000_1000, call)];
        if passed_on {
            events.push(event(core, None, false, 0x0e10_0100, call));
            events.push(event(core, Some(SMC), false, 0x0e10_0100, answer));
        }
        events.push(event(core, None, true, 0x6000_1000, answer));
        events
    });
    boots
        .chain(calls)
        .take(count)
        .zip(1..)
        .map(|(event, number)| Event {
            own: number * 25,
            all: number * 100,
            ..event
        })
}

fn event(core: u64, esr: Option<u64>, normal: bool, elr: u64, first: &[u64]) -> Event {
    let mut regs = [0; 18];
    regs[..first.len()].copy_from_slice(first);
    let way = esr.map_or(Way::Exit, |esr| Way::Entry { vector: 0x400, esr });
    Event {
        way,
        core,
        own: 0,
        all: 0,
        scr: u64::from(normal),
        spsr: 0x3c9,
        elr,
        regs,
    }
}

/// The bytes of such a trace's file.
pub fn file(count: usize) -> Vec<u8> {
    let mut bytes = Header::default().to_bytes();
    for event in events(count) {
        Record::Event(event).write(&mut bytes);
    }
    Record::End(count as u64).write(&mut bytes);
    bytes
}
