//! Stack `optee-linux`: OP-TEE as the SPMC at S-EL1, Debian's Linux with its FF-A drivers.

use super::linux::{self, Chosen, Tree};
use super::{LIMITS, Mode, Prepared, optee, sees};
use crate::cli::FipArgs;
use crate::tfa::{Dispatcher, Options};
use anyhow::{Result, ensure};

/// To a shell on a terminal, else until power off.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    ensure!(
        args.spmc_el != Some(2),
        "OP-TEE is an SPMC at S-EL1: leave --spmc-el out, or give 1"
    );
    let images = optee::images(false)?;
    let kernel = linux::kernel()?;
    let initrd = linux::initramfs_path("optee-linux");
    Tree::base(&kernel)?.write(&initrd)?;
    Ok(Prepared {
        tfa: Options {
            dispatcher: Dispatcher::SpmdEl1,
            optee: true,
            preloaded_bl33: Some(linux::KERNEL),
            ..Options::default()
        },
        images,
        loaded: vec![
            (kernel.image, linux::KERNEL),
            (initrd.clone(), linux::INITRD),
        ],
        memory: 1024,
        script: vec![
            sees("ARM FF-A: Firmware version "),
            sees("optee: initialized driver"),
        ],
        chosen: Some(Chosen {
            bootargs: format!("console=ttyAMA0 earlycon panic=-1 janus={}", mode.word()),
            initrd,
            strings: vec![],
        }),
        limits: LIMITS,
        hints: vec![],
    })
}
