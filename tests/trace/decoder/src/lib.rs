//! Reads a trace of EL3 and puts it into words: what `cargo xtask trace` shows.
//!
//! [`mod@file`] and [`tarmac`] read a trace, [`flow`] makes calls of its entries and exits, [`decode`] and [`show`]
//! put them into words, and [`replay`] holds them against the dispatcher's library. What comes out is [`lines`],
//! [`stats`], [`json`], [`html`] or [`mermaid`]. [`black_box`] reads what a report on the console keeps of this.
//!
//! A crate of its own, because it goes through millions of events and so is built with optimisation, which the
//! rest of xtask can do without.

pub mod black_box;
pub mod decode;
pub mod example;
pub mod file;
pub mod filter;
pub mod flow;
pub mod html;
pub mod json;
pub mod lines;
pub mod mermaid;
pub mod replay;
pub mod show;
pub mod stats;
pub mod tarmac;

use anyhow::Result;
use file::Trace;
use filter::Filter;
use flow::Flow;
use replay::Replay;
use std::io::{self, Write};
use std::path::Path;

/// The lines of a trace, as they are printed.
///
/// # Errors
/// The file is no trace.
pub fn text(file: &Path) -> Result<Vec<String>> {
    let mut out = Vec::new();
    print_all(&Trace::open(file)?, &mut out)?;
    Ok(String::from_utf8_lossy(&out)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// Where the recorded BL31 differs from the dispatcher's library, in words; empty if it does not.
///
/// # Errors
/// As [`text`].
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
/// As [`text`].
pub fn count_lines(file: &Path) -> Result<(usize, String)> {
    let trace = Trace::open(file)?;
    let mut out = Lines(0);
    print_all(&trace, &mut out)?;
    Ok((out.0, trace.ending.to_string()))
}

/// Writes the lines of all steps.
fn print_all(trace: &Trace, out: &mut impl Write) -> io::Result<()> {
    lines::print(out, trace, &Flow::of(trace), &Filter::default(), |_| None)
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
