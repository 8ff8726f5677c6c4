//! `cargo xtask trace`: what EL3 was asked for and answered, in words.
//!
//! [`record`] has a machine write a trace, [`mod@file`] and [`tarmac`] read one, [`flow`] makes calls of its
//! entries and exits, [`decode`] and [`show`] put them into words, and [`replay`] holds them against the
//! dispatcher's library. What comes out is [`lines`], [`stats`] or [`json`]. [`black_box`] reads what a report
//! on the console keeps of this.

mod black_box;
mod decode;
mod example;
mod file;
mod filter;
mod flow;
mod html;
mod json;
mod lines;
mod mermaid;
pub mod record;
mod replay;
mod show;
mod stats;
mod tarmac;

use crate::ui;
use anyhow::{Context, Result, bail};
use clap::Args;
use file::Trace;
use filter::Filter;
use flow::Flow;
use janus_trace_format::{Ending, Header, Record};
use replay::Replay;
use stats::Stats;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What is shown.
#[derive(Args)]
pub struct TraceArgs {
    /// The trace: of `cargo xtask run --trace`, or a Tarmac trace.
    #[arg(value_name = "FILE", required_unless_present = "console")]
    file: Option<PathBuf>,
    /// Show instead what each core asked last, from a console log with a crash report or the SPMC's death.
    #[arg(long, value_name = "LOG", conflicts_with_all = ["file", "what", "manifest"])]
    console: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Show how often each call was made and its instructions at EL3 and in the secure world instead.
    #[arg(long, group = "what")]
    stats: bool,
    /// Write a JSON object a line instead, the first one about the machine.
    #[arg(long, group = "what")]
    json: bool,
    /// Feed the recorded calls to the dispatcher's library instead, and list where BL31 did something else.
    #[arg(long, group = "what")]
    check: bool,
    /// Write a page with the sequence diagram, to be opened in a browser, instead.
    #[arg(long, group = "what", value_name = "OUT")]
    html: Option<PathBuf>,
    /// Write the first steps as a Mermaid diagram instead, for a bug report.
    #[arg(long, group = "what")]
    mermaid: bool,
    /// With --check and --errors: the SPMC manifest (.dts or .dtb), where the trace does not have it.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// Shows a trace.
///
/// # Errors
/// The file is no trace, or the output cannot be written.
pub fn run(args: &TraceArgs) -> Result<bool> {
    let (file, trace) = match (&args.console, &args.file) {
        (Some(log), _) => return console(log),
        (None, Some(file)) => (file, Trace::open(file)?),
        (None, None) => bail!("give a trace, or a console log by --console"),
    };
    if args.check {
        return check(&trace, args);
    }
    let flow = Flow::of(&trace);
    let reasons = if args.filter.errors || args.html.is_some() {
        Replay::of(&trace, args.manifest.as_deref()).map(|replay| replay.reasons)
    } else {
        Ok(HashMap::new())
    };
    let reasons = reasons.unwrap_or_else(|why| {
        ui::say(format!("without reasons: {why:#}"));
        HashMap::new()
    });
    let reason = |event| reasons.get(&event).cloned();
    if let Some(to) = &args.html {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let page = html::page(&trace, &flow, &args.filter, &name, reason);
        std::fs::write(to, page).with_context(|| format!("cannot write {}", to.display()))?;
        ui::say(format!("open {} in a browser", to.display()));
        say_how_it_ends(&trace);
        return Ok(true);
    }
    let out = &mut BufWriter::new(io::stdout().lock());
    let written = if args.stats {
        write!(out, "{}", Stats::of(&trace, &flow, &args.filter))
    } else if args.mermaid {
        let (diagram, left) = mermaid::diagram(&trace, &flow, &args.filter);
        if left > 0 {
            ui::say(format!(
                "{left} further steps were left out: --core, --call and so on choose some"
            ));
        }
        write!(out, "{diagram}")
    } else if args.json {
        json::write(out, &trace, &flow, &args.filter, reason)
    } else {
        lines::print(out, &trace, &flow, &args.filter, reason)
    };
    match written.and_then(|()| out.flush()) {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
        other => other.context("cannot write the trace")?,
    }
    say_how_it_ends(&trace);
    Ok(true)
}

/// Shows what the reports in a console log have of the black box.
fn console(log: &Path) -> Result<bool> {
    let bytes = std::fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let Some(words) = black_box::in_words(&String::from_utf8_lossy(&bytes)) else {
        bail!(
            "{} has no line `[janus] core N …` of a crash report, or of the SPMC's death",
            log.display()
        );
    };
    print!("{words}");
    Ok(true)
}

/// Lists the differences between the recorded BL31 and the dispatcher's library; `false`: there are some.
fn check(trace: &Trace, args: &TraceArgs) -> Result<bool> {
    let replay = Replay::of(trace, args.manifest.as_deref())?;
    for assumed in &replay.assumed {
        ui::say(assumed);
    }
    say_how_it_ends(trace);
    let findings = &replay.findings;
    print!("{findings}");
    ui::say(format!(
        "{} exits compared with the dispatcher's library, {} kinds of difference",
        findings.compared,
        findings.len()
    ));
    Ok(findings.is_empty())
}

/// The page of a trace made up for tests, with so many events.
///
/// # Errors
/// None.
pub fn example_page(events: usize) -> Result<String> {
    let trace = Trace::of(Header::default(), example::events(events));
    let flow = Flow::of(&trace);
    let reason = |event| (event % 7 == 0).then(|| "a rule".to_owned());
    Ok(html::page(
        &trace,
        &flow,
        &Filter::default(),
        "example",
        reason,
    ))
}

/// The bytes of such a trace.
pub fn example_file(events: usize) -> Vec<u8> {
    let mut bytes = Header::default().to_bytes();
    for event in example::events(events) {
        Record::Event(event).write(&mut bytes);
    }
    Record::End(events as u64).write(&mut bytes);
    bytes
}

/// The lines of a trace, as they are printed.
///
/// # Errors
/// As [`run`].
pub fn text(file: &Path) -> Result<Vec<String>> {
    let trace = Trace::open(file)?;
    let mut out = Vec::new();
    lines::print(
        &mut out,
        &trace,
        &Flow::of(&trace),
        &Filter::default(),
        |_| None,
    )?;
    Ok(String::from_utf8_lossy(&out)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// The records of black boxes in a console log, in words; `None`: it has none.
pub fn console_words(log: &str) -> Option<String> {
    black_box::in_words(log)
}

/// Where the recorded BL31 differs from the dispatcher's library, in words; empty if it does not.
///
/// # Errors
/// As [`run`].
pub fn differences(file: &Path) -> Result<Vec<String>> {
    let replay = Replay::of(&Trace::open(file)?, None)?;
    Ok(replay
        .findings
        .kinds()
        .map(|(kind, _)| kind.to_owned())
        .collect())
}

/// How many lines a trace makes, and how the file ends.
///
/// # Errors
/// As [`run`].
pub fn count_lines(file: &Path) -> Result<(usize, String)> {
    let trace = Trace::open(file)?;
    let mut out = Lines(0);
    lines::print(
        &mut out,
        &trace,
        &Flow::of(&trace),
        &Filter::default(),
        |_| None,
    )?;
    Ok((out.0, trace.ending.to_string()))
}

/// Counts the lines that are written to it.
struct Lines(usize);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.iter().filter(|byte| **byte == b'\n').count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn say_how_it_ends(trace: &Trace) {
    if trace.ending != Ending::Complete {
        let (ending, events) = (trace.ending, trace.len());
        ui::say(format!("the trace {ending}; {events} events were read"));
    }
}
