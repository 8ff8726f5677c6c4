//! A step in words: from whom to whom, what, and what came back.

use crate::decode::{self, Words};
use crate::file::Trace;
use crate::flow::{Flow, Kind, Step};
use janus_trace_format::arch::{World, class_name};
use std::borrow::Cow;

/// A step in words.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Who begins: `NS`, `SPMC`, `EL3`.
    pub from: &'static str,
    /// Who is asked.
    pub to: &'static str,
    /// The call or the event in words.
    pub what: Words,
    /// What came back.
    pub answer: Option<Words>,
}

/// The short name of a world.
pub fn world(world: World) -> &'static str {
    match world {
        World::Normal => "NS",
        World::Secure => "SPMC",
        World::Realm => "Realm",
    }
}

/// A core by its affinity.
pub fn core(flow: &Flow, step: &Step) -> String {
    decode::affinity(flow.cores[usize::from(step.core)])
}

/// Puts a step into words.
pub fn step(trace: &Trace, step: &Step) -> Shown {
    let event = trace.event(step.event);
    let shown = |from, to, what, answer| Shown {
        from,
        to,
        what,
        answer,
    };
    let end = step.end.map(|end| trace.event(end).regs);
    match step.kind {
        Kind::Call(from) => {
            let answer = end.map(|end| decode::answer(&event.regs, &end));
            let to = if step.passed_on && from == World::Normal {
                "SPMC"
            } else {
                "EL3"
            };
            shown(world(from), to, decode::call(&event.regs), answer)
        }
        Kind::Message(to) => {
            let answer = end.map(|end| decode::answer(&event.regs, &end));
            shown("EL3", world(to), decode::call(&event.regs), answer)
        }
        Kind::Interrupt(from) => {
            let to = if step.passed_on { "SPMC" } else { "EL3" };
            let answer = end.map(|_| simple("goes on"));
            shown(world(from), to, simple("interrupt"), answer)
        }
        Kind::SError(from) => shown(
            world(from),
            "EL3",
            simple("SError"),
            end.map(|_| simple("goes on")),
        ),
        Kind::Trap(from, class) => {
            let mut what = simple("trap");
            what.fields.push(("".into(), class_name(class).into()));
            what.fields.push(("at".into(), format!("{:#x}", event.elr)));
            let answer = step.end.map(|end| {
                let end = trace.event(end);
                let mut answer = simple("goes on");
                if end.elr != event.elr {
                    answer.fields.push(("at".into(), format!("{:#x}", end.elr)));
                }
                answer
            });
            shown(world(from), "EL3", what, answer)
        }
        Kind::Start(to) => {
            let mut what = simple("starts");
            let name = match to {
                World::Normal => format!("at NS-EL{}", event.el()),
                World::Secure => format!("at S-EL{}", event.el()),
                World::Realm => "a realm".to_owned(),
            };
            what.fields.push(("".into(), name));
            what.fields.push(("pc".into(), format!("{:#x}", event.elr)));
            what.fields
                .push(("x0".into(), format!("{:#x}", event.regs[0])));
            let answer = end.map(|end| decode::call(&end));
            shown("EL3", world(to), what, answer)
        }
        Kind::Fault => {
            let mut what = simple("CRASH in EL3");
            if let janus_trace_format::Way::Entry { esr, vector } = event.way {
                let name = match vector >> 7 & 3 {
                    0 => class_name((esr >> 26 & 0x3f) as u8),
                    1 => "IRQ",
                    2 => "FIQ",
                    _ => "SError",
                };
                what.fields.push(("".into(), name.to_owned()));
                what.fields.push(("esr".into(), format!("{esr:#x}")));
            }
            what.fields.push(("at".into(), format!("{:#x}", event.elr)));
            what.error = Some("CRASH".into());
            shown("EL3", "EL3", what, None)
        }
    }
}

fn simple(name: &'static str) -> Words {
    Words {
        name: Cow::Borrowed(name),
        ..Words::default()
    }
}

impl Shown {
    /// The error that it ended with, if it did.
    pub fn error(&self) -> Option<&str> {
        let error = self
            .answer
            .as_ref()
            .and_then(|answer| answer.error.as_ref());
        error.or(self.what.error.as_ref()).map(|error| &**error)
    }

    /// The FF-A IDs in it.
    pub fn ids(&self) -> impl Iterator<Item = u16> {
        let of = |words: &Words| words.ids.map(|(sender, receiver)| [sender, receiver]);
        let both = of(&self.what)
            .into_iter()
            .chain(self.answer.as_ref().and_then(of));
        both.flatten()
    }
}
