//! `cargo xtask test`: runs the tests on the host, on QEMU with the test payloads, and with real software.
//!
//! Each part adds to one [`Tally`]. A failed test is printed at once, with the reason, the path of its log and the last
//! lines of it. The last line of all is the count.

mod bad_input;
mod black_box;
pub mod boots;
mod crash;
mod detour;
mod drop_in;
mod fvp_machine;
mod hand_over;
mod host;
mod model;
mod own_partitions;
pub mod payload;
mod rebuild;
mod stacks;
mod trace;
mod trace_examples;
mod verdicts;

use crate::cli::{BuildArgs, Plat, Runtime};
use crate::{fuzz, room, ui};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// What to test.
#[derive(Args, Clone, Default)]
pub struct TestArgs {
    /// A part (host, qemu, stacks, trace, fuzz) and a filter on the names of cases (`poison`, `boot/no-bl32`);
    /// both may be left out.
    #[arg(value_name = "PART|FILTER", num_args = 0..=2)]
    what: Vec<String>,
    /// The platform; by default, all.
    #[arg(long, value_enum)]
    plat: Option<Plat>,
    /// Optimised for size (the default).
    #[arg(long, conflicts_with = "debug")]
    release: bool,
    /// Build the image with debug assertions and debug messages.
    #[arg(long)]
    debug: bool,
    /// Whose BL31 is tested on QEMU.
    #[arg(long, value_enum, default_value_t, value_name = "WHOSE")]
    bl31: Runtime,
    /// The qemu-system-aarch64 to use.
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
    /// Only the QEMU boots whose name contains this.
    #[arg(long, value_name = "NAME")]
    boot: Option<String>,
    /// Repeat the rounds of long cases this many times.
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: u32,
    /// Run every stack, xtest's whole suite and the slow boots, which takes half an hour.
    #[arg(long)]
    full: bool,
    /// Test Janus' image with landing pads, as with `run --hardened`.
    #[arg(long)]
    hardened: bool,
    /// Fail if a stack's software is not available today; by default it is skipped, unless asked for by name.
    #[arg(long)]
    strict: bool,
    /// With `stacks`: run each on the C BL31 too, and print both results.
    #[arg(long)]
    compare: bool,
}

/// A part of the tests that can be asked for by name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suite {
    Host,
    Qemu,
    Stacks,
    Trace,
    Fuzz,
}

/// What the tests need to know.
pub struct Context {
    /// The command line's options.
    pub args: TestArgs,
    /// A part of the names of the cases to run; empty for all.
    pub filter: String,
}

impl TestArgs {
    /// The usual tests, for an image with these build options.
    pub fn of(build: &BuildArgs) -> Self {
        TestArgs {
            plat: Some(build.plat),
            debug: build.debug,
            bl31: build.bl31,
            hardened: build.hardened,
            rounds: 1,
            ..TestArgs::default()
        }
    }
}

impl Context {
    /// How many rounds long cases run.
    pub fn rounds(&self) -> u32 {
        self.args.rounds
    }

    /// Returns whether the case with this name is asked for.
    pub fn wants(&self, case: &str) -> bool {
        case.contains(&self.filter)
    }

    /// The options with which the BL31 under test is built.
    pub fn build(&self) -> BuildArgs {
        BuildArgs {
            plat: self.args.plat.unwrap_or_default(),
            debug: self.args.debug,
            bl31: self.args.bl31,
            hardened: self.args.hardened,
            ..BuildArgs::default()
        }
    }
}

/// The counts of passed, failed and skipped tests.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Skipped.
    pub skipped: u32,
}

impl Tally {
    /// Adds another count.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts a case that xtask itself drives, and prints its result.
    pub fn case(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.failed += 1;
                eprintln!("FAIL  {name}: {error:#}");
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// Runs what was asked for; returns `false` if something failed.
///
/// # Errors
/// The tests could not be run at all, or the filter names nothing.
pub fn run(args: &TestArgs) -> Result<bool> {
    let (parts, filter) = parse(&args.what)?;
    let context = Context {
        args: args.clone(),
        filter,
    };
    if parts.len() > 1
        && let Some(warning) = room::warning()
    {
        ui::say(warning);
    }
    let mut tally = Tally::default();
    if parts.contains(&Suite::Host) {
        tally.add(host::run(&context)?);
    }
    if parts.contains(&Suite::Qemu) {
        tally.add(rebuild::run(&context));
        tally.add(boots::run(&context)?);
    }
    if parts.contains(&Suite::Trace) {
        tally.add(trace::run(&context));
    }
    if parts.contains(&Suite::Fuzz) && context.args.boot.is_none() {
        tally.add(fuzz::test(&context)?);
    }
    if parts.contains(&Suite::Stacks) {
        let all = parts.len() == 1 || !context.filter.is_empty() || args.full;
        tally.add(stacks::run(&context, all)?);
    }
    println!("{tally}");
    if tally.passed + tally.failed + tally.skipped == 0 {
        bail!("no case has `{}` in its name", context.filter);
    }
    Ok(tally.failed == 0)
}

/// Reads parts and filter from the free words.
fn parse(words: &[String]) -> Result<(Vec<Suite>, String)> {
    let all = vec![
        Suite::Host,
        Suite::Qemu,
        Suite::Trace,
        Suite::Fuzz,
        Suite::Stacks,
    ];
    let part = words.first().and_then(|w| match w.as_str() {
        "host" => Some(Suite::Host),
        "qemu" => Some(Suite::Qemu),
        "stacks" => Some(Suite::Stacks),
        "trace" => Some(Suite::Trace),
        "fuzz" => Some(Suite::Fuzz),
        _ => None,
    });
    match (part, words) {
        (None, []) => Ok((all, String::new())),
        (None, [filter]) => Ok((all, filter.clone())),
        (Some(part), [_]) => Ok((vec![part], String::new())),
        (Some(part), [_, filter]) => Ok((vec![part], filter.clone())),
        _ => bail!("`test` takes a part (host, qemu, stacks, trace, fuzz) and then a filter"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let parse = |w: &[&str]| parse(&w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(parse(&[]).unwrap().0.len(), 5);
        assert!(parse(&["qemu", "poison"]).unwrap() == (vec![Suite::Qemu], "poison".to_owned()));
        assert!(parse(&["poison"]).unwrap().1 == "poison");
        assert!(parse(&["poison", "qemu"]).is_err());
    }
}
