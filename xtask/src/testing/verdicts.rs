//! How `cargo xtask run` judges a normal world that it does not know: by what it prints, by how long it is silent, and
//! by firmware that stops for good.

use super::boots::Setup;
use super::{Tally, crash};
use crate::cli::{RunArgs, Runtime};
use crate::stacks::Mode;
use crate::verdict::End;
use crate::{paths, run};
use anyhow::{Result, bail, ensure};
use regex::Regex;
use std::path::{Path, PathBuf};

/// A line that Janus prints before it enters the normal world.
const JANUS: &str = r"\[janus\] INFO: CPU: ";
/// `b .`: a silent normal world that does not end.
const SILENT: [u8; 4] = 0x1400_0000_u32.to_le_bytes();

/// A case: its name, the options it changes, and its check of the run's end.
type Case = (
    &'static str,
    fn(&mut RunArgs),
    fn(Result<End>) -> Result<()>,
);

const CASES: &[Case] = &[
    (
        "run/until",
        |args| args.until = vec![regex(JANUS), regex("^NOTICE: +BL1: ")],
        |end| match end? {
            End::Said(line) if line.contains("CPU: ") => Ok(()),
            other => bail!("it ended with {other:?}"),
        },
    ),
    (
        "run/fail",
        |args| {
            args.until = vec![regex("never said")];
            args.fail = vec![regex(JANUS)];
        },
        |end| fails(end, "[janus] INFO: CPU: "),
    ),
    (
        "run/idle",
        |args| args.idle = Some(3),
        |end| match end? {
            End::Limit(why) if why.contains("3 s") => Ok(()),
            other => bail!("it ended with {other:?}"),
        },
    ),
    (
        "run/idle-and-until",
        |args| {
            args.idle = Some(3);
            args.until = vec![regex("never said")];
        },
        |end| fails(end, "never said"),
    ),
    (
        "run/timeout",
        |args| args.timeout = Some(4),
        |end| match end? {
            End::Limit(why) if why.contains("4 s") => Ok(()),
            other => bail!("it ended with {other:?}"),
        },
    ),
    (
        "run/unknown-cpu",
        |args| args.cpu = "cortex-a35".into(),
        |end| fails(end, "CPU model"),
    ),
];

/// Runs the cases that are asked for.
///
/// # Errors
/// None: failures are counted.
pub fn run(setup: &Setup) -> Tally {
    let mut tally = Tally::default();
    for (name, set, judge) in CASES.iter().filter(|(name, ..)| setup.context.wants(name)) {
        let result = arguments(setup).and_then(|mut args| {
            set(&mut args);
            judge(run::check(&args, Mode::Demo, false))
        });
        tally.case(name, result);
    }
    if setup.context.wants(CRASH) {
        tally.case(CRASH, crash_ends(setup));
    }
    tally
}

const CRASH: &str = "run/crash";

/// A crash report ends a run at once, with its line as the reason, no matter what the run waits for.
fn crash_ends(setup: &Setup) -> Result<()> {
    let mut args = arguments(setup)?;
    let file = directory()?.join("bl31-crash.bin");
    crash::at_boot(setup, &file)?;
    let file: &'static Path = Box::leak(file.into_boxed_path());
    args.fip.build.bl31 = Runtime::File(file);
    args.until = vec![regex("never said")];
    fails(run::check(&args, Mode::Demo, false), "CRASH: ")
}

fn directory() -> Result<PathBuf> {
    let dir = paths::out().join("test/run");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// The options for a run of the silent normal world.
fn arguments(setup: &Setup) -> Result<RunArgs> {
    let bl33 = directory()?.join("silent.bin");
    std::fs::write(&bl33, SILENT)?;
    let mut args = RunArgs {
        qemu: setup.context.args.qemu.clone(),
        smp: 1,
        cpu: "max".into(),
        timeout: Some(60),
        ..RunArgs::default()
    };
    args.fip.bl33 = Some(bl33);
    args.fip.build = setup.context.build();
    Ok(args)
}

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("an expression of ours")
}

fn fails(end: Result<End>, reason: &str) -> Result<()> {
    match end {
        Ok(end) => bail!("it ended with {end:?}"),
        Err(error) => {
            let text = format!("{error:#}");
            let first = text.lines().next().unwrap_or_default();
            ensure!(
                first.contains(reason),
                "the reason is not `{reason}`, but {first}"
            );
            Ok(())
        }
    }
}
