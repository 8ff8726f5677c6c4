//! `build`, `fip`, `run`, `clean`.

use crate::cli::{BuildArgs, FipArgs, RunArgs};
use crate::console::{self, Limits, Uart};
use crate::qemu::{self, Machine, Qemu};
use crate::stacks::{self, Prepared};
use crate::{bl31, fip, paths, proc, tfa, ui};
use anyhow::{Context, Result};
use std::io::IsTerminal;
use std::path::PathBuf;

/// A demonstration says something at least this often, and is over at last.
const LIMITS: Limits = Limits::secs(120, 900);

/// Builds BL31 alone.
///
/// # Errors
/// See [`bl31::image`].
pub fn build(args: &BuildArgs) -> Result<bool> {
    let built = || {
        tfa::ensure_tools()?;
        tfa::build(&tfa::Options::default(), args.tfa.as_deref())
    };
    println!("{}", bl31::image(args, built)?.display());
    Ok(true)
}

/// Packages a system.
///
/// # Errors
/// Something cannot be built, or does not fit.
pub fn fip(args: &FipArgs) -> Result<bool> {
    let (flash, _) = package(args, false)?;
    println!("{}", flash.with_file_name("fip.bin").display());
    println!("{}", flash.display());
    Ok(true)
}

/// Builds a stack's images and the flash contents.
///
/// # Errors
/// Something cannot be built, or does not fit.
pub fn package(args: &FipArgs, interactive: bool) -> Result<(PathBuf, Prepared)> {
    tfa::ensure_tools()?;
    let mut prepared = stacks::prepare(args, interactive)?;
    let built = tfa::build(&prepared.tfa, args.build.tfa.as_deref())?;
    prepared.images.bl31 = bl31::image(&args.build, || {
        tfa::build(&prepared.tfa, args.build.tfa.as_deref())
    })?;
    let name = format!("fip/{}-{}", args.stack.name(), args.build.bl31.name());
    let flash = fip::pack(&built, &prepared.images, &fip::out_dir(&name))?;
    Ok((flash, prepared))
}

/// Boots a system.
///
/// # Errors
/// Something cannot be built, or QEMU does not start.
pub fn run(args: &RunArgs) -> Result<bool> {
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let (flash, prepared) = package(&args.fip, terminal)?;
    let qemu = Qemu::find(args.qemu.as_deref())?;
    qemu::announce(&qemu);
    let mut machine = Machine {
        cpu: args.cpu.clone(),
        smp: args.smp,
        memory: prepared.memory,
        loaded: prepared.loaded.clone(),
        gdb: args.gdb,
        ..Machine::new(flash)
    };
    if let Some(chosen) = &prepared.chosen {
        let dtb = paths::out().join("run/machine.dtb");
        qemu.dump_device_tree(&machine, &dtb)?;
        chosen.apply(&dtb)?;
        machine.dtb = Some(dtb);
    }
    if args.gdb {
        ui::say("waiting for a debugger: gdb-multiarch -ex 'target remote :1234'");
    }
    for hint in &prepared.hints {
        ui::say(hint);
    }
    if terminal {
        ui::say(
            "the console is yours: Ctrl-A X ends QEMU; lines of the secure world begin with `S| `",
        );
        return console::interactive(&qemu, &machine, &paths::out().join("log/run-secure.log"));
    }
    demonstrate(&qemu, &machine, &prepared)
}

/// Runs a system to its end and judges what it said.
fn demonstrate(qemu: &Qemu, machine: &Machine, prepared: &Prepared) -> Result<bool> {
    let log = paths::out().join("log/run.log");
    let mut limits = LIMITS;
    if machine.gdb {
        limits = Limits::secs(24 * 3600, 24 * 3600);
    }
    let mut running = console::start(qemu, machine, &log, true, limits)?;
    let verdict = (|| {
        for text in &prepared.must_say {
            running.expect(Uart::Normal, text)?;
        }
        running.finish()
    })();
    match verdict {
        Ok(clean) => {
            let failed = running
                .normal
                .lines()
                .filter(|l| l.starts_with("@fail "))
                .count();
            let done = running
                .normal
                .lines()
                .find_map(|l| l.strip_prefix("@done "));
            let success = clean && failed == 0 && done.is_none_or(|d| d.contains(" 0 failed"));
            ui::say(if success {
                "the demonstration succeeded"
            } else {
                "the demonstration failed"
            });
            Ok(success)
        }
        Err(error) => {
            eprintln!(
                "error: {error:#}\nlog: {}\n{}",
                log.display(),
                proc::tail(&log)
            );
            Ok(false)
        }
    }
}

/// Removes what was built; the cache only if `all`.
///
/// # Errors
/// A directory cannot be removed.
pub fn clean(all: bool) -> Result<bool> {
    let mut dirs = vec![paths::out(), paths::target().join(crate::toolchain::TARGET)];
    if all {
        dirs.push(paths::cache());
    }
    for dir in dirs {
        if dir.exists() {
            std::fs::remove_dir_all(&dir)
                .with_context(|| format!("cannot remove {}", dir.display()))?;
            ui::say(format!("removed {}", dir.display()));
        }
    }
    Ok(true)
}
