//! Runs the test payloads and reads their results.
//!
//! On UART0, each on a line of its own: `@case NAME`, then `@ok NAME`, `@fail NAME: why` or
//! `@skip NAME: why`; at the end `@done P passed, F failed, S skipped`, then power off.

use super::Tally;
use crate::console::{self, Limits, Running, Uart};
use crate::qemu::{Machine, Qemu};
use crate::verdict::{Rules, Watch};
use crate::{paths, ui};
use anyhow::{Result, bail, ensure};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A machine that is silent for this long hangs, even on a busy host.
const LIMITS: Limits = Limits::secs(180, 1800);
/// A case that takes so long hangs, also where its machine goes on speaking.
const CASE: Duration = Duration::from_secs(360);

/// The results of a boot's cases.
#[derive(Default, Debug)]
pub struct CaseResults {
    /// The counts.
    pub tally: Tally,
    /// Names of the cases that passed.
    pub passed: Vec<String>,
    /// The cases that failed: names and reasons.
    pub failed: Vec<(String, String)>,
    /// The cases that were skipped: names and reasons.
    pub skipped: Vec<(String, String)>,
    /// The case that began and did not end.
    pub open: Option<String>,
    /// Whether the payload said that it is done.
    pub done: bool,
}

impl CaseResults {
    /// Reads a line of UART0.
    fn line(&mut self, line: &str) {
        let reason = |rest: &str| match rest.split_once(": ") {
            Some((name, why)) => (name.to_owned(), why.to_owned()),
            None => (rest.to_owned(), "no reason given".to_owned()),
        };
        if let Some(name) = line.strip_prefix("@case ") {
            self.open = Some(name.trim().to_owned());
        } else if let Some(name) = line.strip_prefix("@ok ") {
            self.tally.passed += 1;
            self.passed.push(name.trim().to_owned());
            self.open = None;
        } else if let Some(rest) = line.strip_prefix("@fail ") {
            self.tally.failed += 1;
            self.failed.push(reason(rest));
            self.open = None;
        } else if let Some(rest) = line.strip_prefix("@skip ") {
            self.tally.skipped += 1;
            self.skipped.push(reason(rest));
            self.open = None;
        } else if line.starts_with("@done ") {
            self.done = true;
        }
    }
}

/// Where the consoles of the boot `name` are written down.
pub fn log(name: &str) -> PathBuf {
    let file = format!("qemu-{}.log", name.replace([' ', ',', '/'], "_"));
    paths::out().join("log").join(file)
}

/// Boots a machine; prints its failures, and one line for the boot.
///
/// # Errors
/// QEMU does not start. A hang is a failed case, not an error.
pub fn run(name: &str, qemu: &Qemu, machine: &Machine) -> Result<CaseResults> {
    run_within(name, qemu, machine, LIMITS)
}

/// Boots a machine as [`run`] does, with other limits.
///
/// # Errors
/// See [`run`].
pub fn run_within(
    name: &str,
    qemu: &Qemu,
    machine: &Machine,
    limits: Limits,
) -> Result<CaseResults> {
    let step = ui::step(name);
    let log = log(name);
    let mut running = console::start(qemu, machine, &log, false, limits)?;
    let mut report = CaseResults::default();
    let end = follow(&mut running, &mut report, |case| step.note(case));
    let unfinished = match (&end, report.done) {
        (Ok(()), true) => None,
        (Ok(()), false) => Some("the machine stopped before the payload was done".to_owned()),
        (Err(error), _) => Some(format!("{error:#}")),
    };
    if let Some(why) = unfinished {
        let case = report
            .open
            .take()
            .unwrap_or_else(|| "outside of a case".to_owned());
        let why = format!("{why}\nlog: {}\n{}", log.display(), running.last_lines());
        report.tally.failed += 1;
        report.failed.push((case, why));
    }
    if report.failed.is_empty() {
        step.done_with(&report.tally.to_string());
    } else {
        drop(step);
        for (case, why) in &report.failed {
            eprintln!("FAIL  {case} ({name}): {why}");
        }
        eprintln!("FAIL  {name}: {} (log: {})", report.tally, log.display());
    }
    Ok(report)
}

/// Reads the console to its end, or to a line that ends a `run` at once.
fn follow(running: &mut Running, report: &mut CaseResults, progress: impl Fn(&str)) -> Result<()> {
    let none = Rules::default();
    let mut stops = Watch::new(&none)?.stopper();
    let mut last = Instant::now();
    while let Some((uart, line)) = running.next_line()? {
        if stops(&line) {
            running.burst();
            bail!("the firmware stops: `{}`", line.trim());
        }
        if uart == Uart::Normal && line.starts_with('@') {
            last = Instant::now();
        }
        ensure!(
            last.elapsed() < CASE,
            "no case has ended within {} s, though the machine speaks",
            CASE.as_secs()
        );
        if uart == Uart::Normal {
            report.line(&line);
            if report
                .failed
                .last()
                .is_some_and(|(case, _)| case == "framework")
            {
                bail!("the payload itself went wrong");
            }
            if let Some(case) = &report.open {
                progress(case);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol() {
        let mut report = CaseResults::default();
        for line in [
            "NOTICE: booting",
            "@case a/b",
            "@ok a/b",
            "@case a/c",
            "@fail a/c: x0: got 1",
            "@case a/d",
            "@skip a/d: one core",
            "@case a/e",
        ] {
            report.line(line);
        }
        assert_eq!(
            report.tally,
            Tally {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
        assert_eq!(report.failed, [("a/c".to_owned(), "x0: got 1".to_owned())]);
        assert_eq!(report.open.as_deref(), Some("a/e"));
        assert!(!report.done);
        report.line("@done 1 passed, 1 failed, 1 skipped");
        assert!(report.done);
    }
}
