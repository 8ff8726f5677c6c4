//! Stack `test`: this repository's own SPMC and hypervisor.

use super::{LIMITS, Prepared, sees};
use crate::cli::{FipArgs, Plat};
use crate::fip::Images;
use crate::tfa::{Dispatcher, Options};
use crate::toolchain::{self, Binary};
use crate::{image, paths};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;

/// The address of the text that tells the hypervisor what to do.
pub fn config_address(plat: Plat) -> u64 {
    match plat {
        Plat::Qemu => 0x4800_0000,
        Plat::Fvp => 0x9000_0000,
    }
}

/// The SPMC is at S-EL2 unless `--spmc-el` says otherwise.
pub fn prepare(args: &FipArgs) -> Result<Prepared> {
    let plat = args.build.plat;
    let el2 = args.spmc_el.unwrap_or(2) == 2;
    let spmc = match args.bl32 {
        Some(_) => None,
        None => Some(payload(plat, "spmc")?),
    };
    let hypervisor = if args.own_software() {
        None
    } else {
        Some(payload(plat, "hypervisor")?)
    };
    let config = paths::out().join("run/config.txt");
    std::fs::create_dir_all(paths::out().join("run"))?;
    std::fs::write(
        &config,
        config_text("demo", "", args.build.bl31.name(), 1, &[]),
    )?;
    let dispatcher = if el2 {
        Dispatcher::SpmdEl2
    } else {
        Dispatcher::SpmdEl1
    };
    Ok(Prepared {
        tfa: Options {
            plat,
            dispatcher,
            ..Options::default()
        },
        images: Images {
            bl32: spmc,
            manifest: Some(manifest(plat, usual_manifest(el2))?),
            tb_fw_config: el2.then(|| paths::fiptool_cfg("no-partitions.dts")),
            bl33: hypervisor,
            ..Images::default()
        },
        loaded: vec![(config, config_address(plat))],
        memory: plat.memory(),
        script: vec![sees("@done "), sees(" passed, 0 failed")],
        chosen: None,
        reboots: false,
        limits: LIMITS,
        secure_counts: None,
        version: None,
        hints: vec![],
    })
}

/// The text that tells the hypervisor what to do: `key=value` lines, ended by a zero byte.
pub fn config_text(mode: &str, filter: &str, bl31: &str, rounds: u32, more: &[&str]) -> Vec<u8> {
    let more: String = more.iter().map(|line| format!("{line}\n")).collect();
    format!("mode={mode}\nfilter={filter}\nbl31={bl31}\nrounds={rounds}\n{more}\0").into_bytes()
}

/// The name of the manifest of the test SPMC at S-EL2 or S-EL1.
pub fn usual_manifest(el2: bool) -> &'static str {
    if el2 {
        "test-spmc-el2.dts"
    } else {
        "test-spmc-el1.dts"
    }
}

/// Writes the manifest with this name in `fiptool-cfg/`, with the test SPMC's address on this platform; returns its
/// path.
///
/// # Errors
/// The file lacks QEMU virt's address, which is to be replaced, or cannot be read or written.
pub fn manifest(plat: Plat, name: &str) -> Result<PathBuf> {
    let file = paths::fiptool_cfg(name);
    if plat == Plat::Qemu {
        return Ok(file);
    }
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let address = |plat: Plat| format!("{:#010x}", plat.spmc());
    ensure!(
        text.contains(&address(Plat::Qemu)),
        "{} does not have the address {}",
        file.display(),
        address(Plat::Qemu)
    );
    let dir = paths::out().join("manifest").join(plat.name());
    fs::create_dir_all(&dir)?;
    let to = dir.join(name);
    fs::write(&to, text.replace(&address(Plat::Qemu), &address(plat)))
        .with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to)
}

/// Builds one of the test payloads as a raw image.
pub fn payload(plat: Plat, bin: &str) -> Result<PathBuf> {
    let elf = toolchain::build(
        Binary::Payload,
        "janus-test-payload",
        bin,
        plat.feature(),
        false,
    )?;
    image::flatten(
        &elf,
        &paths::out().join(format!("{bin}-{}.bin", plat.name())),
    )
}
