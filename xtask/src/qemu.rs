//! The emulated machine: which QEMU, and with which arguments.

use crate::cli::Plat;
use crate::{apt, fip, fvp_machine, proc, ui};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest QEMU that will do: earlier ones lack the S-EL2 timers.
const WANTED: (u32, u32) = (10, 0);

/// QEMU's own machine: both worlds, EL2 in both, and a GICv3.
const VIRT: &str = "virt,secure=on,virtualization=on,gic-version=3";
/// Our board for the FVP (tests/fvp-machine).
const FVP: &str = "fvp-base";

/// A QEMU and what it needs to start.
#[derive(Clone, Debug)]
pub struct Qemu {
    program: PathBuf,
    /// The directory of a private QEMU, which was only unpacked.
    root: Option<PathBuf>,
    /// Major and minor version.
    pub version: (u32, u32),
}

/// The machine to start.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The platform that the machine belongs to.
    pub plat: Plat,
    /// What [`crate::fip::pack`] made of BL1 and the FIP.
    pub flash: PathBuf,
    /// CPU model with its properties.
    pub cpu: String,
    /// Further properties of the machine itself.
    pub properties: Option<String>,
    /// Number of cores.
    pub smp: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// A device tree instead of QEMU's own.
    pub dtb: Option<PathBuf>,
    /// Files to put into memory before the start.
    pub loaded: Vec<(PathBuf, u64)>,
    /// Whether each instruction counts as a fixed time, so that guests' time-outs do not depend on the host's load.
    pub icount: bool,
    /// Whether a reset starts the machine anew; otherwise it ends QEMU.
    pub reboots: bool,
    /// Whether the machine waits for a debugger on TCP port 1234.
    pub gdb: bool,
    /// The user's own arguments, passed on as they are.
    pub extra: Vec<String>,
}

impl Machine {
    /// A machine as the tests use it.
    pub fn new(plat: Plat, flash: PathBuf) -> Machine {
        Machine {
            plat,
            flash,
            cpu: "max".into(),
            properties: None,
            smp: 4,
            memory: plat.memory(),
            dtb: None,
            loaded: Vec::new(),
            icount: false,
            reboots: false,
            gdb: false,
            extra: Vec::new(),
        }
    }
}

impl Qemu {
    /// A QEMU of which only the command line is looked at.
    #[cfg(test)]
    pub fn named(program: &str) -> Qemu {
        Qemu {
            program: program.into(),
            root: None,
            version: WANTED,
        }
    }

    /// Finds the QEMU for a platform: the user's; for QEMU virt the system's if it is recent enough, else a private
    /// one; for the FVP the one with our board.
    ///
    /// # Errors
    /// None is available: the message says what to do.
    pub fn find(plat: Plat, user: Option<&Path>) -> Result<Qemu> {
        if let Some(program) = user {
            let version = version(program, None).with_context(|| {
                format!(
                    "{} does not run; --qemu wants a qemu-system-aarch64",
                    program.display()
                )
            })?;
            return Ok(Qemu {
                program: program.to_owned(),
                root: None,
                version,
            });
        }
        if plat == Plat::Fvp {
            let program = fvp_machine::program()?;
            let version = version(&program, None)?;
            return Ok(Qemu {
                program,
                root: None,
                version,
            });
        }
        if let Some(program) = proc::find("qemu-system-aarch64")
            && let Ok(version) = version(&program, None)
            && version >= WANTED
        {
            return Ok(Qemu {
                program,
                root: None,
                version,
            });
        }
        let qemu = Qemu::private(apt::BACKPORTS)
            .context("no QEMU 10.0 or later here: install one, or name it with --qemu PATH")?;
        if qemu.version < WANTED {
            bail!(
                "the QEMU that was found is {}.{}, 10.0 is needed: name a later one with --qemu PATH",
                qemu.version.0,
                qemu.version.1
            );
        }
        Ok(qemu)
    }

    /// Returns whether the output of `--version` is that of a QEMU that is recent enough.
    pub fn is_recent(text: &str) -> bool {
        number(text).is_ok_and(|version| version >= WANTED)
    }

    /// Finds the QEMU of this machine's Debian release, whatever its version.
    ///
    /// # Errors
    /// It is not available.
    pub fn own_release() -> Result<Qemu> {
        Qemu::private(apt::OWN)
    }

    fn private(archive: apt::Archive) -> Result<Qemu> {
        let root = apt::host(archive, "qemu-system-arm")?;
        let program = root.join("usr/bin/qemu-system-aarch64");
        let version = version(&program, Some(&root))?;
        Ok(Qemu {
            program,
            root: Some(root),
            version,
        })
    }

    /// Writes the device tree that QEMU makes for a machine.
    ///
    /// # Errors
    /// QEMU rejects the machine.
    pub fn dump_device_tree(&self, machine: &Machine, to: &Path) -> Result<()> {
        let mut bare = machine.clone();
        (bare.gdb, bare.icount, bare.dtb) = (false, false, None);
        bare.loaded.clear();
        if let Some(dir) = to.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut command = self.command(&bare);
        command
            .arg("-machine")
            .arg(format!("dumpdtb={}", to.display()));
        proc::output(&mut command).map(|_| ())
    }

    /// The command line for a machine, without its consoles.
    pub fn command(&self, machine: &Machine) -> Command {
        let mut qemu = Command::new(&self.program);
        if let Some(root) = &self.root {
            environment(&mut qemu, root);
            qemu.arg("-L").arg(root.join("usr/share/qemu"));
        }
        qemu.args(["-machine", &properties(machine)]);
        qemu.args([
            "-cpu",
            &machine.cpu,
            "-smp",
            &machine.smp.to_string(),
            "-m",
            &format!("{}M", machine.memory),
        ]);
        qemu.args(["-display", "none", "-nic", "none"]);
        if !machine.reboots {
            qemu.arg("-no-reboot");
        }
        match machine.plat {
            Plat::Qemu => {
                qemu.arg("-bios").arg(&machine.flash);
            }
            Plat::Fvp => {
                let bl1 = machine.flash.with_file_name(fip::BL1);
                for (unit, file) in [&bl1, &machine.flash].into_iter().enumerate() {
                    qemu.arg("-drive").arg(format!(
                        "if=pflash,unit={unit},format=raw,readonly=on,file={}",
                        file.display()
                    ));
                }
            }
        }
        if let Some(dtb) = &machine.dtb {
            qemu.arg("-dtb").arg(dtb);
        }
        for (file, address) in &machine.loaded {
            qemu.arg("-device").arg(format!(
                "loader,file={},addr={address:#x},force-raw=on",
                file.display()
            ));
        }
        if machine.icount {
            qemu.args(["-icount", "shift=auto,sleep=off"]);
        }
        if machine.gdb {
            qemu.args(["-s", "-S"]);
        }
        qemu.args(&machine.extra);
        qemu
    }
}

/// The properties of the machine, with those that were asked for.
fn properties(machine: &Machine) -> String {
    let usual = match machine.plat {
        Plat::Qemu => VIRT,
        Plat::Fvp => FVP,
    };
    match &machine.properties {
        Some(more) => format!("{usual},{more}"),
        None => usual.to_owned(),
    }
}

/// Sets the paths to the libraries and modules of a private QEMU.
pub fn environment(qemu: &mut Command, root: &Path) {
    let triplets = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let libraries = triplets.iter().flat_map(|t| {
        let usr = root.join("usr/lib").join(t);
        // Some libraries need private ones beside them.
        [usr.join("pulseaudio"), usr, root.join("lib").join(t)]
    });
    let mut path: Vec<PathBuf> = libraries.filter(|dir| dir.is_dir()).collect();
    if let Some(modules) = path
        .iter()
        .map(|dir| dir.join("qemu"))
        .find(|dir| dir.is_dir())
    {
        qemu.env("QEMU_MODULE_DIR", modules);
    }
    if let Some(own) = std::env::var_os("LD_LIBRARY_PATH") {
        path.extend(std::env::split_paths(&own));
    }
    if let Ok(path) = std::env::join_paths(path) {
        qemu.env("LD_LIBRARY_PATH", path);
    }
}

fn version(program: &Path, root: Option<&Path>) -> Result<(u32, u32)> {
    let mut command = Command::new(program);
    if let Some(root) = root {
        environment(&mut command, root);
    }
    number(&proc::output(command.arg("--version"))?)
}

/// The version in what `--version` prints.
fn number(text: &str) -> Result<(u32, u32)> {
    let number = text
        .split_whitespace()
        .nth(3)
        .context("no version in what it printed")?;
    let mut parts = number.split('.').map_while(|p| p.parse().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        _ => bail!(
            "no version in `{}`",
            text.lines().next().unwrap_or_default()
        ),
    }
}

/// Says which QEMU is used.
pub fn announce(qemu: &Qemu) {
    ui::say(format!(
        "QEMU {}.{} ({})",
        qemu.version.0,
        qemu.version.1,
        qemu.program.display()
    ));
}
