//! `cargo xtask trace`: shows the calls to EL3 and their answers, in words.
//!
//! [`record`] makes a machine write a trace. The program `janus-trace` reads and shows it; it is built when it is needed.

pub mod record;

use crate::{fip, toolchain};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

/// What to show: for the program, which has `--help` too.
#[derive(Args)]
pub struct TraceArgs {
    /// The trace and the options; `--help` lists them.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FILE OPTIONS"
    )]
    all: Vec<OsString>,
}

/// Shows a trace; returns `false` if something was found that should not be there.
///
/// # Errors
/// The program cannot be built or started.
pub fn run(args: &TraceArgs) -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let mut program = Command::new(toolchain::program("janus-trace")?);
    program.args(with_blobs(&args.all, dir.path())?);
    let status = program.status().context("cannot start janus-trace")?;
    Ok(status.success())
}

/// The arguments, with a manifest's source compiled to a file in `dir`.
fn with_blobs(all: &[OsString], dir: &Path) -> Result<Vec<OsString>> {
    let mut args = Vec::new();
    let mut is_manifest = false;
    for arg in all {
        let joined = arg.to_str().and_then(|a| a.strip_prefix("--manifest="));
        let file = if is_manifest {
            Some(Path::new(arg))
        } else {
            joined.map(Path::new)
        };
        is_manifest = arg == "--manifest";
        match file {
            Some(file) => {
                let blob = fip::device_tree(file, dir)?;
                if joined.is_some() {
                    args.push("--manifest".into());
                }
                args.push(blob.into());
            }
            None => args.push(arg.clone()),
        }
    }
    Ok(args)
}

/// The lines that the program prints for `args`, and its remarks. It may find something.
///
/// # Errors
/// The program cannot be built, or cannot read what it is given.
pub fn lines(args: &[&str], file: &Path) -> Result<(Vec<String>, String)> {
    let mut program = Command::new(toolchain::program("janus-trace")?);
    let output = program.args(args).arg(file).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.context("cannot start janus-trace")?;
    let remarks = String::from_utf8_lossy(&stderr).into_owned();
    ensure!(
        matches!(status.code(), Some(0 | 1)),
        "janus-trace: {status}\n{remarks}"
    );
    let lines = String::from_utf8_lossy(&stdout);
    Ok((lines.lines().map(str::to_owned).collect(), remarks))
}

/// Where the recorded BL31 differs from the dispatcher's library, in words; empty if it does not.
///
/// # Errors
/// As [`lines`].
pub fn differences(file: &Path) -> Result<Vec<String>> {
    let (mut kinds, remarks) = lines(&["--check"], file)?;
    if !remarks.contains(" exits compared ") {
        bail!("{}: nothing was compared\n{remarks}", file.display());
    }
    // The example below each kind is indented.
    kinds.retain(|line| !line.starts_with(' '));
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifests_source_is_compiled() {
        let dir = tempfile::tempdir().expect("a directory");
        let source = dir.path().join("m.dts");
        std::fs::write(&source, "/dts-v1/; / { };").expect("written");
        let source = source.to_str().expect("a name");
        let blob = dir.path().join("m.dtb").into_os_string();
        let with = |words: &[&str]| {
            let all: Vec<OsString> = words.iter().map(OsString::from).collect();
            with_blobs(&all, dir.path()).expect("compiled")
        };
        let wanted: [OsString; 4] = [
            "t".into(),
            "--manifest".into(),
            blob.clone(),
            "--check".into(),
        ];
        assert_eq!(with(&["t", "--manifest", source, "--check"]), wanted);
        let joined = format!("--manifest={source}");
        assert_eq!(with(&["t", &joined, "--check"]), wanted);
        assert_eq!(with(&["t", "--core", "m.dts"]), ["t", "--core", "m.dts"]);
    }
}
