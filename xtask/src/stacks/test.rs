//! Stack `test`: this repository's own SPMC and hypervisor.

use super::{LIMITS, Prepared, sees};
use crate::cli::FipArgs;
use crate::fip::Images;
use crate::tfa::{Dispatcher, Options};
use crate::toolchain::{self, Kind};
use crate::{image, paths};
use anyhow::Result;
use std::path::PathBuf;

/// Where the hypervisor looks for the text that says what to do.
pub const CONFIG: u64 = 0x4800_0000;

/// The SPMC at S-EL2 unless `--spmc-el` says otherwise.
pub fn prepare(args: &FipArgs) -> Result<Prepared> {
    let el2 = args.spmc_el.unwrap_or(2) == 2;
    let spmc = match args.bl32 {
        Some(_) => None,
        None => Some(payload("spmc")?),
    };
    let hypervisor = match args.bl33 {
        Some(_) => None,
        None => Some(payload("hypervisor")?),
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
            dispatcher,
            ..Options::default()
        },
        images: Images {
            bl32: spmc,
            manifest: Some(manifest(el2)),
            tb_fw_config: el2.then(|| paths::fiptool_cfg("no-partitions.dts")),
            bl33: hypervisor,
            ..Images::default()
        },
        loaded: vec![(config, CONFIG)],
        memory: 1024,
        script: vec![sees("@done "), sees(" passed, 0 failed")],
        chosen: None,
        reboots: false,
        limits: LIMITS,
        secure_counts: None,
        hints: vec![],
    })
}

/// The text that tells the hypervisor what to do: `key=value` lines, ended by a zero byte.
pub fn config_text(mode: &str, filter: &str, bl31: &str, rounds: u32, more: &[&str]) -> Vec<u8> {
    let more: String = more.iter().map(|line| format!("{line}\n")).collect();
    format!("mode={mode}\nfilter={filter}\nbl31={bl31}\nrounds={rounds}\n{more}\0").into_bytes()
}

/// The manifest of the test SPMC at S-EL2 or S-EL1.
pub fn manifest(el2: bool) -> PathBuf {
    paths::fiptool_cfg(if el2 {
        "test-spmc-el2.dts"
    } else {
        "test-spmc-el1.dts"
    })
}

/// Builds one of the test payloads as a raw image.
pub fn payload(bin: &str) -> Result<PathBuf> {
    let elf = toolchain::build(Kind::Payload, "janus-test-payload", bin, "", false)?;
    image::flatten(&elf, &paths::out().join(format!("{bin}.bin")))
}
