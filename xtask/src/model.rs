//! Arm's models of the FVP, which nobody may pass on: finds one on this machine, and makes its command line.
//!
//! A model's UARTs are TCP ports, which it names on its standard output.

use crate::cli::Plat;
use crate::fip;
use crate::proc;
use crate::qemu::Machine;
use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment variable that names a model.
pub const VARIABLE: &str = "FVP_MODEL";
/// The most common model.
const USUAL: &str = "FVP_Base_RevC-2xAEMvA";
/// Cores in a cluster.
const CLUSTER: u32 = 4;

/// The kinds of models: they differ in the names of their parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    /// FVP_Base_*.
    Base {
        /// It has AEM cores, whose number and version of the architecture can be chosen.
        aem: bool,
    },
    /// Foundation_Platform.
    Foundation,
}

impl Family {
    /// The kind of the model whose program has this name.
    fn of(name: &str) -> Family {
        if name.contains("Foundation") {
            return Family::Foundation;
        }
        // A stand-in, or a link of another name, is taken for the usual model.
        let core = name.strip_prefix("FVP_Base_").unwrap_or("AEM");
        Family::Base {
            aem: core.contains("AEM"),
        }
    }
}

/// A model on this machine.
#[derive(Clone, Debug)]
pub struct Model {
    program: PathBuf,
    family: Family,
}

/// The model to run instead of QEMU, if one is asked for: by `--model`, with or without its path, or by [`VARIABLE`].
///
/// # Errors
/// There is no model at that place, or the platform is another one.
pub fn wanted(plat: Plat, option: Option<&Option<PathBuf>>) -> Result<Option<Model>> {
    let variable = env::var_os(VARIABLE)
        .filter(|v| !v.is_empty())
        .map(PathBuf::from);
    if plat != Plat::Fvp {
        ensure!(
            option.is_none(),
            "--model runs Arm's model of the FVP: give --plat fvp too"
        );
        return Ok(None);
    }
    let path = match (option, variable) {
        (Some(Some(path)), _) => path.clone(),
        (None | Some(None), Some(path)) => path,
        (Some(None), None) => proc::find(USUAL).context(missing(&format!(
            "--model without a path: {VARIABLE} is not set, and there is no {USUAL} on the PATH"
        )))?,
        (None, None) => return Ok(None),
    };
    Model::at(&path).map(Some)
}

/// The error for a missing model: what is wrong, and how to get one.
fn missing(what: &str) -> String {
    format!(
        "{what}\n  Arm gives the model away for nothing: developer.arm.com, \"Fixed Virtual Platforms\", \
         \"Armv-A Base RevC AEM FVP\" for Linux. Unpack it and give the path of the program in \
         models/Linux64_*/{USUAL} with --model or in {VARIABLE}.\n  Without a model, leave --model out (and \
         {VARIABLE} empty): a QEMU with a board of ours runs instead"
    )
}

impl Model {
    /// The model whose program is at `path`.
    ///
    /// # Errors
    /// It is not there.
    fn at(path: &Path) -> Result<Model> {
        let program = std::path::absolute(path)?;
        if !program.is_file() {
            bail!(missing(&format!("{} is not there", program.display())));
        }
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        Ok(Model {
            family: Family::of(&name),
            program,
        })
    }

    /// The program's name, for messages.
    pub fn name(&self) -> String {
        self.program.display().to_string()
    }

    /// The command line for a machine.
    ///
    /// # Errors
    /// The model cannot be this machine.
    pub fn command(&self, machine: &Machine) -> Result<Command> {
        let bl1 = machine.flash.with_file_name(fip::BL1);
        let mut model = Command::new(&self.program);
        model.stdin(Stdio::null()).stdout(Stdio::piped());
        match self.family {
            Family::Base { aem } => {
                for parameter in base(machine, &bl1, aem) {
                    model.arg("-C").arg(parameter);
                }
                for (file, address) in &machine.loaded {
                    model
                        .arg("--data")
                        .arg(format!("cluster0.cpu0={}@{address:#x}", file.display()));
                }
                if machine.gdb {
                    // Waits for an Iris client, and says at which port.
                    model.args(["--iris-server", "--print-port-number"]);
                }
            }
            Family::Foundation => {
                ensure!(
                    machine.smp <= CLUSTER,
                    "the Foundation FVP has at most {CLUSTER} cores"
                );
                ensure!(!machine.gdb, "the Foundation FVP takes no debugger");
                model.args([
                    &format!("--cores={}", machine.smp),
                    "--gicv3",
                    "--secure-memory",
                    "--no-visualization",
                ]);
                let all = [(bl1, 0), (machine.flash.clone(), 0x0800_0000)];
                for (file, address) in all.iter().chain(&machine.loaded) {
                    model.arg(format!("--data={}@{address:#x}", file.display()));
                }
            }
        }
        model.args(&machine.extra);
        Ok(model)
    }
}

/// The parameters of a Base FVP.
fn base(machine: &Machine, bl1: &Path, aem: bool) -> Vec<String> {
    let mut all = vec![
        // Core 0 alone has power at the start.
        "pctl.startup=0.0.0.0".to_owned(),
        "bp.secure_memory=1".to_owned(),
        format!("bp.secureflashloader.fname={}", bl1.display()),
        format!("bp.flashloader0.fname={}", machine.flash.display()),
        // Caches without state make the model much faster. `--model-arg '-C cache_state_modelled=1'` undoes it.
        "cache_state_modelled=0".to_owned(),
        "bp.vis_hdlcd.disable_visualisation=1".to_owned(),
    ];
    for terminal in 0..4 {
        all.push(format!("bp.terminal_{terminal}.start_telnet=0"));
        all.push(format!("bp.terminal_{terminal}.mode=raw"));
    }
    if aem {
        // The second cluster has at least one core.
        let cores = [
            machine.smp.clamp(1, CLUSTER),
            machine.smp.saturating_sub(CLUSTER).clamp(1, CLUSTER),
        ];
        for (cluster, cores) in cores.into_iter().enumerate() {
            all.push(format!("cluster{cluster}.NUM_CORES={cores}"));
            // S-EL2 is Armv8.4's.
            all.push(format!("cluster{cluster}.has_arm_v8-5=1"));
        }
    }
    all
}

/// The UART and its TCP port, if a line of a model's standard output names them.
pub fn terminal(line: &str) -> Option<(usize, u16)> {
    let rest = &line[line.find("terminal_")? + "terminal_".len()..];
    let uart = rest.get(..1)?.parse().ok()?;
    let (_, port) = rest.split_once("port ")?;
    let digits = port.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((uart, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str, machine: &Machine) -> Vec<String> {
        let model = Model {
            program: name.into(),
            family: Family::of(name),
        };
        let command = model.command(machine).expect("a machine that it can be");
        let text = |word: &std::ffi::OsStr| word.to_string_lossy().into_owned();
        command.get_args().map(text).collect()
    }

    #[test]
    fn each_kind_of_model_by_its_own_names() {
        let mut machine = Machine::new(Plat::Fvp, "/out/flash.bin".into());
        machine.loaded.push(("/out/config".into(), 0x9000_0000));
        machine.smp = 8;
        let revc = words(USUAL, &machine);
        for word in [
            "cluster1.NUM_CORES=4",
            "cluster0.cpu0=/out/config@0x90000000",
            "bp.flashloader0.fname=/out/flash.bin",
        ] {
            assert!(revc.iter().any(|w| w == word), "{word} in {revc:?}");
        }
        // Its clusters are of fixed sizes.
        let a57 = words("FVP_Base_Cortex-A57x4-A53x4", &machine);
        assert!(!a57.iter().any(|w| w.starts_with("cluster0.N")), "{a57:?}");
        machine.smp = 4;
        let foundation = words("Foundation_Platform", &machine);
        for word in ["--cores=4", "--data=/out/flash.bin@0x8000000"] {
            assert!(foundation.iter().any(|w| w == word), "{foundation:?}");
        }
    }

    #[test]
    fn ports() {
        let line = "terminal_2: Listening for serial connection on port 5002";
        assert_eq!(terminal(line), Some((2, 5002)));
        for other in ["", "terminal_", "terminal_0: ", "Info: port 5000"] {
            assert_eq!(terminal(other), None, "{other}");
        }
    }
}
