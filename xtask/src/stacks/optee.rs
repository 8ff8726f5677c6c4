//! OP-TEE as the FF-A SPMC at S-EL1, from Debian's source package.

use super::test;
use crate::cli::Plat;
use crate::fip::Images;
use crate::{apt, packages, paths, proc, store, ui};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Versions of Debian's `optee-os` that are known to work, the preferred one first.
pub const VERSIONS: &[&str] = &["4.10.0-2"];

/// Returns OP-TEE's images for a platform; `virtualization` builds it for several guests of a hypervisor.
///
/// # Errors
/// The source is not available or does not build.
pub fn images(plat: Plat, virtualization: bool) -> Result<Images> {
    let (source, version) = apt::source(apt::SID_SOURCE, "optee-os", VERSIONS)?;
    let name = format!(
        "optee-{version}{}{}",
        if plat == Plat::Fvp { "-fvp" } else { "" },
        if virtualization { "-virt" } else { "" }
    );
    let dir = store::entry(&name, |dir| {
        build(&source, dir, &version, plat, virtualization)
    })?;
    let core = dir.join("out/core");
    if plat == Plat::Fvp {
        // The FVP's BL2 does not know OP-TEE's header: the bare image.
        return Ok(Images {
            bl32: Some(core.join("tee-raw.bin")),
            manifest: Some(test::manifest(plat, "optee-spmc.dts")?),
            ..Images::default()
        });
    }
    // An empty pageable part is left out, because BL2 refuses an image without bytes.
    let pageable = core.join("tee-pageable_v2.bin");
    let mut extra = vec![core.join("tee-pager_v2.bin")];
    if pageable.metadata().is_ok_and(|m| m.len() > 0) {
        extra.push(pageable);
    }
    Ok(Images {
        bl32: Some(core.join("tee-header_v2.bin")),
        bl32_extra: extra,
        manifest: Some(paths::fiptool_cfg("optee-spmc.dts")),
        ..Images::default()
    })
}

fn build(source: &Path, dir: &Path, version: &str, plat: Plat, virtualization: bool) -> Result<()> {
    packages::ensure(
        &[
            "make",
            "gcc-aarch64-linux-gnu",
            "python3",
            "python3-pyelftools",
            "python3-cryptography",
            "device-tree-compiler",
        ],
        "to build OP-TEE",
    )?;
    let step = ui::step(format!(
        "OP-TEE {version}{}",
        if virtualization {
            " for virtualization"
        } else {
            ""
        }
    ));
    let mut make = Command::new("make");
    make.arg("-C").arg(source).args([
        "-s",
        "-j2",
        match plat {
            Plat::Qemu => "PLATFORM=vexpress-qemu_armv8a",
            Plat::Fvp => "PLATFORM=vexpress-fvp",
        },
        "CFG_ARM64_core=y",
        "CFG_USER_TA_TARGETS=ta_arm64",
        "CFG_ARM_GICV3=y",
        "CFG_CORE_SEL1_SPMC=y",
        "CFG_TEE_CORE_NB_CORE=8",
        "CROSS_COMPILE=aarch64-linux-gnu-",
        "CROSS_COMPILE64=aarch64-linux-gnu-",
    ]);
    if virtualization {
        make.arg("CFG_NS_VIRTUALIZATION=y");
    }
    make.arg(format!("O={}", dir.join("out").display()));
    make.env("PATH", debian_python_first(dir)?);
    for name in ["MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "DEBUG", "O"] {
        make.env_remove(name);
    }
    proc::logged(&mut make, &dir.join("make.log"))?;
    step.done();
    Ok(())
}

/// A search path on which `python3` is Debian's, which has Debian's modules.
fn debian_python_first(dir: &Path) -> Result<std::ffi::OsString> {
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin)?;
    let link = bin.join("python3");
    if !link.exists() {
        std::os::unix::fs::symlink("/usr/bin/python3", &link).context("cannot link python3")?;
    }
    let rest = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(
        std::iter::once(bin)
            .chain(std::env::split_paths(&rest))
            .collect::<Vec<PathBuf>>(),
    )?)
}
