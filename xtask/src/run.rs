//! `build`, `fip`, `run`, `clean`.

use crate::cli::{BuildArgs, FipArgs, RunArgs, Runtime};
use crate::console::{self, Limits};
use crate::qemu::{self, Machine, Qemu};
use crate::stacks::{self, Mode, Prepared};
use crate::toolchain::Kind;
use crate::trace::record;
use crate::{bl31, fip, manifest, paths, proc, tfa, ui};
use anyhow::{Context, Result, bail, ensure};
use std::io::IsTerminal;
use std::path::PathBuf;

/// A kernel that says this will not come to a good end.
const FATAL: &[&str] = &[
    "kernel BUG at",
    "Internal error: ",
    "Kernel panic",
    "detected stalls on CPUs",
];

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
    let (flash, _) = package(args, Mode::Demo)?;
    println!("{}", flash.with_file_name("fip.bin").display());
    println!("{}", flash.display());
    Ok(true)
}

/// Builds a stack's images and the flash contents.
///
/// # Errors
/// Something cannot be built, or does not fit.
pub fn package(args: &FipArgs, mode: Mode) -> Result<(PathBuf, Prepared)> {
    tfa::ensure_tools()?;
    let mut prepared = stacks::prepare(args, mode)?;
    if let Some(file) = &prepared.images.manifest
        && args.build.bl31 == Runtime::Janus
    {
        manifest::require(file)?;
    }
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
    if !terminal {
        return match check(args, Mode::Demo, true) {
            Ok(()) => {
                ui::say("the demonstration succeeded");
                Ok(true)
            }
            Err(error) => Err(error.context("the demonstration failed")),
        };
    }
    let (qemu, machine, prepared) = set_up(args, Mode::Interactive)?;
    for hint in &prepared.hints {
        ui::say(hint);
    }
    if args.gdb {
        ui::say("waiting for a debugger: gdb-multiarch -ex 'target remote :1234'");
    }
    ui::say("the console is yours: Ctrl-A X ends QEMU; lines of the secure world begin with `S| `");
    console::interactive(&qemu, &machine, &paths::out().join("log/run-secure.log"))
}

/// Packages a system and describes the machine that it runs on.
fn set_up(args: &RunArgs, mode: Mode) -> Result<(Qemu, Machine, Prepared)> {
    let (flash, prepared) = package(&args.fip, mode)?;
    let qemu = Qemu::find(args.fip.build.plat, args.qemu.as_deref())?;
    qemu::announce(&qemu);
    let mut machine = Machine {
        cpu: args.cpu.clone(),
        smp: args.smp,
        memory: args.memory.unwrap_or(prepared.memory),
        properties: args.machine.clone(),
        loaded: prepared.loaded.clone(),
        gdb: args.gdb,
        reboots: prepared.reboots,
        ..Machine::new(args.fip.build.plat, flash)
    };
    if let Some(chosen) = &prepared.chosen {
        let dtb = paths::out().join("run/machine.dtb");
        qemu.dump_device_tree(&machine, &dtb)?;
        chosen.apply(&dtb)?;
        machine.dtb = Some(dtb);
    }
    if let Some(file) = &args.trace {
        record::start(file.as_deref(), args, &prepared.images, &mut machine)?;
    }
    Ok((qemu, machine, prepared))
}

/// Runs a system to its end, with nobody at the console, and judges what it said.
///
/// # Errors
/// Something cannot be built, or what must be seen was not: the message has the log's last lines.
pub fn check(args: &RunArgs, mode: Mode, echo: bool) -> Result<()> {
    let (qemu, machine, prepared) = set_up(args, mode)?;
    let name = format!("{}-{}", args.fip.stack.name(), args.fip.build.bl31.name());
    let log = paths::out().join(format!("log/run-{name}.log"));
    let limits = if args.gdb {
        Limits::secs(24 * 3600, 24 * 3600)
    } else {
        prepared.limits
    };
    let step = (!echo).then(|| ui::step(format!("stack {name}, {} cores, {}", args.smp, args.cpu)));
    let mut running = console::start(&qemu, &machine, &log, echo, limits)?;
    running.fatal = FATAL;
    let verdict = (|| {
        for wanted in &prepared.script {
            running.expect(wanted.uart, wanted.wait)?;
            if !wanted.send.is_empty() {
                running.send(wanted.send)?;
            }
        }
        ensure!(running.finish()?, "QEMU says that something went wrong");
        if let Some((come, go)) = prepared.secure_counts {
            let (come_n, go_n) = (
                running.secure.matches(come).count(),
                running.secure.matches(go).count(),
            );
            ensure!(
                go_n > 0 && come_n == go_n + 1,
                "UART1 says `{come}` {come_n} times and `{go}` {go_n} times"
            );
        }
        let failed: Vec<&str> = running
            .normal
            .lines()
            .filter(|l| l.starts_with("@fail "))
            .collect();
        ensure!(failed.is_empty(), "{}", failed.join("\n"));
        Ok(())
    })();
    if let Err(error) = verdict {
        if echo {
            return Err(error.context(format!("log: {}", log.display())));
        }
        bail!("{error:#}\nlog: {}\n{}", log.display(), proc::tail(&log));
    }
    if let Some(step) = step {
        let seen = running
            .normal
            .lines()
            .filter(|l| l.starts_with("@ok "))
            .count();
        if seen > 0 {
            step.done_with(&format!("{seen} checks passed"))
        } else {
            step.done()
        }
    }
    Ok(())
}

/// Removes what was built; the cache only if `all`.
///
/// # Errors
/// A directory cannot be removed.
pub fn clean(all: bool) -> Result<bool> {
    let mut dirs = vec![
        paths::out(),
        Kind::Image.target_dir(),
        Kind::Payload.target_dir(),
    ];
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
