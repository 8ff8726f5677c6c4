//! The command line of `cargo xtask trace`.

use crate::file::Trace;
use crate::filter::Filter;
use crate::flow::Flow;
use crate::replay::Replay;
use crate::stats::Stats;
use crate::{black_box, html, json, lines, mermaid};
use anyhow::{Context, Result, bail};
use clap::Parser;
use janus_trace_format::Ending;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What to show.
#[derive(Parser)]
#[command(
    name = "janus-trace",
    bin_name = "cargo xtask trace",
    about = "Shows a trace of EL3: who called what, and what came back"
)]
pub struct Command {
    /// The trace: from `cargo xtask run --trace`, or a Tarmac trace.
    #[arg(value_name = "FILE", required_unless_present = "console")]
    file: Option<PathBuf>,
    /// Show each core's last calls instead, from a console log with a crash report or a report of the SPMC's end.
    #[arg(long, value_name = "LOG", conflicts_with_all = ["file", "what", "manifest"])]
    console: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Show the number of each call and its instructions at EL3 and in the secure world instead.
    #[arg(long, group = "what")]
    stats: bool,
    /// Write JSON instead, one object per line; the first one describes the machine.
    #[arg(long, group = "what")]
    json: bool,
    /// Feed the recorded calls to the dispatcher's library instead, and list where BL31 did something else.
    #[arg(long, group = "what")]
    check: bool,
    /// Write a page with the sequence diagram for a browser instead.
    #[arg(long, group = "what", value_name = "OUT")]
    html: Option<PathBuf>,
    /// Write the first steps as a Mermaid diagram instead, for a bug report.
    #[arg(long, group = "what")]
    mermaid: bool,
    /// With --check and --errors: the SPMC manifest (xtask compiles a .dts), if the trace does not have it.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// Shows a trace.
///
/// # Errors
/// The file is no trace, or the output cannot be written.
pub fn run(args: &Command) -> Result<bool> {
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
        replay(&trace, args).map(|replay| replay.reasons)
    } else {
        Ok(HashMap::new())
    };
    let reasons = reasons.unwrap_or_else(|why| {
        say(format!("without reasons: {why:#}"));
        HashMap::new()
    });
    let reason = |event| reasons.get(&event).cloned();
    if let Some(to) = &args.html {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let page = html::page(&trace, &flow, &args.filter, &name, reason);
        std::fs::write(to, page).with_context(|| format!("cannot write {}", to.display()))?;
        say(format!("open {} in a browser", to.display()));
        say_how_it_ends(&trace);
        return Ok(true);
    }
    let out = &mut BufWriter::new(io::stdout().lock());
    let written = if args.stats {
        write!(out, "{}", Stats::of(&trace, &flow, &args.filter))
    } else if args.mermaid {
        let (diagram, left) = mermaid::diagram(&trace, &flow, &args.filter);
        if left > 0 {
            say(format!(
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
        // The reader has seen enough, as in `| head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
        other => other.context("cannot write the trace")?,
    }
    say_how_it_ends(&trace);
    Ok(true)
}

/// Shows the black box of each report in a console log.
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

/// Lists the differences between the recorded BL31 and the dispatcher's library; returns `false` if there are any.
fn check(trace: &Trace, args: &Command) -> Result<bool> {
    let replay = replay(trace, args)?;
    for assumed in &replay.assumed {
        say(assumed);
    }
    say_how_it_ends(trace);
    let findings = &replay.findings;
    print!("{findings}");
    say(format!(
        "{} exits compared with the dispatcher's library, {} kinds of difference",
        findings.compared,
        findings.len()
    ));
    Ok(findings.is_empty())
}

/// Feeds the trace to the dispatcher's library; the manifest is the named one, if any.
fn replay(trace: &Trace, args: &Command) -> Result<Replay> {
    let Some(manifest) = &args.manifest else {
        return Replay::of(trace, None);
    };
    let bytes =
        std::fs::read(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    Replay::of(trace, Some(&bytes))
}

fn say_how_it_ends(trace: &Trace) {
    if trace.ending != Ending::Complete {
        let (ending, events) = (trace.ending, trace.len());
        say(format!("the trace {ending}; {events} events were read"));
    }
}

/// Prints a remark to standard error, which keeps it apart from the trace.
fn say(text: impl AsRef<str>) {
    eprintln!("  --  {}", text.as_ref());
}
