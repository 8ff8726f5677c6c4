//! The tests that run on the host, by cargo.

use super::{Context, Tally};
use crate::{paths, proc, ui};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// The runs of cargo: a name for the person, and the arguments.
const RUNS: [(&str, &[&str]); 4] = [
    ("tests on the host", &["test", "--no-fail-fast"]),
    (
        "tests of the image's pure parts",
        &[
            "test",
            "--no-fail-fast",
            "-p",
            "janus-bl31",
            "--lib",
            "--features",
            "qemu",
        ],
    ),
    (
        "tests of the platforms",
        &["test", "--no-fail-fast", "-p", "janus-plat"],
    ),
    // Millions of interleavings: a minute, and only with optimisation.
    (
        "PSCI's races, all interleavings",
        &[
            "test",
            "--no-fail-fast",
            "--release",
            "-p",
            "janus-psci",
            "--features",
            "loom",
            "--test",
            "races",
        ],
    ),
];

/// Runs `cargo test` and adds up its results.
///
/// # Errors
/// Cargo cannot be started.
pub fn run(context: &Context) -> Result<Tally> {
    let mut tally = Tally::default();
    for (i, (name, arguments)) in RUNS.iter().enumerate() {
        let log = paths::out().join(format!("log/host-{i}.log"));
        tally.add(run_cargo(context, name, arguments, &log)?);
    }
    Ok(tally)
}

fn run_cargo(context: &Context, name: &str, arguments: &[&str], log: &Path) -> Result<Tally> {
    let step = ui::step(name);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root()).args(arguments);
    if !context.filter.is_empty() {
        // A host test's name is a path of modules: the filter `spmd/direct` becomes `spmd::direct`.
        cargo.args(["--", &context.filter.replace('/', "::")]);
    }
    let outcome = proc::logged(&mut cargo, log);
    let text = std::fs::read_to_string(log)?;
    let mut tally = Tally::default();
    for line in text.lines() {
        tally.add(result_line(line));
    }
    match outcome {
        Ok(()) => step.done_with(&tally.to_string()),
        Err(error) => {
            drop(step);
            // A crate that does not build has no result line.
            tally.failed = tally.failed.max(1);
            for line in text
                .lines()
                .filter(|l| l.starts_with("test ") && l.ends_with("FAILED"))
            {
                eprintln!("FAIL  {line}");
            }
            eprintln!("FAIL  {name}: {error:#}");
        }
    }
    Ok(tally)
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn result_line(line: &str) -> Tally {
    let Some(rest) = line.strip_prefix("test result: ") else {
        return Tally::default();
    };
    let number = |what: &str| {
        rest.split([';', '.'])
            .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
            .unwrap_or(0)
    };
    Tally {
        passed: number("passed"),
        failed: number("failed"),
        skipped: number("ignored"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_results() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        assert_eq!(
            result_line(line),
            Tally {
                passed: 12,
                failed: 3,
                skipped: 1
            }
        );
        assert_eq!(result_line("running 3 tests"), Tally::default());
    }
}
