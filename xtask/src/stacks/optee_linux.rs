//! Stack `optee-linux`: OP-TEE as the SPMC at S-EL1, Debian's Linux with its FF-A drivers.
//!
//! The other Linux stacks are variations of it: more in the initramfs, other words on the kernel's
//! command line, other things to see.

use super::linux::{self, Chosen, Tree};
use super::{LIMITS, Mode, Prepared, Step, optee, sees};
use crate::cli::FipArgs;
use crate::console::Uart;
use crate::tfa::{Dispatcher, Options};
use anyhow::{Result, ensure};

/// To a shell on a terminal, else until power off; the tests turn cores off and on, suspend and
/// reboot as well.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    let mut prepared = variant(
        args,
        "optee-linux",
        mode.word(),
        "",
        matches!(mode, Mode::Test { .. }),
    )?;
    if matches!(mode, Mode::Test { .. }) {
        prepared.reboots = true;
        prepared.script.extend([
            types("@ready", "test\n"),
            sees("@case linux/reboot"),
            sees("ARM FF-A: Firmware version "),
            sees("optee: initialized driver"),
            types("@ready", "off\n"),
            sees("@ok linux/reboot"),
        ]);
    }
    Ok(prepared)
}

/// A Linux above OP-TEE, up to the two lines of its drivers.
///
/// `mode` is what the first process is told, `bootargs` goes on the kernel's command line, `xtest`
/// puts OP-TEE's client and test suite into the initramfs.
///
/// # Errors
/// Something cannot be built or downloaded.
pub fn variant(
    args: &FipArgs,
    stack: &str,
    mode: &str,
    bootargs: &str,
    xtest: bool,
) -> Result<Prepared> {
    ensure!(
        args.spmc_el != Some(2),
        "OP-TEE is an SPMC at S-EL1: leave --spmc-el out, or give 1"
    );
    let images = optee::images(false)?;
    let kernel = linux::kernel()?;
    let initrd = linux::initramfs_path(stack);
    let mut tree = Tree::base(&kernel)?;
    if xtest {
        tree.add_xtest()?;
    }
    tree.write(&initrd)?;
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
        chosen: Some(Chosen::Linux {
            bootargs: format!("console=ttyAMA0 earlycon panic=-1 janus={mode} {bootargs}")
                .trim_end()
                .to_owned(),
            initrd: Some(initrd),
        }),
        reboots: false,
        limits: LIMITS,
        secure_counts: None,
        version: None,
        hints: vec![],
    })
}

/// Types `send` when UART0 says `wait`.
pub fn types(wait: &'static str, send: &'static str) -> Step {
    Step {
        uart: Uart::Normal,
        wait,
        send,
    }
}
