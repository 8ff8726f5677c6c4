//! The command line.

use crate::{bench, doctor, fuzz, interop, manifest, picture, run, size, testing, trace};
use anyhow::Result;
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use regex::Regex;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Builds, packages, runs and tests Janus.
///
/// Missing parts (a rustup target, Debian packages) are installed where no password is needed; otherwise the command
/// line that installs them is printed. Downloads and builds of other projects are kept under target/cache, or
/// $JANUS_CACHE.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Sub,
}

/// A command.
#[derive(Subcommand)]
pub enum Sub {
    /// Build the BL31 image.
    Build(BuildOnlyArgs),
    /// Package a FIP, and the flash contents with TF-A's BL1 in front of it.
    Fip(FipArgs),
    /// Boot a system on QEMU; on a terminal, its console is yours (Ctrl-A X ends it).
    #[command(after_help = crate::verdict::HELP)]
    Run(Box<RunArgs>),
    /// Show how Janus reads a manifest, or what is wrong with it.
    Manifest(manifest::ManifestArgs),
    /// Run the tests.
    Test(testing::TestArgs),
    /// Call EL3 at random from both worlds, on all cores at once, and check the machine afterwards.
    Fuzz(fuzz::FuzzArgs),
    /// Show a trace of EL3: who called what, and what came back.
    #[command(disable_help_flag = true)]
    Trace(trace::TraceArgs),
    /// Measure what calls cost at EL3, and show it beside the C BL31.
    Bench(bench::BenchArgs),
    /// Run public software on Janus and on the C BL31, and write the table in docs/interop.md.
    Interop(interop::InteropArgs),
    /// Show which tools and downloads are installed, cached or available, with versions.
    Doctor(doctor::DoctorArgs),
    /// Show the image's size by section and crate, against the C BL31's.
    Size(size::SizeArgs),
    /// Turn a console session (standard input) into a picture.
    Picture(picture::PictureArgs),
    /// Remove what was built.
    Clean(CleanArgs),
}

/// A platform that Janus runs on.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug, Default)]
pub enum Plat {
    /// QEMU's `virt` machine.
    #[default]
    Qemu,
    /// Arm's Base FVP (RevC and older) and Foundation FVP; run here on a QEMU with a board model of ours.
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

    /// The default size of a machine's memory in MiB. On the FVP it does not fit below 4 GiB.
    pub fn memory(self) -> u32 {
        match self {
            Plat::Qemu => 1024,
            Plat::Fvp => 4096,
        }
    }

    /// The address to which BL2 loads BL31 in a boot without a transfer list.
    pub fn bl31(self) -> u64 {
        match self {
            Plat::Qemu => 0x0e09_0000,
            Plat::Fvp => 0x0400_3000,
        }
    }

    /// The address to which BL2 loads BL33.
    pub fn bl33(self) -> u64 {
        match self {
            Plat::Qemu => 0x6000_0000,
            Plat::Fvp => 0x8800_0000,
        }
    }

    /// The secure memory that is left for the SPMC and its partitions.
    pub fn secure_dram(self) -> Range<u64> {
        match self {
            Plat::Qemu => 0x0e10_0000..0x0f00_0000,
            Plat::Fvp => 0x0600_0000..0x0800_0000,
        }
    }

    /// The address to which BL2 loads the SPMC of the tests.
    pub fn spmc(self) -> u64 {
        match self {
            Plat::Qemu => 0x0e10_0000,
            Plat::Fvp => 0x0600_0000,
        }
    }
}

/// The BL31 that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Runtime {
    /// Built from this repository.
    #[default]
    Janus,
    /// TF-A's, as the reference.
    C,
    /// A ready image of the user's. (The values of a command line live as long as the program.)
    File(&'static Path),
}

impl Runtime {
    /// Its name on the command line, and in names of files.
    pub fn name(self) -> &'static str {
        match self {
            Runtime::Janus => "janus",
            Runtime::C => "c",
            Runtime::File(_) => "file",
        }
    }

    /// Reads `janus`, `c`, or the name of a file.
    fn parse(text: &str) -> Result<Runtime, String> {
        if let Ok(known) = <Runtime as ValueEnum>::from_str(text, false) {
            return Ok(known);
        }
        let path = std::path::absolute(text).map_err(|e| e.to_string())?;
        if !path.is_file() {
            return Err("neither `janus` nor `c`, and there is no file of this name".to_owned());
        }
        Ok(Runtime::File(Box::leak(path.into_boxed_path())))
    }
}

impl ValueEnum for Runtime {
    fn value_variants<'a>() -> &'a [Runtime] {
        &[Runtime::Janus, Runtime::C]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Runtime::Janus => Some(PossibleValue::new("janus").help("Janus")),
            Runtime::C => Some(PossibleValue::new("c").help("TF-A's, as the reference")),
            Runtime::File(_) => None,
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads an address: hexadecimal with `0x`, `_` anywhere.
fn address(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    match plain.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => plain.parse(),
    }
    .map_err(|_| format!("`{text}` is no address, such as 0x60000000"))
}

/// Reads `FILE@ADDRESS`.
fn load(text: &str) -> Result<(PathBuf, u64), String> {
    let (file, at) = text
        .rsplit_once('@')
        .ok_or("write it as FILE@ADDRESS, such as data.bin@0x48000000")?;
    let file = std::path::absolute(file).map_err(|e| e.to_string())?;
    if !file.is_file() {
        return Err(format!("{} is not there", file.display()));
    }
    Ok((file, address(at)?))
}

/// Checks that a text is `NAME=VALUE`.
fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("write it as NAME=VALUE, such as LOG_LEVEL=40".to_owned()),
    }
}

/// What to build.
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
    /// Whose BL31: `janus`, `c` (TF-A's, with the features that Janus has), or a ready image.
    #[arg(long, default_value_t, value_name = "janus|c|FILE", value_parser = Runtime::parse)]
    pub bl31: Runtime,
    /// Build Janus' image with landing pads: on a CPU with FEAT_BTI, an indirect branch in EL3 to any other place ends
    /// in a crash report. Builds Rust's `core` too.
    #[arg(long)]
    pub hardened: bool,
    /// A feature of Janus' image in addition to the platform, such as `greeter`; separate several by commas, or repeat.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub features: Vec<String>,
    /// A setting for TF-A's make, such as LOG_LEVEL=40, also with --tfa; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub tfa_arg: Vec<String>,
    /// A TF-A source tree of your own for BL1, BL2 and fiptool, instead of Debian's.
    #[arg(long, value_name = "DIR")]
    pub tfa: Option<PathBuf>,
}

/// What `build` builds.
#[derive(Args, Clone, Default)]
pub struct BuildOnlyArgs {
    /// How it is built.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Build for a platform that no other command knows, named by its cargo feature: one that is being written
    /// (docs/porting.md).
    #[arg(long, value_name = "FEATURE", conflicts_with_all = ["plat", "bl31", "features"])]
    pub board: Option<String>,
}

/// What to package.
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
    /// A secure partition for the SPMC; repeat for several. A package made by TF-A's tools; or an image and its
    /// manifest (.dts or .dtb), which are packaged here; or a layout file (.json) as for TF-A's SP_LAYOUT_FILE.
    #[arg(long, value_name = "PACKAGE|IMAGE:MANIFEST|LAYOUT", requires = "bl32")]
    pub sp: Vec<String>,
    /// An image of your own for the normal world, linked at 0x60000000 or at --bl33-at.
    #[arg(long, value_name = "FILE")]
    pub bl33: Option<PathBuf>,
    /// The address at which the image of --bl33 is linked; it gets the device tree's address in x0.
    #[arg(long, value_name = "ADDRESS", requires = "bl33", value_parser = address)]
    pub bl33_at: Option<u64>,
    /// A Linux kernel (its flat `Image`) instead of the test image or the stack's own kernel; it gets the device tree's
    /// address in x0.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bl33", "bl33_at"])]
    pub kernel: Option<PathBuf>,
    /// The SPMC's exception level; by default, the stack's. It overrides what a manifest of your own says.
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub spmc_el: Option<u8>,
}

impl FipArgs {
    /// Returns whether the normal world is the user's: what it prints, and whether it ends, is not known then.
    pub fn own_software(&self) -> bool {
        self.bl33.is_some() || self.kernel.is_some()
    }
}

/// What to run.
#[derive(Args, Clone, Default)]
pub struct RunArgs {
    #[command(flatten)]
    pub fip: FipArgs,
    /// The qemu-system-aarch64 to use.
    #[arg(long, value_name = "PATH")]
    pub qemu: Option<PathBuf>,
    /// With --plat fvp: run Arm's model (its program) instead of a QEMU with our board; without a path, $FVP_MODEL or
    /// FVP_Base_RevC-2xAEMvA on the PATH. Setting $FVP_MODEL alone does this too.
    #[arg(long, value_name = "PATH", conflicts_with = "qemu")]
    pub model: Option<Option<PathBuf>>,
    /// Further arguments of the model, separated by spaces: `--model-arg '-C cache_state_modelled=1'`; may be repeated.
    #[arg(long, value_name = "ARG…", allow_hyphen_values = true)]
    pub model_arg: Vec<String>,
    /// Number of cores.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub smp: u32,
    /// QEMU's CPU model, with properties.
    #[arg(long, value_name = "MODEL", default_value = "max")]
    pub cpu: String,
    /// Further properties of QEMU's virt machine, such as mte=on.
    #[arg(long, value_name = "PROPERTIES")]
    pub machine: Option<String>,
    /// Memory of the machine in MiB; by default, what the stack needs.
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// Further arguments of QEMU, separated by spaces: `--qemu-arg '-icount shift=3'`; may be repeated.
    #[arg(long, value_name = "ARG…", allow_hyphen_values = true)]
    pub qemu_arg: Vec<String>,
    /// A file to put into memory before the start; may be repeated.
    #[arg(long, value_name = "FILE@ADDRESS", value_parser = load)]
    pub load: Vec<(PathBuf, u64)>,
    /// A device tree (.dts or .dtb) instead of QEMU's own, at 0x40000000.
    #[arg(long, value_name = "FILE")]
    pub dtb: Option<PathBuf>,
    /// The kernel's initramfs, put at 0x68000000.
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Words to add to the kernel's command line.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub append: Option<String>,
    /// Succeed, and end, when a console has printed a line that matches this regular expression; if repeated, when each
    /// was matched, in any order.
    #[arg(long, value_name = "REGEX")]
    pub until: Vec<Regex>,
    /// Fail, and end, when a console prints a line that matches this regular expression; may be repeated.
    #[arg(long, value_name = "REGEX")]
    pub fail: Vec<Regex>,
    /// End the run after this many seconds; by default 900, or what the stack needs.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// End the run after this many seconds without output; by default 180, or what the stack needs.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub idle: Option<u64>,
    /// Wait for a debugger before the first instruction: GDB on TCP port 1234; on a model, an Iris client.
    #[arg(long)]
    pub gdb: bool,
    /// Record every entry to EL3 and every exit from it in this file, for `cargo xtask trace`; without a file name, in
    /// one below target/.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<Option<PathBuf>>,
}

/// What to remove.
#[derive(Args)]
pub struct CleanArgs {
    /// Remove the cache of downloads and of other projects' builds too.
    #[arg(long)]
    pub all: bool,
}

/// Does what was asked for; returns `false` if it ran and failed.
///
/// # Errors
/// It could not run: the message says why and what to do.
pub fn dispatch(cli: Cli) -> Result<bool> {
    match cli.command {
        Sub::Build(args) => run::build(&args),
        Sub::Fip(args) => run::fip(&args),
        Sub::Run(args) => run::run(&args),
        Sub::Test(args) => testing::run(&args),
        Sub::Bench(args) => bench::run(&args),
        Sub::Manifest(args) => manifest::run(&args),
        Sub::Fuzz(args) => fuzz::run(&args),
        Sub::Trace(args) => trace::run(&args),
        Sub::Interop(args) => interop::run(&args),
        Sub::Doctor(args) => doctor::run(&args),
        Sub::Size(args) => size::run(&args),
        Sub::Picture(args) => picture::run(&args),
        Sub::Clean(args) => run::clean(args.all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xtask is not built with the platforms, so it has some of their addresses once more.
    #[test]
    fn a_platforms_addresses_are_the_platforms_own() {
        let address = |number: u64| {
            let digits = format!("{number:08x}");
            let (high, low) = digits.split_at(4);
            format!("0x{high}_{low}")
        };
        for plat in Plat::value_variants() {
            let file = crate::paths::root().join(format!("plat/src/{}/mod.rs", plat.feature()));
            let text = std::fs::read_to_string(&file).expect("a platform has this file");
            let secure = plat.secure_dram();
            let secure = format!("{}..{}", address(secure.start), address(secure.end));
            for says in [
                format!("        image: {}..", address(plat.bl31())),
                format!("    const SECURE_RAM: Range<u64> = {secure};"),
            ] {
                assert!(text.contains(&says), "{}: no `{says}`", file.display());
            }
            assert_eq!(crate::bl31::code(*plat).start, plat.bl31());
            assert_eq!(plat.spmc(), plat.secure_dram().start);
        }
    }

    fn run_args(words: &[&str]) -> Result<RunArgs, String> {
        let all = ["xtask", "run"].iter().chain(words);
        match Cli::try_parse_from(all).map_err(|e| e.to_string())?.command {
            Sub::Run(args) => Ok(*args),
            _ => Err("another command".to_owned()),
        }
    }

    #[test]
    fn a_machine_of_ones_own() {
        let this = file!().rsplit_once('/').map_or("", |(_, name)| name);
        let file = format!("{}/src/{this}", env!("CARGO_MANIFEST_DIR"));
        let at = format!("{file}@0x4800_0000");
        let args = run_args(&[
            "--qemu-arg",
            "-icount shift=3,sleep=off",
            "--qemu-arg",
            "-rtc",
            "--load",
            &at,
            "--tfa-arg",
            "LOG_LEVEL=40",
            "--bl31",
            &file,
            "--until",
            "a+",
            "--until",
            "b",
            "--fail",
            "^FAIL",
            "--timeout",
            "20",
            "--idle",
            "5",
            "--features",
            "greeter,other",
        ])
        .expect("understood");
        assert_eq!(args.qemu_arg, ["-icount shift=3,sleep=off", "-rtc"]);
        assert_eq!(args.load, [(PathBuf::from(&file), 0x4800_0000)]);
        assert_eq!(args.fip.build.tfa_arg, ["LOG_LEVEL=40"]);
        assert_eq!(args.fip.build.features, ["greeter", "other"]);
        assert!(matches!(args.fip.build.bl31, Runtime::File(f) if f == Path::new(&file)));
        assert_eq!((args.until.len(), args.fail.len()), (2, 1));
        assert_eq!((args.timeout, args.idle), (Some(20), Some(5)));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_write() {
        for (words, says) in [
            (&["--bl31", "no-such-file"][..], "neither `janus` nor `c`"),
            (&["--load", "nowhere"], "FILE@ADDRESS"),
            (&["--load", "nowhere@0"], "is not there"),
            (&["--bl33", "x", "--bl33-at", "here"], "no address"),
            (&["--bl33-at", "0x60000000"], "--bl33"),
            (&["--tfa-arg", "j8"], "NAME=VALUE"),
            (&["--until", "("], "unclosed group"),
            (&["--kernel", "x", "--bl33", "y"], "cannot be used with"),
        ] {
            let error = run_args(words).err().expect("refused");
            assert!(error.contains(says), "{words:?}: {error}");
        }
    }

    #[test]
    fn the_help_says_what_ends_a_run() {
        let error = run_args(&["--help"]).err().expect("the help");
        for text in [
            "PANIC",
            "this core stops here",
            "--until",
            "--idle",
            "nothing within",
        ] {
            assert!(error.contains(text), "no `{text}` in {error}");
        }
    }
}
