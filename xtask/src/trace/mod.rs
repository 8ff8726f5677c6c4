//! `cargo xtask trace`: what EL3 was asked for and answered, in words.
//!
//! [`record`] has a machine write a trace, [`file`] and [`tarmac`] read one, [`flow`] makes calls of its
//! entries and exits, [`decode`] and [`show`] put them into words. What is printed is [`lines`].

mod decode;
mod file;
mod filter;
mod flow;
mod lines;
pub mod record;
mod show;
mod tarmac;

use crate::ui;
use anyhow::{Context, Result};
use clap::Args;
use file::Trace;
use filter::Filter;
use flow::Flow;
use janus_trace_format::Ending;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// What is shown.
#[derive(Args)]
pub struct TraceArgs {
    /// The trace: of `cargo xtask run --trace`, or a Tarmac trace.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    filter: Filter,
}

/// Shows a trace.
///
/// # Errors
/// The file is no trace, or the output cannot be written.
pub fn run(args: &TraceArgs) -> Result<bool> {
    let trace = Trace::open(&args.file)?;
    let flow = Flow::of(&trace);
    let mut out = BufWriter::new(io::stdout().lock());
    let printed =
        lines::print(&mut out, &trace, &flow, &args.filter, |_| None).and_then(|()| out.flush());
    match printed {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
        other => other.context("cannot write the trace")?,
    }
    drop(out);
    if trace.ending != Ending::Complete {
        ui::say(format!(
            "the trace {}; {} events were read",
            trace.ending,
            trace.len()
        ));
    }
    Ok(true)
}
