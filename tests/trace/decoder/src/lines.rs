//! The steps as lines of text, nested as they happened.

use crate::decode::Words;
use crate::file::Trace;
use crate::filter::Filter;
use crate::flow::{Flow, Step};
use crate::show::{self, Shown};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

/// Prints every step that the filter lets through. `reason` gives the rule behind the refusal of the call
/// at an event, where it is known.
///
/// # Errors
/// The output cannot be written.
pub fn print(
    out: &mut impl Write,
    trace: &Trace,
    flow: &Flow,
    filter: &Filter,
    reason: impl Fn(u32) -> Option<String>,
) -> io::Result<()> {
    // Answers that could not stand on the line of their step, by when they came.
    let mut answers: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
    for (number, step, shown) in filter.steps(trace, flow) {
        let time = step.event;
        while let Some(&Reverse((when, earlier))) = answers.peek()
            && when < time
        {
            answers.pop();
            answer_line(out, trace, flow, &flow.steps[earlier as usize])?;
        }
        write!(
            out,
            "{} {}",
            begin(trace, flow, step, trace.event(step.event).all),
            route(&shown)
        )?;
        write!(out, "  {}", shown.what)?;
        let later = step.nests && !filter.is_set();
        match (&shown.answer, step.end) {
            (Some(_), Some(end)) if later => answers.push(Reverse((end, number as u32))),
            (Some(answer), _) => write!(out, "  ⇒ {answer}")?,
            (None, _) if shown.what.error.is_none() && shown.what.name != "starts" => {
                write!(out, "  … no answer")?
            }
            (None, _) => {}
        }
        writeln!(out)?;
        if shown.error().is_some()
            && let Some(reason) = reason(step.event)
        {
            let indent = " ".repeat(TIME + 2 * usize::from(step.depth));
            writeln!(out, "{indent} refused: {reason}")?;
        }
    }
    while let Some(Reverse((_, earlier))) = answers.pop() {
        answer_line(out, trace, flow, &flow.steps[earlier as usize])?;
    }
    Ok(())
}

/// Columns of the time.
const TIME: usize = 13;

fn begin(_: &Trace, flow: &Flow, step: &Step, all: u64) -> String {
    let core = show::core(flow, step);
    let indent = "  ".repeat(usize::from(step.depth));
    format!("{all:>TIME$}  core {core:<3} {indent}")
}

fn route(shown: &Shown) -> String {
    format!("{} → {}", shown.from, shown.to)
}

fn answer_line(out: &mut impl Write, trace: &Trace, flow: &Flow, step: &Step) -> io::Result<()> {
    let shown = show::step(trace, step);
    let Some((answer, end)) = shown.answer.as_ref().zip(step.end) else {
        return Ok(());
    };
    let begin = begin(trace, flow, step, trace.event(end).all);
    writeln!(
        out,
        "{begin} {} ⇐ {}  {}",
        shown.from,
        shown.to,
        text(answer)
    )
}

fn text(words: &Words) -> String {
    words.to_string()
}
