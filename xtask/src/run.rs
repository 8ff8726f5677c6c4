//! The commands `build`, `fip`, `run` and `clean`.

use crate::cli::{BuildOnlyArgs, FipArgs, RunArgs, Runtime};
use crate::console::{self, Limits};
use crate::model::{self, Model};
use crate::qemu::{self, Machine, Qemu};
use crate::stacks::{self, Mode, Prepared};
use crate::toolchain::Binary;
use crate::trace::record;
use crate::verdict::{self, End, Rules, Watch};
use crate::{apt, bl31, fip, manifest, own_machine, paths, proc, tfa, ui};
use anyhow::{Context, Result, bail, ensure};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// Builds BL31 alone.
///
/// # Errors
/// See [`bl31::image`] and [`bl31::for_board`].
pub fn build(args: &BuildOnlyArgs) -> Result<bool> {
    if let Some(board) = &args.board {
        println!("{}", bl31::for_board(&args.build, board)?.display());
        return Ok(true);
    }
    let args = &args.build;
    let built = || {
        tfa::ensure_tools()?;
        let options = tfa::Options {
            plat: args.plat,
            more: args.tfa_arg.clone(),
            ..tfa::Options::default()
        };
        tfa::build(&options, args.tfa.as_deref())
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
    apt::used();
    let mut prepared = stacks::prepare(args, mode)?;
    if let Some(file) = &prepared.images.manifest
        && args.build.bl31 == Runtime::Janus
    {
        manifest::require(file)?;
    }
    prepared.tfa.more.clone_from(&args.build.tfa_arg);
    if args.build.bl31 == Runtime::C {
        // An SPMC such as Hafnium expects these features, and with them the comparison is fair.
        prepared.tfa.like_janus = true;
        tfa::takes_manifest(args.build.tfa.as_deref(), prepared.version)?;
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
    let judged = !args.until.is_empty()
        || !args.fail.is_empty()
        || args.timeout.is_some()
        || args.idle.is_some();
    if !terminal || judged {
        let what = if args.fip.own_software() {
            "the run"
        } else {
            "the demonstration"
        };
        return match check(args, Mode::Demo, true) {
            Ok(end) => {
                ui::say(match end {
                    End::Said(line) => format!("{what} succeeded: `{}`", line.trim()),
                    End::Off if args.fip.own_software() => {
                        format!("{what} ended: the machine went off")
                    }
                    End::Off => format!("{what} succeeded"),
                    End::Limit(why) => format!("{what} ended: {why}"),
                });
                Ok(true)
            }
            Err(error) => Err(error.context(format!("{what} failed"))),
        };
    }
    let (host, machine, prepared) = set_up(args, Mode::Interactive)?;
    for hint in &prepared.hints {
        ui::say(hint);
    }
    let qemu = match host {
        Host::Qemu(qemu) => qemu,
        Host::Model(model) => return interactive_model(&model, &machine),
    };
    if args.gdb {
        ui::say("waiting for a debugger: gdb-multiarch -ex 'target remote :1234'");
    }
    ui::say("the console is yours: Ctrl-A X ends QEMU; lines of the secure world begin with `S| `");
    console::interactive(&qemu, &machine, &paths::out().join("log/run-secure.log"))
}

/// The program that is the machine.
enum Host {
    Qemu(Qemu),
    Model(Model),
}

/// Runs a model with a person at its console, who types whole lines.
fn interactive_model(model: &Model, machine: &Machine) -> Result<bool> {
    ui::say(
        "the console is yours, whole lines of it: Ctrl-C ends the model; lines of the secure world begin with \
         `S| `, EL3's with `3| `",
    );
    let log = paths::out().join("log/run-model.log");
    let long = Limits::secs(u64::from(u32::MAX), u64::from(u32::MAX));
    let mut running = console::start_model(model, machine, &log, true, long)?;
    running.attach_keyboard();
    running.finish()
}

/// Packages a system and describes the machine that it runs on.
fn set_up(args: &RunArgs, mode: Mode) -> Result<(Host, Machine, Prepared)> {
    // First of all, so that an error comes before anything is built.
    let model = model::wanted(args.fip.build.plat, args.model.as_ref())?;
    ensure!(
        model.is_some() || args.model_arg.is_empty(),
        "--model-arg: there is no model: give --model"
    );
    let (flash, prepared) = package(&args.fip, mode)?;
    let host = match model {
        Some(model) => {
            ui::say(format!("Arm's model ({})", model.name()));
            Host::Model(model)
        }
        None => {
            let qemu = Qemu::find(args.fip.build.plat, args.qemu.as_deref())?;
            qemu::announce(&qemu);
            Host::Qemu(qemu)
        }
    };
    let extra = match &host {
        Host::Qemu(_) => &args.qemu_arg,
        Host::Model(_) => &args.model_arg,
    };
    let mut prepared = prepared;
    let mut machine = own_machine::assemble(args, &mut prepared, flash, extra)?;
    own_machine::device_tree(
        args,
        &prepared,
        &mut machine,
        &paths::out().join("run"),
        |machine, to| match &host {
            Host::Qemu(qemu) => qemu.dump_device_tree(machine, to),
            Host::Model(_) => bail!("a model makes no device tree: give one with --dtb"),
        },
    )?;
    if let Some(file) = &args.trace {
        record::start(file.as_deref(), args, &prepared.images, &mut machine)?;
    }
    Ok((host, machine, prepared))
}

/// Runs a system to its end without a person at the console, and judges what it printed.
///
/// # Errors
/// Something cannot be built, or an expected text was not seen: the message has the log's last lines.
pub fn check(args: &RunArgs, mode: Mode, echo: bool) -> Result<End> {
    let (host, machine, prepared) = set_up(args, mode)?;
    let name = format!("{}-{}", args.fip.stack.name(), args.fip.build.bl31.name());
    let log = paths::out().join(format!("log/run-{name}.log"));
    let mut limits = if args.gdb {
        Limits::secs(24 * 3600, 24 * 3600)
    } else {
        prepared.limits
    };
    if let Some(seconds) = args.timeout {
        limits.total = Duration::from_secs(seconds);
        limits.idle = limits.idle.max(limits.total);
    }
    if let Some(seconds) = args.idle {
        limits.idle = Duration::from_secs(seconds);
    }
    let rules = Rules {
        until: args.until.clone(),
        fail: args.fail.clone(),
    };
    let judged = args.fip.own_software() || !rules.until.is_empty() || !rules.fail.is_empty();
    if judged && echo && !args.gdb {
        ui::say(format!(
            "ends when the machine goes off, or after {} s without a character on a console; `run --help` has what else ends it",
            limits.idle.as_secs()
        ));
    }
    let versions = apt::in_use();
    let step = (!echo).then(|| ui::step(format!("stack {name}, {} cores, {}", args.smp, args.cpu)));
    let mut running = match &host {
        Host::Qemu(qemu) => console::start(qemu, &machine, &log, echo, limits)?,
        Host::Model(model) => console::start_model(model, &machine, &log, echo, limits)?,
    };
    running.first_word = (!args.gdb).then_some(verdict::FIRST_WORD);
    let verdict = (|| {
        if judged {
            return verdict::judge(&mut running, &rules);
        }
        let none = Rules::default();
        let watch = Watch::new(&none)?;
        running.fatal = Some(watch.stopper());
        for wanted in &prepared.script {
            running.expect(wanted.uart, wanted.wait)?;
            if !wanted.send.is_empty() {
                running.send(wanted.send)?;
            }
        }
        ensure!(running.finish()?, "{}", running.why_not());
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
        Ok(End::Off)
    })();
    let end = match verdict {
        Ok(end) => end,
        Err(error) if echo => bail!("{error:#}\n  log: {}", log.display()),
        Err(error) => bail!("{error:#}\nlog: {}\n{}", log.display(), proc::tail(&log)),
    };
    if let Some(step) = step {
        let seen = running
            .normal
            .lines()
            .filter(|l| l.starts_with("@ok "))
            .count();
        match (seen, versions.as_str()) {
            (0, "") => step.done(),
            (0, versions) => step.done_with(&format!("with {versions}")),
            (seen, "") => step.done_with(&format!("{seen} checks passed")),
            (seen, versions) => step.done_with(&format!("{seen} checks passed, with {versions}")),
        }
    } else if !versions.is_empty() {
        ui::say(format!("with {versions}"));
    }
    Ok(end)
}

/// Removes what was built; the cache only if `all`.
///
/// # Errors
/// A directory cannot be removed.
pub fn clean(all: bool) -> Result<bool> {
    let mut dirs = vec![
        paths::out(),
        Binary::Image.target_dir(),
        Binary::Hardened.target_dir(),
        Binary::Payload.target_dir(),
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
