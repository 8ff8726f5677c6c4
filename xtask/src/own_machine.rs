//! The machine of a run: what the stack needs, with the user's additions and replacements.

use crate::cli::{Plat, RunArgs};
use crate::fip;
use crate::qemu::Machine;
use crate::stacks::Prepared;
use crate::stacks::linux::{self, Chosen};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Describes the machine for a stack. `flash` is what [`fip::pack`] made; `extra` are the user's arguments of the
/// machine's program, several to a string. The device tree is added later.
///
/// # Errors
/// The options contradict each other, or a file does not exist.
pub fn assemble(
    args: &RunArgs,
    prepared: &mut Prepared,
    flash: PathBuf,
    extra: &[String],
) -> Result<Machine> {
    let mut machine = Machine {
        cpu: args.cpu.clone(),
        smp: args.smp,
        memory: args.memory.unwrap_or(prepared.memory),
        properties: args.machine.clone(),
        loaded: prepared.loaded.iter().chain(&args.load).cloned().collect(),
        extra: extra
            .iter()
            .flat_map(|words| words.split_whitespace().map(str::to_owned))
            .collect(),
        gdb: args.gdb,
        reboots: prepared.reboots,
        ..Machine::new(args.fip.build.plat, flash)
    };
    chosen(args, prepared, &mut machine)?;
    Ok(machine)
}

/// Gives the machine the user's device tree, with the kernel's settings in it; writes it to `dir`. `dump` writes the
/// machine's own tree to a file.
///
/// # Errors
/// The tree does not compile, or lacks a node.
pub fn device_tree(
    args: &RunArgs,
    prepared: &Prepared,
    machine: &mut Machine,
    dir: &Path,
    dump: impl FnOnce(&Machine, &Path) -> Result<()>,
) -> Result<()> {
    fs::create_dir_all(dir)?;
    if let Some(file) = &args.dtb {
        ensure!(
            args.fip.build.plat == Plat::Qemu,
            "--dtb is for QEMU virt: on the FVP BL2 loads HW_CONFIG, and --load FILE@ADDRESS puts any other file into memory"
        );
        machine.dtb = Some(fip::device_tree(file, dir)?);
    }
    let Some(chosen) = &prepared.chosen else {
        return Ok(());
    };
    let dtb = dir.join("machine.dtb");
    match machine.dtb.take() {
        Some(own) => {
            fs::copy(&own, &dtb).with_context(|| format!("cannot read {}", own.display()))?;
        }
        None => dump(machine, &dtb)?,
    }
    chosen.apply(&dtb, linux::INITRD)?;
    machine.dtb = Some(dtb);
    Ok(())
}

/// Puts the user's initramfs and command line into what the kernel is told.
fn chosen(args: &RunArgs, prepared: &mut Prepared, machine: &mut Machine) -> Result<()> {
    if args.initrd.is_none() && args.append.is_none() {
        return Ok(());
    }
    ensure!(
        args.fip.build.plat == Plat::Qemu,
        "--initrd and --append are for QEMU virt: on the FVP only --kernel can be yours"
    );
    let Some(Chosen::Linux { bootargs, initrd }) = &mut prepared.chosen else {
        bail!(
            "--initrd and --append are for a kernel: give --kernel FILE, or a stack that has one"
        );
    };
    if let Some(more) = &args.append {
        *bootargs = format!("{bootargs} {more}").trim().to_owned();
    }
    if let Some(own) = &args.initrd {
        let own = std::path::absolute(own)?;
        ensure!(own.is_file(), "--initrd: {} is not there", own.display());
        machine.loaded.retain(|(_, at)| *at != linux::INITRD);
        machine.loaded.push((own.clone(), linux::INITRD));
        *initrd = Some(own);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Sub};
    use crate::proc;
    use crate::qemu::Qemu;
    use clap::Parser;
    use std::process::Command;

    const TREE: &str = "/dts-v1/; / { compatible = \"mine\"; chosen { }; };";

    /// A directory with files that options can name.
    fn files() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, content) in [
            ("bl33", "b"),
            ("kernel", "k"),
            ("initrd", "12345"),
            ("data", "d"),
            ("m.dts", TREE),
        ] {
            fs::write(dir.path().join(name), content).expect("written");
        }
        dir
    }

    /// QEMU's command line for the words of a `run` (`@` stands for the directory), and make's arguments.
    fn commands(dir: &tempfile::TempDir, words: &str) -> Result<(String, String)> {
        let own = dir.path().display().to_string();
        let words: Vec<String> = words
            .split('|')
            .map(|word| word.replace("@/", &format!("{own}/")))
            .collect();
        let all = ["xtask", "run"]
            .into_iter()
            .chain(words.iter().map(String::as_str));
        let Sub::Run(args) = Cli::try_parse_from(all)?.command else {
            bail!("another command");
        };
        let mut prepared = Prepared::with_own(&args.fip)?;
        prepared.tfa.more.clone_from(&args.fip.build.tfa_arg);
        let mut machine = assemble(&args, &mut prepared, "flash".into(), &args.qemu_arg)?;
        device_tree(&args, &prepared, &mut machine, dir.path(), |_, to| {
            let source = dir.path().join("m.dts");
            let mut dtc = Command::new("dtc");
            dtc.args(["-q", "-o"]).arg(to).arg(source);
            proc::output(&mut dtc).map(drop)
        })?;
        let qemu = Qemu::named("qemu").command(&machine);
        let line: Vec<_> = qemu.get_args().map(|a| a.to_string_lossy()).collect();
        let line = line.join(" ").replace(&own, "@");
        Ok((line, prepared.tfa.make_args(Path::new("layout")).join(" ")))
    }

    /// A property as fdtget shows it.
    fn chosen_says(dir: &tempfile::TempDir, property: &str) -> String {
        let mut get = Command::new("fdtget");
        get.arg(dir.path().join("machine.dtb"))
            .args(["/chosen", property]);
        proc::output(&mut get)
            .expect("it is there")
            .trim()
            .to_owned()
    }

    #[test]
    fn arguments_of_qemu_come_last_and_are_split_at_spaces() {
        let (line, _) = commands(
            &files(),
            "--qemu-arg|-icount shift=3,sleep=off|--qemu-arg|-rtc|--qemu-arg|clock=vm|--cpu|cortex-a57|--memory|3072|--machine|mte=on",
        )
        .expect("understood");
        assert!(
            line.ends_with(" -icount shift=3,sleep=off -rtc clock=vm"),
            "{line}"
        );
        assert!(line.contains("-cpu cortex-a57 -smp 4 -m 3072M"), "{line}");
        assert!(line.contains("gic-version=3,mte=on "), "{line}");
    }

    #[test]
    fn a_file_and_a_device_tree_go_into_memory() {
        let (line, _) =
            commands(&files(), "--load|@/data@0x4800_0000|--dtb|@/m.dts").expect("understood");
        assert!(
            line.contains("-device loader,file=@/data,addr=0x48000000,force-raw=on"),
            "{line}"
        );
        assert!(line.contains("-dtb @/m.dtb"), "{line}");
    }

    #[test]
    fn a_bl33_elsewhere_is_loaded_by_qemu_and_tfa_is_told_where() {
        let dir = files();
        let (line, make) =
            commands(&dir, "--bl33|@/bl33|--bl33-at|0x5000_0000").expect("understood");
        assert!(
            line.contains("loader,file=@/bl33,addr=0x50000000"),
            "{line}"
        );
        assert!(make.contains("PRELOADED_BL33_BASE=0x50000000"), "{make}");
        let (line, make) = commands(&dir, "--bl33|@/bl33").expect("understood");
        assert!(
            !line.contains("bl33") && !make.contains("PRELOADED"),
            "{line} {make}"
        );
    }

    #[test]
    fn a_kernel_finds_its_initramfs_and_its_command_line() {
        let dir = files();
        let (line, make) = commands(
            &dir,
            "--kernel|@/kernel|--initrd|@/initrd|--append|own=1 quiet",
        )
        .expect("understood");
        assert!(
            line.contains("loader,file=@/kernel,addr=0x60000000"),
            "{line}"
        );
        assert!(
            line.contains("loader,file=@/initrd,addr=0x68000000"),
            "{line}"
        );
        assert!(line.contains("-dtb @/machine.dtb"), "{line}");
        assert!(make.contains("PRELOADED_BL33_BASE=0x60000000"), "{make}");
        assert_eq!(
            chosen_says(&dir, "bootargs"),
            "console=ttyAMA0 earlycon own=1 quiet"
        );
        assert_eq!(chosen_says(&dir, "linux,initrd-start"), "0 1744830464");
        assert_eq!(chosen_says(&dir, "linux,initrd-end"), "0 1744830469");
    }

    #[test]
    fn the_kernel_of_a_device_tree_of_ones_own() {
        let dir = files();
        let tree = "/dts-v1/; / { chosen { stdout-path = \"here\"; }; };";
        fs::write(dir.path().join("own.dts"), tree).expect("written");
        commands(&dir, "--kernel|@/kernel|--dtb|@/own.dts").expect("understood");
        assert_eq!(chosen_says(&dir, "stdout-path"), "here");
        assert_eq!(chosen_says(&dir, "bootargs"), "console=ttyAMA0 earlycon");
    }

    #[test]
    fn settings_of_tfa_come_last() {
        let (_, make) = commands(&files(), "--tfa-arg|LOG_LEVEL=40").expect("understood");
        assert!(make.ends_with(" LOG_LEVEL=40"), "{make}");
    }

    #[test]
    fn what_the_fvp_has_not_says_so() {
        for (words, says) in [
            ("--kernel|@/kernel", "--stack optee-linux"),
            ("--append|x", "only --kernel"),
            ("--dtb|@/m.dts", "--load FILE@ADDRESS"),
        ] {
            let words = format!("--plat|fvp|{words}");
            let error = commands(&files(), &words).expect_err("refused");
            assert!(format!("{error:#}").contains(says), "{error:#}");
        }
    }

    #[test]
    fn what_needs_a_kernel_says_so() {
        for words in ["--append|x", "--initrd|@/initrd"] {
            let error = commands(&files(), words).expect_err("refused");
            assert!(format!("{error:#}").contains("--kernel FILE"), "{error:#}");
        }
        let error = commands(&files(), "--kernel|@/gone").expect_err("refused");
        assert!(
            format!("{error:#}").contains("gone is not there"),
            "{error:#}"
        );
    }
}
