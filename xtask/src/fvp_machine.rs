//! The QEMU with our board `fvp-base` (tests/fvp-machine), built from Debian's source package.
//!
//! The first build takes about ten minutes of processor time. Its objects stay in the cache, so that a change of the
//! board is built in seconds. The finished program is kept under a digest of its sources.

use crate::{apt, packages, paths, proc, store, ui};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Versions of Debian's `qemu` that the board is known to build in, the preferred one first.
const VERSIONS: &[&str] = &["1:10.0.13+ds-0+deb13u1", "1:10.0.11+ds-0+deb13u1"];

/// Our file, and its place in QEMU's source tree.
const BOARD: (&str, &str) = ("fvp.c", "hw/arm/fvp.c");
const KCONFIG: (&str, &str) = ("Kconfig", "hw/arm/Kconfig");
const MESON: &str = "hw/arm/meson.build";

/// The line of QEMU's build that names the board's file, and the line before it.
const MESON_LINE: &str = "arm_ss.add(when: 'CONFIG_FVP_BASE', if_true: files('fvp.c'))";
const MESON_AFTER: &str = "arm_ss = ss.source_set()";
/// Where our part of QEMU's Kconfig begins.
const KCONFIG_MARK: &str = "\n# Janus\n";
/// The machines and devices in this QEMU.
const DEVICES: (&str, &str) = (
    "configs/devices/aarch64-softmmu/janus.mak",
    "CONFIG_FVP_BASE=y\n",
);

/// The smallest QEMU that boots firmware and an operating system on an emulated core.
const CONFIGURE: &[&str] = &[
    "--target-list=aarch64-softmmu",
    "--without-default-features",
    "--without-default-devices",
    "--with-devices-aarch64=janus",
    "--enable-system",
    "--enable-tcg",
    "--enable-fdt=system",
    "--enable-plugins",
    "--enable-trace-backends=nop",
    "--disable-debug-info",
    "--disable-docs",
    "--disable-tools",
    "--disable-install-blobs",
];

/// The packages of the Python environment: QEMU wants a later meson than Debian 12 has.
const PYTHON: &[&str] = &[
    "meson>=1.5,<1.10",
    "pycotap",
    "tomli; python_version<'3.11'",
];

const PROGRAM: &str = "qemu-system-aarch64";

/// Returns the program; builds it if it is not in the cache.
///
/// # Errors
/// The source, a Debian package or a Python package is not available, or QEMU does not build.
pub fn program() -> Result<PathBuf> {
    let read = |name: &str| {
        let file = paths::root().join("tests/fvp-machine").join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let (board, kconfig) = (read(BOARD.0)?, read(KCONFIG.0)?);
    let recipe = [VERSIONS, CONFIGURE, PYTHON, &[&kconfig, DEVICES.1]].concat();
    let objects = format!("fvp-machine-objects-{}", store::digest(&recipe));
    let name = format!(
        "fvp-machine-{}",
        store::digest(&[&recipe[..], &[&board]].concat())
    );
    let dir = store::entry(&name, |dir| {
        ui::say(
            "QEMU with the FVP's board is built once, which takes some minutes; later changes of the board take seconds",
        );
        packages::ensure(
            &[
                "gcc",
                "libc6-dev",
                "ninja-build",
                "pkg-config",
                "libglib2.0-dev",
                "zlib1g-dev",
                "libfdt-dev",
                "python3",
                "python3-venv",
            ],
            "to build QEMU with the FVP's board",
        )?;
        let (source, version) = apt::source(apt::TRIXIE_SOURCE, "qemu", VERSIONS)?;
        // One build at a time: they share the source tree.
        let _lock = store::lock("fvp-machine")?;
        add_board(&source, &board, &kconfig)?;
        let objects = paths::cache().join(&objects);
        configure(&source, &version, &objects)?;
        build(&version, &objects)?;
        let program = dir.join(PROGRAM);
        let mut strip = Command::new("strip");
        strip
            .arg("-o")
            .arg(&program)
            .arg(objects.join("build").join(PROGRAM));
        proc::output(&mut strip).map(|_| ())
    })?;
    Ok(dir.join(PROGRAM))
}

/// Adds the board to QEMU's source tree. Files that are unchanged are not written: the time stamps decide what is built
/// again.
fn add_board(source: &Path, board: &str, kconfig: &str) -> Result<()> {
    put(&source.join(BOARD.1), board)?;
    put(&source.join(DEVICES.0), DEVICES.1)?;

    let file = source.join(KCONFIG.1);
    let text = read(&file)?;
    let own = text.split(KCONFIG_MARK).next().unwrap_or_default();
    put(&file, &format!("{own}{KCONFIG_MARK}{kconfig}"))?;

    let file = source.join(MESON);
    let text = read(&file)?;
    if !text.contains(MESON_LINE) {
        let after = format!("{MESON_AFTER}\n");
        if !text.contains(&after) {
            bail!(
                "{} has no line `{MESON_AFTER}`: this QEMU is too different from those the board is known to build in ({})",
                file.display(),
                VERSIONS.join(", ")
            );
        }
        put(
            &file,
            &text.replacen(&after, &format!("{after}{MESON_LINE}\n"), 1),
        )?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Writes a file unless it has that text already.
fn put(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Makes the Python environment and runs QEMU's configure, unless this was done before.
fn configure(source: &Path, version: &str, objects: &Path) -> Result<()> {
    let build = objects.join("build");
    if build.join("build.ninja").is_file() {
        return Ok(());
    }
    let step = ui::step(format!("QEMU {version} with the FVP's board: configure"));
    let venv = objects.join("venv");
    fs::create_dir_all(&build)?;
    // Debian's Python is the one that python3-venv completes.
    let debian = Path::new("/usr/bin/python3");
    let python = if debian.is_file() {
        debian
    } else {
        Path::new("python3")
    };
    let mut make = Command::new(python);
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    proc::logged(&mut make, &objects.join("venv.log"))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"])
        .args(PYTHON);
    proc::logged(&mut pip, &objects.join("pip.log")).context(
        "QEMU's build needs meson and pycotap from the Python package index: is there a network, and does pip reach an index (`pip config list`)?",
    )?;
    let mut configure = Command::new(source.join("configure"));
    configure
        .current_dir(&build)
        .args(CONFIGURE)
        .arg(format!("--python={}", venv.join("bin/python3").display()));
    environment(&mut configure);
    proc::logged(&mut configure, &objects.join("configure.log"))?;
    step.done();
    Ok(())
}

fn build(version: &str, objects: &Path) -> Result<()> {
    let step = ui::step(format!("QEMU {version} with the FVP's board"));
    let mut ninja = Command::new("ninja");
    ninja
        .arg("-C")
        .arg(objects.join("build"))
        .arg(format!("-j{}", jobs()))
        .arg(PROGRAM);
    environment(&mut ninja);
    proc::logged_with(&mut ninja, &objects.join("ninja.log"), |line| {
        // [12/1274] Compiling ...
        if let Some((done, _)) = line.strip_prefix('[').and_then(|l| l.split_once(']')) {
            step.note(&format!("{done} files"));
        }
    })?;
    step.done();
    Ok(())
}

/// Takes out settings that are meant for other builds.
fn environment(command: &mut Command) {
    for name in [
        "MAKEFLAGS",
        "MAKELEVEL",
        "CFLAGS",
        "CXXFLAGS",
        "LDFLAGS",
        "CC",
        "LD",
        "CROSS_COMPILE",
    ] {
        command.env_remove(name);
    }
}

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
