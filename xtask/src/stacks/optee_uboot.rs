//! Stack `optee-uboot`: Debian's unmodified U-Boot at its prompt, with OP-TEE as the SPMC.

use super::optee_linux::types;
use super::{LIMITS, Mode, Prepared, Step, optee, sees};
use crate::apt;
use crate::cli::{FipArgs, Plat};
use crate::console::Uart;
use crate::tfa::{Dispatcher, Options};
use anyhow::{Context, Result, ensure};

/// Known versions of Debian's `u-boot-qemu`.
pub const VERSIONS: &[&str] = &["2025.01-3+deb13u1", "2025.01-3.2", "2025.01-3"];

/// Runs to the prompt. Without a person, U-Boot is then asked for its version and for power off.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    ensure!(
        args.spmc_el != Some(2),
        "OP-TEE is an SPMC at S-EL1: leave --spmc-el out, or give 1"
    );
    let mut images = optee::images(Plat::Qemu, false)?;
    let uboot = apt::guest(apt::TRIXIE_GUEST, "u-boot-qemu", VERSIONS)?
        .join("usr/lib/u-boot/qemu_arm64/u-boot.bin");
    images.bl33 = Some(
        uboot
            .is_file()
            .then_some(uboot)
            .context("u-boot-qemu has no qemu_arm64/u-boot.bin")?,
    );
    let mut script = Vec::new();
    if mode != Mode::Interactive {
        script = vec![
            Step {
                uart: Uart::Secure,
                wait: "Primary CPU switching to normal world boot",
                send: "",
            },
            types("Hit any key to stop autoboot", "\n"),
            types("=> ", "version\n"),
            sees("U-Boot 20"),
            types("=> ", "poweroff\n"),
        ];
    }
    Ok(Prepared {
        tfa: Options {
            dispatcher: Dispatcher::SpmdEl1,
            optee: true,
            ..Options::default()
        },
        images,
        loaded: vec![],
        memory: 1024,
        script,
        chosen: None,
        reboots: false,
        limits: LIMITS,
        secure_counts: None,
        version: None,
        hints: vec![],
    })
}
