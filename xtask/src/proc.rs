//! Runs other programs: their output goes to a log, whose last lines are shown when they fail.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of a log that an error shows.
const TAIL: usize = 25;

/// Runs a command with its output in `log`.
///
/// # Errors
/// The program is missing, or its exit status is not 0: the message has the command, the log's
/// path and its last lines.
pub fn logged(command: &mut Command, log: &Path) -> Result<()> {
    let name = shown(command);
    if let Some(dir) = log.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let err = out.try_clone()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!(
            "`{name}` failed ({status}).\nlog: {}\n{}",
            log.display(),
            tail(log)
        );
    }
    Ok(())
}

/// Runs a command as [`logged`] does, and passes each line of its standard output to `seen`.
///
/// # Errors
/// As [`logged`].
pub fn logged_with(command: &mut Command, log: &Path, seen: impl Fn(&str)) -> Result<()> {
    let name = shown(command);
    if let Some(dir) = log.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(out.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    let lines = child.stdout.take().context("its output is a pipe")?;
    for line in BufReader::new(lines).lines() {
        let line = line?;
        writeln!(out, "{line}")?;
        seen(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "`{name}` failed ({status}).\nlog: {}\n{}",
            log.display(),
            tail(log)
        );
    }
    Ok(())
}

/// Runs a command and returns its standard output as text.
///
/// # Errors
/// The program is missing or fails: the message has the command and what it wrote to standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let name = shown(command);
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{name}`"))?;
    if !out.status.success() {
        bail!(
            "`{name}` failed ({}).\n{}",
            out.status,
            String::from_utf8_lossy(&out.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The last lines of a log, indented.
pub fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    tail_of(&String::from_utf8_lossy(&bytes), TAIL)
}

/// The last `lines` lines of a text, indented.
pub fn tail_of(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|l| format!("    | {l}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether a program is on the search path.
pub fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// The command line as a person would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
