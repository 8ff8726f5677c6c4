//! TF-A's BL1, BL2, fiptool, and its C BL31 as the reference.
//!
//! Built from Debian's source package, or in the user's own tree. TF-A's make does not notice that
//! its options changed, so every option set has a build directory of its own; a fixed time stamp
//! makes the images reproducible.

use crate::cli::Plat;
use crate::{apt, packages, paths, proc, store, ui};
use anyhow::{Context, Result, bail};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Versions of Debian's `arm-trusted-firmware` that are known to work, the preferred one first.
pub const VERSIONS: &[&str] = &["2.12.1+dfsg-1", "2.12.1+dfsg-1+deb13u1"];

/// The secure payload dispatcher that TF-A is built for. It decides what BL2 hands over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dispatcher {
    /// FF-A's SPMD with the SPMC at S-EL1.
    #[default]
    SpmdEl1,
    /// FF-A's SPMD with the SPMC at S-EL2; BL2 then wants a TB_FW_CONFIG too.
    SpmdEl2,
    /// Another dispatcher: BL32 has no SPMC manifest.
    NoManifest,
    /// None: BL2 loads no BL32.
    None,
}

/// The options that decide TF-A's images.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The platform.
    pub plat: Plat,
    /// Which dispatcher, and the level of its SPMC.
    pub dispatcher: Dispatcher,
    /// Whether BL32 has OP-TEE's header and arguments.
    pub optee: bool,
    /// The address of a kernel (or Xen) that QEMU puts into memory as BL33; x0 is the device tree.
    pub preloaded_bl33: Option<u64>,
    /// Whether it is TF-A's debug build: messages, assertions.
    pub debug: bool,
    /// Whether the C BL31 has the optional features that Janus has. An SPMC at S-EL2 such as Hafnium expects them of
    /// EL3, and with them the comparison is fair.
    pub like_janus: bool,
    /// Whether the C BL31 has all that Janus has, as far as TF-A knows it: [`Options::like_janus`], the other extensions
    /// and the optional services. Only the bench and the comparison of sizes ask for it.
    pub featured: bool,
    /// Further settings for make, `NAME=VALUE`.
    pub more: Vec<String>,
}

/// What [`Options::like_janus`] switches on; detected at run time where TF-A can.
const LIKE_JANUS: &[&str] = &[
    "ENABLE_FEAT_MTE2=2",
    "ENABLE_SVE_FOR_NS=2",
    "ENABLE_SVE_FOR_SWD=1",
    "ENABLE_SME_FOR_NS=2",
    "ENABLE_SME2_FOR_NS=2",
    "ENABLE_SME_FOR_SWD=1",
    "CTX_INCLUDE_PAUTH_REGS=1",
    "CTX_INCLUDE_AARCH32_REGS=0",
];

/// What [`Options::featured`] switches on besides; 2: found out at run time.
const FEATURED: &[&str] = &[
    "ENABLE_PSCI_STAT=1",
    "ENABLE_PMF=1",
    "PSCI_OS_INIT_MODE=1",
    "TRNG_SUPPORT=1",
    "ERRATA_ABI_SUPPORT=1",
    "ENABLE_SYS_REG_TRACE_FOR_NS=2",
    "ENABLE_TRF_FOR_NS=2",
    "ENABLE_TRBE_FOR_NS=2",
    "ENABLE_BRBE_FOR_NS=2",
    "ENABLE_SPE_FOR_NS=2",
    "ENABLE_FEAT_AMU=2",
    "ENABLE_FEAT_AMUv1p1=2",
    "ENABLE_FEAT_CSV2_3=2",
    "ENABLE_FEAT_D128=2",
    "ENABLE_FEAT_DEBUGV8P9=2",
    "ENABLE_FEAT_FGT2=2",
    "ENABLE_FEAT_GCS=2",
    "ENABLE_FEAT_LS64_ACCDATA=2",
    "ENABLE_FEAT_MPAM=2",
    "ENABLE_FEAT_S1PIE=2",
    "ENABLE_FEAT_S1POE=2",
    "ENABLE_FEAT_S2PIE=2",
    "ENABLE_FEAT_S2POE=2",
    "ENABLE_FEAT_SCTLR2=2",
    "ENABLE_FEAT_TCR2=2",
    "ENABLE_FEAT_THE=2",
    "ENABLE_FEAT_TWED=2",
    "CTX_INCLUDE_NEVE_REGS=2",
];
/// TF-A's files for PSCI's statistics, which its platform for QEMU does not name.
const STATISTICS: &str = "lib/pmf/pmf_main.c lib/pmf/pmf_smc.c";
/// The file that TRNG_SUPPORT needs, from the repository's root.
const ENTROPY: &str = "tests/bench/tfa/entropy.c";
const ENTROPY_TEXT: &str = include_str!("../../tests/bench/tfa/entropy.c");

/// The images that a build leaves, and where they were built.
pub struct Built {
    /// The platform that they are for.
    pub plat: Plat,
    /// BL1, at the start of the flash.
    pub bl1: PathBuf,
    /// BL2, in the FIP.
    pub bl2: PathBuf,
    /// TF-A's own BL31, for a dispatcher that has one.
    pub bl31: PathBuf,
    /// Its ELF file.
    pub bl31_elf: PathBuf,
    /// Packs FIPs.
    pub fiptool: PathBuf,
    /// The firmware's own device trees that BL2 wants beside it, each with fiptool's option.
    pub configs: Vec<(&'static str, PathBuf)>,
}

/// The device trees that the FVP's BL2 reads: where things go, and what the hardware is. Its cores are
/// described with the MT bit in MPIDR_EL1, as RevC has them.
const FVP_CONFIGS: &[(&str, &str)] = &[
    ("--fw-config", "fvp_fw_config.dtb"),
    ("--tb-fw-config", "fvp_tb_fw_config.dtb"),
    ("--soc-fw-config", "fvp_soc_fw_config.dtb"),
    ("--nt-fw-config", "fvp_nt_fw_config.dtb"),
    ("--hw-config", "fvp-base-gicv3-psci-1t.dtb"),
];
/// The setting of TF-A's make that chooses the last one.
const FVP_HW_CONFIG: &str = "FVP_DT_PREFIX=fvp-base-gicv3-psci-1t";

impl Options {
    /// The arguments of TF-A's make for this option set.
    pub fn make_args(&self, layout: &Path) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        let mut put = |a: &str| args.push(a.to_owned());
        put(&format!("PLAT={}", self.plat.name()));
        match self.plat {
            Plat::Qemu => put("QEMU_USE_GIC_DRIVER=QEMU_GICV3"),
            Plat::Fvp => put(FVP_HW_CONFIG),
        }
        match self.dispatcher {
            Dispatcher::SpmdEl1 => {
                put("SPD=spmd");
                put("SPMD_SPM_AT_SEL2=0");
            }
            Dispatcher::SpmdEl2 => {
                put("SPD=spmd");
                put("SPMD_SPM_AT_SEL2=1");
                put(&format!("SP_LAYOUT_FILE={}", layout.display()));
            }
            Dispatcher::NoManifest => put("SPD=opteed"),
            Dispatcher::None => {}
        }
        if self.optee {
            put("SPMC_OPTEE=1");
        }
        if let Some(base) = self.preloaded_bl33 {
            put("ARM_LINUX_KERNEL_AS_BL33=1");
            put(&format!("PRELOADED_BL33_BASE={base:#x}"));
        }
        if self.debug {
            put("DEBUG=1");
        }
        if self.like_janus || self.featured {
            LIKE_JANUS.iter().for_each(|arg| put(arg));
        }
        if self.featured {
            FEATURED.iter().for_each(|arg| put(arg));
        }
        // The user's come last: make takes the last of two.
        self.more.iter().for_each(|arg| put(arg));
        args
    }

    /// A name for the option set that can stand in a path.
    fn name(&self) -> String {
        let mut name = match self.dispatcher {
            Dispatcher::SpmdEl1 => "el1",
            Dispatcher::SpmdEl2 => "el2",
            Dispatcher::NoManifest => "no-manifest",
            Dispatcher::None => "no-spmc",
        }
        .to_owned();
        if self.plat != Plat::Qemu {
            name = format!("{}-{name}", self.plat.name());
        }
        if self.optee {
            name += "-optee";
        }
        if let Some(base) = self.preloaded_bl33 {
            name += &format!("-bl33-{base:x}");
        }
        if self.debug {
            name += "-debug";
        }
        if self.like_janus {
            name += "-like-janus";
        }
        if self.featured {
            let mut hasher = DefaultHasher::new();
            (LIKE_JANUS, FEATURED, STATISTICS, ENTROPY_TEXT).hash(&mut hasher);
            name += &format!("-featured-{:016x}", hasher.finish());
        }
        if !self.more.is_empty() {
            let mut hasher = DefaultHasher::new();
            self.more.hash(&mut hasher);
            name += &format!("-{:016x}", hasher.finish());
        }
        name
    }
}

/// Checks that the C BL31 takes an SPMC of FF-A version `version`.
///
/// # Errors
/// It does not: it would leave the SPMC out, and go on without FF-A.
pub fn takes_manifest(tree: Option<&Path>, version: Option<(u32, u32)>) -> Result<()> {
    let Some((major, minor)) = version else {
        return Ok(());
    };
    let source = match tree {
        Some(tree) => tree.to_owned(),
        None => apt::source(apt::TRIXIE_SOURCE, "arm-trusted-firmware", VERSIONS)?.0,
    };
    let header = source.join("include/services/ffa_svc.h");
    let text = std::fs::read_to_string(&header).unwrap_or_default();
    let Some(own) = ffa_version(&text) else {
        ui::say(format!(
            "{} does not say which FF-A version the C BL31 has; the manifest's is {major}.{minor}",
            header.display()
        ));
        return Ok(());
    };
    if major != own.0 || minor > own.1 {
        bail!(
            "the manifest says that the SPMC has FF-A {major}.{minor}; this C BL31 knows {}.{} and would leave it out: \
             change `min_ver` to {} in a copy for the C BL31, or give a later TF-A with --tfa",
            own.0,
            own.1,
            own.1
        );
    }
    Ok(())
}

/// FF-A's version in TF-A's header.
fn ffa_version(header: &str) -> Option<(u32, u32)> {
    let number = |name: &str| {
        let line = header
            .lines()
            .find(|l| l.split_whitespace().nth(1) == Some(name))?;
        let value = line.split_whitespace().nth(2)?;
        value
            .trim_start_matches("U(")
            .trim_end_matches(')')
            .parse()
            .ok()
    };
    Some((number("FFA_VERSION_MAJOR")?, number("FFA_VERSION_MINOR")?))
}

/// Builds TF-A for an option set, or finds it built; in `tree` if the user gave one.
///
/// # Errors
/// The source is not available, a tool is missing, or TF-A does not build.
pub fn build(options: &Options, tree: Option<&Path>) -> Result<Built> {
    match tree {
        Some(tree) => {
            let tree = std::path::absolute(tree)?;
            let plat = match options.plat {
                Plat::Qemu => "plat/qemu",
                Plat::Fvp => "plat/arm/board/fvp",
            };
            if !tree.join(plat).is_dir() {
                bail!(
                    "{} is not a TF-A source tree (no {plat} in it): give --tfa the top of one",
                    tree.display()
                );
            }
            // The user's tree may have changed: make is always asked, in a directory that belongs to this tree.
            let id = tree.to_string_lossy().replace(['/', ' '], "_");
            let base = paths::out().join("tfa").join(id).join(options.name());
            let _lock = store::lock("tfa-user-tree")?;
            make(
                options,
                &tree,
                &base,
                &format!("TF-A of {}", tree.display()),
            )?;
            built(&tree, &base, options)
        }
        None => {
            let (source, version) =
                apt::source(apt::TRIXIE_SOURCE, "arm-trusted-firmware", VERSIONS)?;
            let dir = store::entry(&format!("tfa-{}-{}", version, options.name()), |dir| {
                // The option sets share the source tree, in which fiptool is built.
                let _lock = store::lock("tfa-source")?;
                make(
                    options,
                    &source,
                    dir,
                    &format!("TF-A {version}, {}", options.name()),
                )
            })?;
            built(&source, &dir, options)
        }
    }
}

/// Runs TF-A's make with `extra` arguments and targets in a fresh build directory: for the drop-in test.
///
/// # Errors
/// As [`build`].
pub fn make_fip(options: &Options, base: &Path, extra: &[String]) -> Result<PathBuf> {
    let (source, version) = apt::source(apt::TRIXIE_SOURCE, "arm-trusted-firmware", VERSIONS)?;
    let _lock = store::lock("tfa-source")?;
    let step = ui::step(format!("TF-A {version}: its own fip target with BL31="));
    let mut command = command(options, &source, base);
    command.args(extra).arg("fip");
    proc::logged(&mut command, &base.join("make.log"))?;
    step.done();
    Ok(images(base, options).join("fip.bin"))
}

fn make(options: &Options, source: &Path, base: &Path, what: &str) -> Result<()> {
    let step = ui::step(what);
    let mut command = command(options, source, base);
    command.args(["bl1", "bl2", "fiptool"]);
    if options.plat == Plat::Fvp {
        command.arg("dtbs");
    }
    if matches!(
        options.dispatcher,
        Dispatcher::SpmdEl1 | Dispatcher::SpmdEl2
    ) {
        command.arg("bl31");
    }
    proc::logged(&mut command, &base.join("make.log"))?;
    step.done();
    Ok(())
}

fn command(options: &Options, source: &Path, base: &Path) -> Command {
    let mut make = Command::new("make");
    make.arg("-C")
        .arg(source)
        .args(["-j2", "CROSS_COMPILE=aarch64-linux-gnu-"]);
    make.args([
        "BUILD_STRING=janus",
        "BUILD_MESSAGE_TIMESTAMP=\"reproducible\"",
    ]);
    make.arg(format!("BUILD_BASE={}", base.display()));
    make.args(options.make_args(&paths::fiptool_cfg("no-partitions.json")));
    // TF-A's makefiles add to this list.
    make.env_remove("BL31_SOURCES");
    if options.featured {
        let entropy = paths::root().join(ENTROPY);
        let more = match options.plat {
            Plat::Qemu => STATISTICS,
            Plat::Fvp => "",
        };
        make.env("BL31_SOURCES", format!("{} {more}", entropy.display()));
    }
    // Cargo's or a parent make's settings are not meant for this build.
    for name in [
        "MAKEFLAGS",
        "MAKELEVEL",
        "CFLAGS",
        "LDFLAGS",
        "CC",
        "LD",
        "DEBUG",
    ] {
        make.env_remove(name);
    }
    make
}

fn images(base: &Path, options: &Options) -> PathBuf {
    base.join(options.plat.name())
        .join(if options.debug { "debug" } else { "release" })
}

fn built(source: &Path, base: &Path, options: &Options) -> Result<Built> {
    let dir = images(base, options);
    // Up to 2.12 fiptool is built in the source tree, later versions build it with the images.
    let fiptool = [
        dir.join("tools/fiptool/fiptool"),
        source.join("tools/fiptool/fiptool"),
    ]
    .into_iter()
    .find(|p| p.is_file())
    .context("TF-A's build left no fiptool")?;
    let configs = match options.plat {
        Plat::Qemu => Vec::new(),
        Plat::Fvp => FVP_CONFIGS
            .iter()
            .map(|(option, file)| (*option, dir.join("fdts").join(file)))
            // With a transfer list there is no FW_CONFIG, nor the files that it leads to.
            .filter(|(_, file)| file.is_file())
            .collect(),
    };
    Ok(Built {
        plat: options.plat,
        bl1: dir.join("bl1.bin"),
        bl2: dir.join("bl2.bin"),
        bl31: dir.join("bl31.bin"),
        bl31_elf: dir.join("bl31/bl31.elf"),
        fiptool,
        configs,
    })
}

/// Installs what a TF-A build needs.
///
/// # Errors
/// See [`packages::ensure`].
pub fn ensure_tools() -> Result<()> {
    packages::ensure(
        &[
            "make",
            "gcc",
            "libc6-dev",
            "gcc-aarch64-linux-gnu",
            "libssl-dev",
            "device-tree-compiler",
            "python3",
        ],
        "to build TF-A's BL1 and BL2",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_ones_own_come_last_and_have_a_build_of_their_own() {
        let mut options = Options {
            dispatcher: Dispatcher::SpmdEl2,
            like_janus: true,
            ..Options::default()
        };
        let usual = options.name();
        options.more = vec!["ENABLE_FEAT_MTE2=0".to_owned()];
        let args = options.make_args(Path::new("layout"));
        assert_eq!(args.last().map(String::as_str), Some("ENABLE_FEAT_MTE2=0"));
        assert!(args.iter().any(|a| a == "ENABLE_SME_FOR_SWD=1"));
        assert_ne!(options.name(), usual);
    }

    #[test]
    fn the_featured_build_has_all_settings_and_a_directory_of_its_own() {
        let plain = Options::default();
        let featured = Options {
            featured: true,
            ..Options::default()
        };
        let args = featured.make_args(Path::new("layout"));
        for wanted in ["ENABLE_SME_FOR_SWD=1", "TRNG_SUPPORT=1"] {
            assert!(args.iter().any(|a| a == wanted), "{wanted}");
            assert!(
                !plain
                    .make_args(Path::new("layout"))
                    .iter()
                    .any(|a| a == wanted)
            );
        }
        assert_ne!(plain.name(), featured.name());
        let sources = |options: &Options| {
            let command = command(options, Path::new("tfa"), Path::new("out"));
            let value = command.get_envs().find(|(name, _)| *name == "BL31_SOURCES");
            value.and_then(|(_, value)| value.map(|v| v.to_string_lossy().into_owned()))
        };
        assert_eq!(sources(&plain), None);
        let added = sources(&featured).unwrap_or_default();
        assert!(
            added.contains(ENTROPY) && added.contains("pmf_smc.c"),
            "{added}"
        );
    }

    #[test]
    fn a_version_that_the_c_bl31_does_not_know_is_refused_before_the_boot() {
        let tree = tempfile::tempdir().expect("a directory");
        let header = tree.path().join("include/services/ffa_svc.h");
        std::fs::create_dir_all(header.parent().expect("it has one")).expect("made");
        let text = "#define FFA_VERSION_MAJOR U(1)\n#define FFA_VERSION_MINOR U(2)\n";
        std::fs::write(&header, text).expect("written");
        let takes = |version| takes_manifest(Some(tree.path()), version).map_err(|e| e.to_string());
        for version in [None, Some((1, 0)), Some((1, 2))] {
            assert_eq!(takes(version), Ok(()));
        }
        for version in [(1, 3), (2, 0), (0, 9)] {
            let error = takes(Some(version)).expect_err("refused");
            assert!(
                error.contains("knows 1.2") && error.contains("min_ver"),
                "{error}"
            );
        }
        // A tree that does not say its version: only a warning.
        std::fs::write(&header, "").expect("written");
        assert_eq!(takes(Some((1, 3))), Ok(()));
    }

    #[test]
    fn version_of_ffa_in_a_header() {
        let text = "#define FFA_VERSION_MAJOR\t\tU(1)\n#define FFA_VERSION_MAJOR_SHIFT\t16\n\
                    #define FFA_VERSION_MINOR\tU(2)\n";
        assert_eq!(ffa_version(text), Some((1, 2)));
        assert_eq!(ffa_version(""), None);
    }
}
