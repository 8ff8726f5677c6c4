//! The steps as one self-contained page: a sequence diagram that can be scrolled, zoomed, filtered and
//! searched, without any network.
//!
//! The page is `page.html`; here its data are made: each text once, each step a row of numbers.

use crate::decode;
use crate::decode::Regs;
use crate::file::Trace;
use crate::filter::Filter;
use crate::flow::{Flow, Kind};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};

/// Where the data go in the page.
const MARK: &str = "/*DATA*/";
const PAGE: &str = include_str!("page.html");
/// The lanes of a core.
const LANES: [&str; 3] = ["NS", "EL3", "SPMC"];

/// Texts, each once.
#[derive(Default)]
struct Strings {
    known: HashMap<String, i64>,
    all: Vec<String>,
}

impl Strings {
    fn number(&mut self, text: String) -> i64 {
        if let Some(number) = self.known.get(&text) {
            return *number;
        }
        let number = self.all.len() as i64;
        self.all.push(text.clone());
        self.known.insert(text, number);
        number
    }

    fn optional(&mut self, text: Option<String>) -> i64 {
        text.map_or(-1, |text| self.number(text))
    }
}

/// The page with every step that the filter lets through.
pub fn page(
    trace: &Trace,
    flow: &Flow,
    filter: &Filter,
    name: &str,
    reason: impl Fn(u32) -> Option<String>,
) -> String {
    let mut strings = Strings::default();
    let mut steps = Vec::new();
    let mut partitions = BTreeSet::new();
    for (_, step, shown) in filter.steps(trace, flow) {
        let event = trace.event(step.event);
        let lane = |name| LANES.iter().position(|lane| *lane == name).unwrap_or(1);
        // The partition: a secure ID that is neither the SPMC's nor EL3's.
        let partition = shown
            .ids()
            .find(|id| (0x8001..*janus_spmd::PARTITION_IDS.start()).contains(id));
        partitions.extend(partition);
        let error = shown.error().map(str::to_owned);
        let reason = error.as_ref().and_then(|_| reason(step.event));
        let kind = if matches!(step.kind, Kind::Start(_)) {
            "start"
        } else {
            ""
        };
        steps.push((
            (
                event.all,
                step.core,
                step.depth,
                lane(shown.from),
                lane(shown.to),
            ),
            strings.number(shown.what.to_string()),
            strings.optional(shown.answer.as_ref().map(|answer| answer.to_string())),
            strings.optional(error),
            strings.number(registers(&event.regs)),
            strings.optional(step.end.map(|end| registers(&trace.event(end).regs))),
            (
                step.el3,
                step.secure,
                strings.optional(reason),
                kind,
                partition,
            ),
        ));
    }
    let partitions: Vec<u16> = partitions.into_iter().collect();
    let place = |id: Option<u16>| {
        id.and_then(|id| partitions.iter().position(|other| *other == id))
            .map_or(-1, |p| p as i64)
    };
    let rows: Vec<serde_json::Value> = steps
        .into_iter()
        .map(
            |(
                (time, core, depth, from, to),
                text,
                answer,
                error,
                regs,
                back,
                (el3, secure, reason, kind, id),
            )| {
                let id = place(id);
                json!([
                    time, core, depth, from, to, text, answer, error, regs, back, el3, secure,
                    reason, kind, id
                ])
            },
        )
        .collect();
    let data = json!({
        "name": name,
        "ending": trace.ending.to_string(),
        "cores": flow.cores.iter().map(|core| decode::affinity(*core)).collect::<Vec<_>>(),
        "lanes": LANES,
        "partitions": partitions.iter().map(|id| format!("{id:#06x}")).collect::<Vec<_>>(),
        "strings": strings.all,
        "steps": rows,
    });
    // A text of the machine's must not end the script that holds it.
    let data = data
        .to_string()
        .replace("</", "<\\/")
        .replace("<!--", "<\\u0021--");
    PAGE.replacen(MARK, &data, 1)
}

fn registers(regs: &Regs) -> String {
    let values: Vec<String> = regs.iter().map(|reg| format!("{reg:x}")).collect();
    values.join(" ")
}
