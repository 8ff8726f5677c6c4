//! `cargo xtask interop`: public software on Janus and on the C BL31, written as a table into docs/interop.md.

use crate::cli::{BuildArgs, FipArgs, RunArgs, Runtime};
use crate::qemu::Qemu;
use crate::stacks::{Mode, Stack};
use crate::{apt, paths, proc, run, ui};
use anyhow::{Context, Result, ensure};
use clap::Args;
use regex::Regex;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Which rows to run.
#[derive(Args, Clone, Default)]
pub struct InteropArgs {
    /// Only the stacks whose name contains this; the other rows stay as they are.
    #[arg(default_value = "")]
    filter: String,
    /// Print the rows, and leave the document alone.
    #[arg(long)]
    print: bool,
}

/// One row of the table: which stack is run, on how many cores.
struct StackRun {
    stack: Stack,
    /// What the table calls it.
    suite: &'static str,
    /// How far it goes.
    mode: Mode,
    smp: u32,
}

/// The usual length of a test.
const TEST: Mode = Mode::Test { full: false };

const ROWS: &[StackRun] = &[
    StackRun {
        stack: Stack::OpteeLinux,
        suite: "OP-TEE and Linux: both drivers, hotplug, suspend, reboot",
        mode: TEST,
        smp: 4,
    },
    StackRun {
        stack: Stack::OpteeXtest,
        suite: "OP-TEE's xtest, regression 1001 to 1010",
        mode: TEST,
        smp: 4,
    },
    StackRun {
        stack: Stack::OpteeUboot,
        suite: "U-Boot, to its prompt",
        mode: TEST,
        smp: 4,
    },
    StackRun {
        stack: Stack::OpteePkvm,
        suite: "Linux with pKVM, its FF-A proxy",
        mode: TEST,
        smp: 4,
    },
    StackRun {
        stack: Stack::OpteeXen,
        suite: "Xen with its FF-A mediator, a second domain comes and goes",
        // It starts 20 domains one after the other, which takes an hour on a busy host.
        mode: Mode::Demo,
        smp: 4,
    },
];

const DOCUMENT: &str = "docs/interop.md";
/// The lines around the table.
const BEGIN: &str = "<!-- made by `cargo xtask interop`: do not edit -->";
const END: &str = "<!-- end -->";
const HEAD: &str = "| suite | versions | machine | Janus | C BL31 | run on | again by |\n|---|---|---|---|---|---|---|\n";

/// Runs the rows and writes the results into the document.
///
/// # Errors
/// Something cannot be built, or the document has no table. The failure of a suite is a result: it stands in the table.
pub fn run(args: &InteropArgs) -> Result<bool> {
    let document = paths::root().join(DOCUMENT);
    let mut good = true;
    let rows: Vec<&StackRun> = ROWS
        .iter()
        .filter(|row| row.stack.name().contains(&args.filter))
        .collect();
    ensure!(
        !rows.is_empty(),
        "no stack has `{}` in its name",
        args.filter
    );
    for row in rows {
        let name = row.stack.name();
        let janus = cell(row, Runtime::Janus);
        let (janus, c, versions) = match janus.as_ref().err().and_then(apt::not_available) {
            Some(why) => {
                ui::say(format!("{name}: not available: {why}"));
                if has_result(&fs::read_to_string(&document)?, row.suite) {
                    ui::say(format!("{name}: its row stays as it is"));
                    continue;
                }
                (skipped(&why.to_string()), SKIPPED.to_owned(), String::new())
            }
            None => {
                let versions = main_parts(&apt::in_use());
                let c = cell(row, Runtime::C);
                good &= janus.is_ok();
                (shown(&janus), shown(&c), versions)
            }
        };
        let qemu = Qemu::find(crate::cli::Plat::Qemu, None)?.version;
        let line = format!(
            "| {} | {versions} | QEMU {}.{} virt, max, {} cores | {janus} | {c} | {} | `cargo xtask interop {name}` |",
            row.suite,
            qemu.0,
            qemu.1,
            row.smp,
            today()?
        );
        println!("{line}");
        if !args.print {
            let text = fs::read_to_string(&document)?;
            let new = with_row(&text, &line).with_context(|| format!("{DOCUMENT}: no table"))?;
            fs::write(&document, new)?;
        }
    }
    Ok(good)
}

/// The beginning of a cell without a result.
const SKIPPED: &str = "skipped";

/// What a cell says where something cannot be had, from the reasons, one a line: which archives name it and have not
/// got it. Addresses stay out: each machine has its own.
fn skipped(why: &str) -> String {
    let mut lines = why.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let archives: Vec<String> = lines
        .filter_map(|line| line.split_once(" is in the index and cannot be fetched"))
        .map(|(what, _)| what.replace(": ", " has no "))
        .collect();
    let more = match archives.as_slice() {
        [] => String::new(),
        archives => format!(" ({}, though it is in the index)", archives.join(", ")),
    };
    format!("{SKIPPED}, not available: {first}{more}").replace('|', "/")
}

/// Whether the document has a result of this suite.
fn has_result(text: &str, suite: &str) -> bool {
    text.lines().any(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        cells.get(1) == Some(&suite) && cells.get(4).is_some_and(|cell| !cell.starts_with(SKIPPED))
    })
}

/// Runs a row on one BL31 and returns what it counted.
fn cell(row: &StackRun, bl31: Runtime) -> Result<String> {
    let args = RunArgs {
        fip: FipArgs {
            build: BuildArgs {
                bl31,
                ..BuildArgs::default()
            },
            stack: row.stack,
            ..FipArgs::default()
        },
        smp: row.smp,
        cpu: "max".into(),
        ..RunArgs::default()
    };
    let log = paths::out().join(format!("log/run-{}-{}.log", row.stack.name(), bl31.name()));
    run::check(&args, row.mode, false)?;
    counted(&log)
}

fn counted(log: &Path) -> Result<String> {
    let bytes = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    counts(&String::from_utf8_lossy(&bytes))
}

/// Reads what a suite has counted from its console.
fn counts(console: &str) -> Result<String> {
    let xtest = Regex::new(r"(\d+) test cases? of which (\d+) failed")?;
    let passed = console.lines().filter(|l| l.contains("@ok ")).count();
    let mut text = match passed {
        0 => "passed".to_owned(),
        1 => "1 check passed".to_owned(),
        n => format!("{n} checks passed"),
    };
    if let Some(last) = xtest.captures_iter(console).last() {
        text += &format!("; xtest: {} cases, {} failed", &last[1], &last[2]);
    }
    Ok(text)
}

/// The text of a cell: the count, or why there is none.
fn shown(result: &Result<String>) -> String {
    match result {
        Ok(text) => text.clone(),
        Err(error) => {
            let text = format!("{error:#}");
            let first = text.lines().next().unwrap_or_default();
            format!("fails: {}", first.replace('|', "/"))
        }
    }
}

/// Shortens `name version, …` to the programs, without the libraries that they need.
fn main_parts(versions: &str) -> String {
    let small = ["lib", "zlib", "busybox", "linux-modules"];
    let parts = versions
        .split(", ")
        .filter(|part| !small.iter().any(|name| part.starts_with(name)));
    parts.collect::<Vec<_>>().join(", ")
}

fn today() -> Result<String> {
    Ok(
        proc::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?
            .trim()
            .to_owned(),
    )
}

/// Returns the document with this row, which replaces the row of the same suite. The rows have the order of [`ROWS`].
/// `None`: the document has no place for a table.
fn with_row(text: &str, line: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    let suite = |line: &str| line.split('|').nth(1).map(|cell| cell.trim().to_owned());
    let mut lines: Vec<&str> = table
        .lines()
        .filter(|l| l.starts_with("| ") && !HEAD.contains(l) && suite(l) != suite(line))
        .collect();
    lines.push(line);
    lines.sort_by_key(|l| {
        ROWS.iter()
            .position(|row| Some(row.suite.to_owned()) == suite(l))
    });
    let rows = lines.join("\n");
    Some(format!("{before}{BEGIN}\n{HEAD}{rows}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_the_place_of_its_former_self() {
        let empty = format!("text\n{BEGIN}\n{END}\nmore\n");
        let xtest = format!("| {} | 1 |", ROWS[1].suite);
        let linux = format!("| {} | 2 |", ROWS[0].suite);
        let again = format!("| {} | 3 |", ROWS[1].suite);
        let one = with_row(&empty, &xtest).expect("a place");
        let two = with_row(&one, &linux).expect("a place");
        let three = with_row(&two, &again).expect("a place");
        assert_eq!(
            three,
            format!("text\n{BEGIN}\n{HEAD}{linux}\n{again}\n{END}\nmore\n")
        );
        assert_eq!(with_row("no table", &xtest), None);
    }

    #[test]
    fn what_cannot_be_had_is_a_row_until_it_can() {
        let why = "xen cannot be had today\n    trixie: xen 4.20 is in the index and cannot be fetched: E: 404 http://host/\n    \
                   sid: no xen 4.20 in its index\n";
        let cell = skipped(why);
        assert_eq!(
            cell,
            "skipped, not available: xen cannot be had today (trixie has no xen 4.20, though it is in the index)"
        );
        let row = |result: &str| format!("| Xen | | QEMU | {result} | skipped | |\n");
        assert!(!has_result("| U-Boot | | QEMU | passed | |\n", "Xen"));
        assert!(!has_result(&row(&cell), "Xen"));
        assert!(has_result(&row("passed"), "Xen"));
    }

    #[test]
    fn libraries_are_left_out() {
        let all = "arm-trusted-firmware 2.12.1, libc6 2.43-7, optee-os 4.10.0-2, zlib1g 1_1.3";
        assert_eq!(
            main_parts(all),
            "arm-trusted-firmware 2.12.1, optee-os 4.10.0-2"
        );
    }

    #[test]
    fn what_suites_count() {
        let counts = |text| counts(text).expect("counted");
        assert_eq!(counts("U-Boot\n=> \n"), "passed");
        assert_eq!(counts("@ok linux/a\r\n@ok linux/b\r\n"), "2 checks passed");
        let xtest = "31 subtests of which 0 failed\n10 test cases of which 0 failed\n@ok xtest/regression\n";
        assert_eq!(counts(xtest), "1 check passed; xtest: 10 cases, 0 failed");
    }

    #[test]
    fn the_document_has_the_table() {
        let text = fs::read_to_string(paths::root().join(DOCUMENT)).expect("a document");
        assert!(with_row(&text, "| a | b |").is_some());
    }
}
