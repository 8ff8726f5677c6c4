//! The systems that run above the EL3 runtime: their images, their machine, and what they must print.

pub mod linux;
pub mod optee;
mod optee_linux;
mod optee_pkvm;
pub mod optee_uboot;
pub mod optee_xen;
mod optee_xtest;
pub mod test;

use crate::cli::{FipArgs, Plat};
use crate::console::{Limits, Uart};
use crate::fip::Images;
use crate::{own_manifest, partitions, paths, tfa, ui};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use std::path::PathBuf;

/// The software above Janus.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug, Default)]
pub enum Stack {
    /// The test SPMC and the test hypervisor of this repository.
    #[default]
    Test,
    /// OP-TEE as the SPMC at S-EL1, and Debian's Linux with its FF-A drivers.
    OpteeLinux,
    /// OP-TEE and Debian's U-Boot, up to its prompt.
    OpteeUboot,
    /// OP-TEE's own test suite on Linux.
    OpteeXtest,
    /// Linux as a protected hypervisor (pKVM), with its FF-A proxy.
    OpteePkvm,
    /// Xen with its FF-A mediator, Linux as domain 0, and a second domain.
    OpteeXen,
}

impl Stack {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|v| v.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// A demonstration is not silent for longer, and does not run for longer.
const LIMITS: Limits = Limits::secs(180, 900);

/// The purpose for which a stack is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// A person has the console; the run does not end by itself.
    Interactive,
    /// The run shows that everything comes up, and ends.
    Demo,
    /// A test; `full` is the long version.
    Test {
        /// The long version.
        full: bool,
    },
}

impl Mode {
    /// The word that tells the guests' first process what to do.
    fn word(self) -> &'static str {
        match self {
            Mode::Interactive => "shell",
            Mode::Demo => "demo",
            Mode::Test { full: false } => "test",
            Mode::Test { full: true } => "full",
        }
    }
}

/// A step of a script: a text to wait for, and what to type then.
pub struct Step {
    /// The console with the text.
    pub uart: Uart,
    /// The text to wait for.
    pub wait: &'static str,
    /// Typed into UART0 then; empty for nothing.
    pub send: &'static str,
}

/// A step that waits for a text on UART0.
pub fn sees(wait: &'static str) -> Step {
    Step {
        uart: Uart::Normal,
        wait,
        send: "",
    }
}

/// A stack that is ready to be packaged and started.
pub struct Prepared {
    /// The options of BL1 and BL2.
    pub tfa: tfa::Options,
    /// The images of the FIP; BL31 is added later.
    pub images: Images,
    /// Files that QEMU loads into memory, with their addresses.
    pub loaded: Vec<(PathBuf, u64)>,
    /// Memory in MiB.
    pub memory: u32,
    /// The steps of a successful demonstration, in this order.
    pub script: Vec<Step>,
    /// The kernel's part of the device tree; `None` leaves QEMU's own device tree as it is.
    pub chosen: Option<linux::Chosen>,
    /// Whether the script resets the machine, which then boots again.
    pub reboots: bool,
    /// How long it may be silent, and how long it may run.
    pub limits: Limits,
    /// Two texts that UART1 must print equally often, the first one once more for domain 0, which is still there at the
    /// end.
    pub secure_counts: Option<(&'static str, &'static str)>,
    /// The FF-A version that the user's manifest names.
    pub version: Option<(u32, u32)>,
    /// What a person should know, such as paths of files.
    pub hints: Vec<String>,
}

/// Builds or finds the parts of a stack; the user's own images replace its own.
/// # Errors
/// Something cannot be built or downloaded.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    ensure!(
        args.build.plat == Plat::Qemu
            || matches!(
                args.stack,
                Stack::Test | Stack::OpteeLinux | Stack::OpteeXtest
            ),
        "the stack {} runs on QEMU virt only; on the FVP there are test, optee-linux and optee-xtest",
        args.stack.name()
    );
    let mut prepared = match args.stack {
        Stack::Test => test::prepare(args)?,
        Stack::OpteeLinux => optee_linux::prepare(args, mode)?,
        Stack::OpteeUboot => optee_uboot::prepare(args, mode)?,
        Stack::OpteeXtest => optee_xtest::prepare(args, mode)?,
        Stack::OpteePkvm => optee_pkvm::prepare(args, mode)?,
        Stack::OpteeXen => optee_xen::prepare(args, mode)?,
    };
    for (own, place) in [
        (&args.bl32, &mut prepared.images.bl32),
        (&args.bl33, &mut prepared.images.bl33),
    ] {
        if let Some(file) = own {
            *place = Some(std::path::absolute(file)?);
        }
    }
    if args.own_software() {
        // The output of another normal world is not known, nor whether it ends.
        prepared.script.clear();
        prepared.secure_counts = None;
        let config = test::config_address(args.build.plat);
        prepared.loaded.retain(|(_, at)| *at != config);
    }
    let mut facts_of_own = None;
    if let Some(file) = &args.manifest {
        let dir = paths::out().join("manifest");
        let (dtb, facts) = own_manifest::prepare(file, args.spmc_el, &dir)?;
        let level = facts.spmc_el.unwrap_or(1);
        match facts.spmc_el {
            Some(level) => ui::say(format!("the SPMC manifest has the SPMC at S-EL{level}")),
            None => ui::say(
                "nothing in the SPMC manifest says where the SPMC runs, so it is packaged for S-EL1: \
                 give --spmc-el 2 for S-EL2",
            ),
        }
        if matches!(
            prepared.tfa.dispatcher,
            tfa::Dispatcher::SpmdEl1 | tfa::Dispatcher::SpmdEl2
        ) {
            prepared.tfa.dispatcher = if level == 2 {
                tfa::Dispatcher::SpmdEl2
            } else {
                tfa::Dispatcher::SpmdEl1
            };
        }
        prepared.images.tb_fw_config =
            (level == 2).then(|| paths::fiptool_cfg("no-partitions.dts"));
        prepared.images.manifest = Some(dtb);
        prepared.version = facts.version;
        facts_of_own = Some(facts);
    }
    if args.bl32.is_some() {
        // OP-TEE's further parts do not belong to another SPMC.
        prepared.images.bl32_extra.clear();
        prepared.tfa.optee = false;
    }
    own_normal_world(args, &mut prepared)?;
    let mut places = Vec::new();
    if !args.sp.is_empty() {
        ensure!(
            prepared.tfa.dispatcher == tfa::Dispatcher::SpmdEl2,
            "--sp: BL2 loads partitions for an SPMC at S-EL2 only; give --spmc-el 2, or a manifest with a `hypervisor` node"
        );
        let dir = paths::out().join("partitions");
        let packages = partitions::packages(&args.sp, args.build.plat, &dir)?;
        prepared.images.tb_fw_config = Some(partitions::tb_fw_config(&packages, &dir)?);
        places = packages
            .iter()
            .map(|package| package.load_address)
            .collect();
        prepared.images.partitions = packages.into_iter().map(|p| (p.uuid, p.file)).collect();
    }
    for missing in facts_of_own
        .iter()
        .flat_map(|facts| facts.without_package(&places))
    {
        ui::say(format!("{missing}: an SPMC may stop there"));
    }
    Ok(prepared)
}

/// Replaces the stack's normal world with the user's kernel or BL33, in QEMU's memory or in the FIP.
fn own_normal_world(args: &FipArgs, prepared: &mut Prepared) -> Result<()> {
    if let Some(file) = &args.kernel {
        let file = std::path::absolute(file)?;
        ensure!(file.is_file(), "--kernel: {} is not there", file.display());
        if args.build.plat == Plat::Fvp {
            return optee_linux::replace_kernel_on_fvp(&mut prepared.loaded, file);
        }
        prepared.loaded.retain(|(_, at)| *at != linux::KERNEL);
        prepared.loaded.push((file, linux::KERNEL));
        prepared.tfa.preloaded_bl33 = Some(linux::KERNEL);
        prepared.images.bl33 = None;
        prepared.chosen.get_or_insert(linux::Chosen::Linux {
            bootargs: "console=ttyAMA0 earlycon".to_owned(),
            initrd: None,
        });
    } else if let (Some(at), Some(file)) = (
        args.bl33_at,
        prepared.images.bl33.take_if(|_| args.bl33_at.is_some()),
    ) {
        prepared.loaded.push((file, at));
        prepared.tfa.preloaded_bl33 = Some(at);
    } else if args.bl33.is_some() {
        // A BL33 is an image in the FIP, even where the stack's own is a kernel.
        prepared.tfa.preloaded_bl33 = None;
        prepared.loaded.clear();
        prepared.chosen = None;
    }
    Ok(())
}

#[cfg(test)]
impl Prepared {
    /// A stack without any software.
    pub fn empty() -> Prepared {
        Prepared {
            tfa: tfa::Options::default(),
            images: Images::default(),
            loaded: Vec::new(),
            memory: 1024,
            script: Vec::new(),
            chosen: None,
            reboots: false,
            limits: LIMITS,
            secure_counts: None,
            version: None,
            hints: Vec::new(),
        }
    }

    /// An empty stack with the user's normal world.
    pub fn with_own(args: &FipArgs) -> Result<Prepared> {
        let mut prepared = Prepared::empty();
        prepared.images.bl33.clone_from(&args.bl33);
        own_normal_world(args, &mut prepared)?;
        Ok(prepared)
    }
}
