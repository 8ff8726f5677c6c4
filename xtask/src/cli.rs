//! The command line.

use crate::{bench, manifest, run, size, testing, trace};
use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Builds, packages, runs and tests Janus.
///
/// What is missing (a rustup target, Debian packages) is installed when that is allowed without
/// asking; otherwise the one command line that would do it is printed. Downloads and builds of other
/// projects are kept under target/cache, or $JANUS_CACHE.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Build the BL31 image.
    Build(BuildArgs),
    /// Package a FIP, and the flash contents with TF-A's BL1 in front of it.
    Fip(FipArgs),
    /// Boot a system on QEMU; on a terminal, its console is yours (Ctrl-A X ends it).
    Run(RunArgs),
    /// Show what Janus makes of a manifest, or what is wrong with it.
    Manifest(manifest::ManifestArgs),
    /// Run the tests.
    Test(testing::TestArgs),
    /// Show a trace of EL3: who called what, and what came back.
    Trace(trace::TraceArgs),
    /// Measure.
    Bench(bench::BenchArgs),
    /// Show the image's size by section and crate, against the C BL31's.
    Size(size::SizeArgs),
    /// Remove what was built.
    Clean(CleanArgs),
}

/// A platform that Janus runs on.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug, Default)]
pub enum Plat {
    /// QEMU's `virt` machine.
    #[default]
    Qemu,
    /// Arm's Base FVP, RevC and older, and the Foundation FVP; here on a QEMU with a board of ours.
    Fvp,
}

impl Plat {
    /// The cargo feature of `janus-bl31` that selects it.
    pub fn feature(self) -> &'static str {
        match self {
            Plat::Qemu => "qemu",
            Plat::Fvp => "fvp",
        }
    }

    /// Its name on the command line, and TF-A's.
    pub fn name(self) -> &'static str {
        self.feature()
    }

    /// Memory of a machine in MiB, where nobody asks for another size. The FVP's is more than fits below
    /// 4 GiB.
    pub fn memory(self) -> u32 {
        match self {
            Plat::Qemu => 1024,
            Plat::Fvp => 4096,
        }
    }

    /// Where BL2 puts the SPMC of the tests.
    pub fn spmc(self) -> u64 {
        match self {
            Plat::Qemu => 0x0e10_0000,
            Plat::Fvp => 0x0600_0000,
        }
    }
}

/// Whose BL31.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug, Default)]
pub enum Runtime {
    /// Janus.
    #[default]
    Janus,
    /// TF-A's, as the reference.
    C,
}

impl Runtime {
    /// Its name on the command line and for the payloads.
    pub fn name(self) -> &'static str {
        match self {
            Runtime::Janus => "janus",
            Runtime::C => "c",
        }
    }
}

/// What is built.
#[derive(Args, Clone, Default)]
pub struct BuildArgs {
    /// The platform.
    #[arg(long, value_enum, default_value_t)]
    pub plat: Plat,
    /// Optimised for size (the default).
    #[arg(long, conflicts_with = "debug")]
    pub release: bool,
    /// With debug assertions and debug messages.
    #[arg(long)]
    pub debug: bool,
    /// Whose BL31.
    #[arg(long, value_enum, default_value_t, value_name = "WHOSE")]
    pub bl31: Runtime,
    /// A TF-A source tree of your own for BL1, BL2 and fiptool, instead of Debian's.
    #[arg(long, value_name = "DIR")]
    pub tfa: Option<PathBuf>,
}

/// What is packaged.
#[derive(Args, Clone, Default)]
pub struct FipArgs {
    #[command(flatten)]
    pub build: BuildArgs,
    /// The software above Janus.
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    pub stack: crate::stacks::Stack,
    /// An SPMC image of your own.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    pub bl32: Option<PathBuf>,
    /// An SPMC manifest of your own (.dts or .dtb).
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// A secure partition for the SPMC, more than one of them one after another: a package made by
    /// TF-A's tools, or an image and its manifest (.dts or .dtb) that are packaged here.
    #[arg(long, value_name = "PACKAGE|IMAGE:MANIFEST", requires = "bl32")]
    pub sp: Vec<String>,
    /// An image of your own for the normal world, linked at 0x60000000.
    #[arg(long, value_name = "FILE")]
    pub bl33: Option<PathBuf>,
    /// The exception level of the SPMC; without it, what the stack has by default.
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub spmc_el: Option<u8>,
}

/// What is run.
#[derive(Args, Clone, Default)]
pub struct RunArgs {
    #[command(flatten)]
    pub fip: FipArgs,
    /// The qemu-system-aarch64 to use.
    #[arg(long, value_name = "PATH")]
    pub qemu: Option<PathBuf>,
    /// Number of cores.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub smp: u32,
    /// QEMU's CPU model, with properties.
    #[arg(long, value_name = "MODEL", default_value = "max")]
    pub cpu: String,
    /// Further properties of QEMU's virt machine, such as mte=on.
    #[arg(long, value_name = "PROPERTIES")]
    pub machine: Option<String>,
    /// Memory of the machine in MiB; without it, what the stack needs.
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// Wait for a debugger on TCP port 1234 before the first instruction.
    #[arg(long)]
    pub gdb: bool,
    /// Record every entry to EL3 and every exit from it, for `cargo xtask trace`; without a file name, in
    /// one below target/.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<Option<PathBuf>>,
}

/// What is removed.
#[derive(Args)]
pub struct CleanArgs {
    /// The cache of downloads and other projects' builds too.
    #[arg(long)]
    pub all: bool,
}

/// Does what was asked for; `false`: it ran, and failed.
///
/// # Errors
/// It could not be done: the message says why and what to do.
pub fn dispatch(cli: Cli) -> Result<bool> {
    match cli.command {
        Sub::Build(args) => run::build(&args),
        Sub::Fip(args) => run::fip(&args),
        Sub::Run(args) => run::run(&args),
        Sub::Test(args) => testing::run(&args),
        Sub::Bench(args) => bench::run(&args),
        Sub::Manifest(args) => manifest::run(&args),
        Sub::Trace(args) => trace::run(&args),
        Sub::Size(args) => size::run(&args),
        Sub::Clean(args) => run::clean(args.all),
    }
}
