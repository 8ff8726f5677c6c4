//! The bare-metal Rust toolchain: rustup's target, or `core` built from Debian's sources.

use crate::{packages, paths, proc, ui};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// EL3 must leave the FP and SIMD registers to the lower levels: hence softfloat.
pub const TARGET: &str = "aarch64-unknown-none-softfloat";

/// How to build for [`TARGET`] on this machine.
enum Toolchain {
    /// The target's `core` is installed.
    Installed,
    /// Debian's cargo and rustc, which build `core` from `rust-web-src`.
    BuildStd,
}

/// The cargo profile of images with debug assertions. Not `dev`: unoptimised, EL3's image does not
/// fit into the memory that BL2 leaves for it.
const DEBUG_PROFILE: &str = "debug-image";

/// What a bare-metal binary is. Each kind has its own compiler flags, and so its own directory below cargo's target
/// directory: in a shared one, a build would throw away what the build of another kind made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Binary {
    /// EL3's image. With its RAM it takes less than 1 MiB, so that one instruction reaches each of its addresses. (The
    /// linker reports an error if it ever gets larger.)
    Image,
    /// EL3's image with a landing pad wherever an indirect branch may go. The compiler makes them by an unstable option
    /// only, and the ready-made `core` has none; so `core` is built too.
    Hardened,
    /// A program of the tests that runs above EL3.
    Payload,
}

impl Binary {
    /// The compiler flags beside those of `.cargo/config.toml`.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Binary::Image => &["-Ccode-model=tiny"],
            // bl31 maps its code with the guard bit under this cfg.
            Binary::Hardened => &[
                "-Ccode-model=tiny",
                "-Zbranch-protection=bti",
                "--cfg=landing_pads",
            ],
            Binary::Payload => &[],
        }
    }

    /// Where cargo builds it.
    pub fn target_dir(self) -> PathBuf {
        paths::target().join(match self {
            Binary::Image => "image",
            Binary::Hardened => "hardened",
            Binary::Payload => "payload",
        })
    }
}

/// The log of cargo's output for a build of `package` and `bin`.
pub fn log(package: &str, bin: &str) -> PathBuf {
    paths::out().join(format!("log/cargo-{package}-{bin}.log"))
}

/// Builds one binary of the workspace for bare metal.
///
/// Returns the path of the linked ELF file.
///
/// # Errors
/// No toolchain can be had, or the build fails.
pub fn build(
    kind: Binary,
    package: &str,
    bin: &str,
    features: &str,
    debug: bool,
) -> Result<PathBuf> {
    let toolchain = ensure()?;
    let step = ui::step(format!(
        "{package}: {bin} ({})",
        if debug { "debug" } else { "release" }
    ));
    let mut cargo = cargo(&toolchain);
    if kind == Binary::Hardened && matches!(toolchain, Toolchain::Installed) {
        ensure_sources()?;
        cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core");
    }
    cargo.current_dir(paths::root()).args([
        "build",
        "--package",
        package,
        "--bin",
        bin,
        "--target",
        TARGET,
    ]);
    if !features.is_empty() {
        cargo.args(["--features", features]);
    }
    let mut flags = remapped_paths();
    flags.extend(kind.flags().iter().map(|&flag| flag.to_owned()));
    cargo.args(["--config", &rustflags(&flags)]);
    let target_dir = kind.target_dir();
    cargo.arg("--target-dir").arg(&target_dir);
    let profile = if debug { DEBUG_PROFILE } else { "release" };
    cargo.args(["--profile", profile]);
    proc::logged(&mut cargo, &log(package, bin))?;
    step.done();
    Ok(target_dir.join(TARGET).join(profile).join(bin))
}

/// The log of cargo's output for the build of a plugin or a program.
pub fn plugin_log(package: &str) -> PathBuf {
    paths::out().join(format!("log/cargo-{package}.log"))
}

/// Builds one of the QEMU plugins with the host's Rust; returns the library.
///
/// # Errors
/// It does not build.
pub fn plugin(package: &str) -> Result<PathBuf> {
    let step = ui::step(format!("{package} (host)"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(paths::root())
        .args(["build", "--release", "-p", package]);
    proc::logged(&mut command, &plugin_log(package))?;
    step.done();
    let library = format!("release/lib{}.so", package.replace('-', "_"));
    Ok(paths::target().join(library))
}

/// Builds a program of the workspace for this machine; returns its path. `package` is its name too.
///
/// # Errors
/// It does not build.
pub fn program(package: &str) -> Result<PathBuf> {
    // A line at the end would be one too many, mostly: there is nothing to build.
    let _step = ui::step(format!("{package} (host)"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(paths::root())
        .args(["build", "--package", package, "--bin", package]);
    proc::logged(&mut command, &plugin_log(package))?;
    Ok(paths::target().join("debug").join(package))
}

/// The setting of cargo that adds `flags` to those of `.cargo/config.toml`.
fn rustflags(flags: &[String]) -> String {
    let flags: Vec<_> = flags.iter().map(|flag| format!("'{flag}'")).collect();
    format!("target.{TARGET}.rustflags=[{}]", flags.join(","))
}

/// The flags that take this machine's directories out of the paths in panics. The image is smaller then, and the same
/// wherever it is built.
fn remapped_paths() -> Vec<String> {
    let mut roots = Vec::new();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    // There is one directory per registry, with its packages below.
    let registries = home.and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    roots.extend(registries.into_iter().flatten().flatten().map(|r| r.path()));
    let mut sysroot = Command::new(rustc());
    sysroot
        .current_dir(paths::root())
        .args(["--print", "sysroot"]);
    if let Ok(sysroot) = proc::output(&mut sysroot) {
        roots.push(PathBuf::from(sysroot.trim()).join("lib/rustlib/src/rust"));
    }
    roots
        .iter()
        // A quote would end the string.
        .filter(|root| !root.to_string_lossy().contains('\''))
        .map(|root| format!("--remap-path-prefix={}/=", root.display()))
        .collect()
}

/// Makes sure that a toolchain can build for [`TARGET`].
fn ensure() -> Result<Toolchain> {
    if have_target() {
        return Ok(Toolchain::Installed);
    }
    if proc::find("rustup").is_some() {
        let step = ui::step(format!("rustup target add {TARGET}"));
        let log = paths::out().join("log/rustup.log");
        match proc::logged(Command::new("rustup").args(["target", "add", TARGET]), &log) {
            Ok(()) if have_target() => {
                step.done();
                return Ok(Toolchain::Installed);
            }
            _ => ui::say(format!(
                "rustup cannot bring {TARGET} (log: {}); trying Debian's Rust sources",
                log.display()
            )),
        }
    }
    packages::ensure(
        &["rustc-web", "cargo-web", "rust-web-src"],
        "to build core for bare metal without rustup",
    )
    .with_context(|| format!("with a network, `rustup target add {TARGET}` does it as well"))?;
    let version = proc::output(Command::new("/usr/bin/rustc").arg("--version"))?;
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|m| m.parse::<u32>().ok())
        .unwrap_or(0);
    if minor < 88 {
        bail!(
            "Debian's Rust here is {}, Janus needs 1.88 or later: `rustup target add {TARGET}` with a network",
            version.trim()
        );
    }
    Ok(Toolchain::BuildStd)
}

/// Makes sure that rustup's toolchain has the sources of `core`.
fn ensure_sources() -> Result<()> {
    let mut sysroot = Command::new(rustc());
    sysroot
        .current_dir(paths::root())
        .args(["--print", "sysroot"]);
    let sysroot = PathBuf::from(proc::output(&mut sysroot)?.trim());
    let sources = sysroot.join("lib/rustlib/src/rust/library/core");
    if sources.is_dir() {
        return Ok(());
    }
    let step = ui::step("rustup component add rust-src");
    let log = paths::out().join("log/rustup.log");
    let mut rustup = Command::new("rustup");
    rustup
        .current_dir(paths::root())
        .args(["component", "add", "rust-src"]);
    proc::logged(&mut rustup, &log).with_context(|| {
        format!(
            "--hardened builds Rust's core from its sources, and {} has none: `rustup component add rust-src` with a network, or leave --hardened out",
            sysroot.display()
        )
    })?;
    step.done();
    Ok(())
}

/// The Rust toolchain that is used, as a text for a person.
pub fn state() -> String {
    let mut version = Command::new(rustc());
    version.current_dir(paths::root()).arg("--version");
    let version = proc::output(&mut version).unwrap_or_else(|_| "no rustc".to_owned());
    let target = if have_target() {
        "is installed"
    } else {
        "is missing, installed when needed"
    };
    format!("{}; {TARGET} {target}", version.trim())
}

fn have_target() -> bool {
    let mut rustc = Command::new(rustc());
    rustc
        .current_dir(paths::root())
        .args(["--print", "target-libdir", "--target", TARGET]);
    proc::output(&mut rustc)
        .is_ok_and(|dir| std::fs::read_dir(dir.trim()).is_ok_and(|mut d| d.next().is_some()))
}

fn rustc() -> PathBuf {
    std::env::var_os("RUSTC").map_or_else(|| "rustc".into(), PathBuf::from)
}

fn cargo(toolchain: &Toolchain) -> Command {
    match toolchain {
        Toolchain::Installed => {
            Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        }
        Toolchain::BuildStd => {
            let mut cargo = Command::new("/usr/bin/cargo");
            // -Zbuild-std is unstable; Debian's compiler is a stable one.
            cargo
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", "/usr/bin/rustc")
                .env_remove("RUSTUP_TOOLCHAIN");
            cargo.args([
                "-Zbuild-std=core,alloc",
                "-Zbuild-std-features=compiler-builtins-mem",
            ]);
            cargo
        }
    }
}
