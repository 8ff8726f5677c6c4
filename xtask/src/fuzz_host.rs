//! `cargo xtask fuzz --target`: the coverage-guided targets of tests/fuzz, on the host.
//!
//! libFuzzer comes with the crate `libfuzzer-sys`. All that `cargo fuzz` adds is the compiler's flags, and without a
//! sanitizer a stable compiler takes them too; so they are here.

use crate::testing::Tally;
use crate::{packages, paths, proc, ui};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The targets. Each has a program in tests/fuzz/src/bin and a directory in tests/fuzz/corpus.
pub const TARGETS: [&str; 4] = ["manifest", "parameters", "transfer-list", "dispatcher"];

/// The flags that instrument the code for libFuzzer.
const FLAGS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The longest input in bytes: a page, the size of a manifest.
const LONGEST: u32 = 4096;

/// Runs the targets whose name contains `filter`, each for `seconds`, beginning with the inputs of tests/fuzz/corpus
/// and of earlier runs. With a seed the inputs depend on it and on those alone.
///
/// # Errors
/// They do not build.
pub fn run(filter: &str, seconds: u64, seed: Option<u64>) -> Result<Tally> {
    let mut tally = Tally::default();
    let targets: Vec<_> = TARGETS.iter().filter(|t| t.contains(filter)).collect();
    if targets.is_empty() {
        return Ok(tally);
    }
    let programs = build()?;
    // Each is one thread.
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    for targets in targets.chunks(at_once) {
        let results: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> = targets
                .iter()
                .map(|target| {
                    let program = programs.join(target);
                    scope.spawn(move || one(&program, target, seconds, seed))
                })
                .collect();
            runs.into_iter().map(|run| run.join()).collect()
        });
        for (target, result) in targets.iter().zip(results) {
            let result = result.unwrap_or_else(|_| bail!("xtask's own thread panicked"));
            tally.case(&format!("fuzz/{target}"), result);
        }
    }
    Ok(tally)
}

/// Builds all targets; returns the directory of the programs.
fn build() -> Result<PathBuf> {
    packages::ensure(&["g++"], "to build libFuzzer")?;
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(paths::root()).arg("-vV");
    let said = proc::output(&mut rustc)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say which host this is")?;
    let step = ui::step("janus-fuzz: targets of the coverage-guided fuzzer");
    let flags = FLAGS.map(|flag| format!("'{flag}'")).join(",");
    let target_dir = paths::target().join("fuzz");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(paths::root())
        .args(["build", "--package", "janus-fuzz", "--profile", "fuzz"])
        // With an explicit target the flags do not apply to build scripts.
        .args(["--target", host, "--config"])
        .arg(format!("target.{host}.rustflags=[{flags}]"))
        .arg("--target-dir")
        .arg(&target_dir);
    proc::logged(&mut cargo, &paths::out().join("log/cargo-janus-fuzz.log"))?;
    step.done();
    Ok(target_dir.join(host).join("fuzz"))
}

fn one(program: &std::path::Path, target: &str, seconds: u64, seed: Option<u64>) -> Result<()> {
    let step = ui::step(format!("fuzz/{target}"));
    let found = paths::out().join("fuzz").join(target);
    std::fs::create_dir_all(&found)?;
    let mut command = Command::new(program);
    command
        .arg(&found)
        .arg(paths::root().join("tests/fuzz/corpus").join(target))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-artifact_prefix={}/bad-", found.display()))
        .arg("-print_final_stats=1");
    if let Some(seed) = seed {
        command.arg(format!("-seed={}", seed & 0xffff_ffff));
    }
    let log = paths::out().join(format!("log/fuzz-{target}.log"));
    if let Err(error) = proc::logged(&mut command, &log) {
        bail!(
            "{error:#}\nthe input is in {}; `{} FILE` runs it again",
            found.display(),
            program.display()
        );
    }
    let said = std::fs::read_to_string(&log)?;
    let runs = said
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("Done "));
    step.done_with(runs.unwrap_or("no count"));
    Ok(())
}
