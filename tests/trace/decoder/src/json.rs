//! The steps for machines: one JSON object per line. The first line says what is known of the machine.

use crate::decode::Words;
use crate::file::Trace;
use crate::filter::Filter;
use crate::flow::{Flow, Step};
use crate::show;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

#[derive(Serialize)]
struct Head<'a> {
    machine: BTreeMap<&'a str, &'a str>,
    events: usize,
    steps: usize,
    ending: String,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Instructions of all cores up to here.
    time: u64,
    core: String,
    depth: u16,
    from: &'a str,
    to: &'a str,
    call: String,
    arguments: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    el3_instructions: u64,
    secure_instructions: u64,
    registers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_registers: Option<Vec<String>>,
}

/// Writes every step that the filter lets through.
///
/// # Errors
/// The output cannot be written.
pub fn write(
    out: &mut impl Write,
    trace: &Trace,
    flow: &Flow,
    filter: &Filter,
    reason: impl Fn(u32) -> Option<String>,
) -> io::Result<()> {
    let head = Head {
        // It may be large, and is binary.
        machine: trace
            .header
            .entries()
            .filter(|(name, _)| *name != "manifest")
            .collect(),
        events: trace.len(),
        steps: flow.steps.len(),
        ending: trace.ending.to_string(),
    };
    line(out, &head)?;
    for (_, step, shown) in filter.steps(trace, flow) {
        let description = describe(trace, flow, step, &shown, reason(step.event));
        line(out, &description)?;
    }
    Ok(())
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn describe<'a>(
    trace: &Trace,
    flow: &Flow,
    step: &Step,
    shown: &'a show::Shown,
    reason: Option<String>,
) -> Line<'a> {
    let event = trace.event(step.event);
    let hex = |regs: &[u64; 18]| regs.iter().map(|reg| format!("{reg:#x}")).collect();
    let fields = |words: &'a Words| {
        let named = words.fields.iter().map(|(name, value)| {
            (
                if name.is_empty() { "says" } else { &**name },
                value.as_str(),
            )
        });
        named.collect()
    };
    Line {
        time: event.all,
        core: show::core(flow, step),
        depth: step.depth,
        from: shown.from,
        to: shown.to,
        call: shown.what.name.to_string(),
        arguments: fields(&shown.what),
        sender: shown.what.ids.map(|ids| ids.0),
        receiver: shown.what.ids.map(|ids| ids.1),
        answer: shown.answer.as_ref().map(|answer| answer.to_string()),
        error: shown.error(),
        reason,
        el3_instructions: step.el3,
        secure_instructions: step.secure,
        registers: hex(&event.regs),
        answer_registers: step.end.map(|end| hex(&trace.event(end).regs)),
    }
}
