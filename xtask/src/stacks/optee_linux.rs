//! Stack `optee-linux`: OP-TEE as the SPMC at S-EL1, Debian's Linux with its FF-A drivers.
//!
//! The other Linux stacks are variations of it: they have more in the initramfs, other words on the kernel's command
//! line, and other lines to wait for.

use super::linux::{self, Chosen, Tree};
use super::{LIMITS, Mode, Prepared, Step, optee, sees};
use crate::cli::{FipArgs, Plat};
use crate::console::{Limits, Uart};
use crate::fip::Images;
use crate::paths;
use crate::tfa::{self, Dispatcher, Options};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;

/// Runs to a shell on a terminal, otherwise until power off. The tests also turn cores off and on, suspend and reboot.
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
        prepared.script.extend([types("@ready", "test\n")]);
        if args.build.plat == Plat::Fvp {
            prepared.script.push(sees("@ok linux/idle-states"));
        }
        prepared.script.extend([
            sees("@case linux/reboot"),
            sees("ARM FF-A: Firmware version "),
            sees("optee: initialized driver"),
            types("@ready", "off\n"),
            sees("@ok linux/reboot"),
        ]);
    }
    Ok(prepared)
}

/// A Linux above OP-TEE, which is up when its drivers have printed their two lines.
///
/// `mode` tells the first process what to do, `bootargs` goes on the kernel's command line, `xtest` puts OP-TEE's
/// client and test suite into the initramfs.
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
    let plat = args.build.plat;
    let images = optee::images(plat, false)?;
    let kernel = linux::kernel()?;
    let initrd = linux::initramfs_path(stack);
    let mut tree = Tree::base(&kernel)?;
    if xtest {
        tree.add_xtest()?;
    }
    tree.write(&initrd)?;
    // On a busy host the simulated cores wait for processors. After Linux' usual 21 seconds that looks like a stall,
    // and is none.
    let patience = "rcupdate.rcu_cpu_stall_timeout=150";
    let bootargs = format!("console=ttyAMA0 earlycon panic=-1 {patience} janus={mode} {bootargs}")
        .trim_end()
        .to_owned();
    if plat == Plat::Fvp {
        return on_fvp(images, kernel.image, initrd, bootargs);
    }
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
            bootargs,
            initrd: Some(initrd),
        }),
        reboots: false,
        limits: LIMITS,
        secure_counts: None,
        version: None,
        hints: vec![],
    })
}

/// The addresses of the FVP's kernel, its device tree and its initramfs.
const FVP_KERNEL: u64 = 0x9000_0000;
const FVP_DTB: u64 = 0x9800_0000;
const FVP_INITRD: u64 = 0xa000_0000;

/// Runs OP-TEE and Linux on the FVP. BL2 there gives a kernel no device tree, so BL33 is a few instructions that do.
fn on_fvp(
    mut images: Images,
    kernel: PathBuf,
    initrd: PathBuf,
    bootargs: String,
) -> Result<Prepared> {
    let tfa = Options {
        plat: Plat::Fvp,
        dispatcher: Dispatcher::SpmdEl1,
        ..Options::default()
    };
    let dir = paths::out().join("run");
    fs::create_dir_all(&dir)?;
    let built = tfa::build(&tfa, None)?;
    let (_, hardware) = built
        .configs
        .iter()
        .find(|(option, _)| *option == "--hw-config")
        .context("TF-A's build left no device tree of the FVP")?;
    let dtb = dir.join("fvp-linux.dtb");
    fs::copy(hardware, &dtb).with_context(|| format!("cannot read {}", hardware.display()))?;
    let chosen = Chosen::Linux {
        bootargs,
        initrd: Some(initrd.clone()),
    };
    chosen.apply(&dtb, FVP_INITRD)?;
    let bl33 = dir.join("fvp-to-linux.bin");
    let high = |address: u64| (address as u32 >> 16) << 5;
    let code: [u32; 6] = [
        0xd2a0_0000 | high(FVP_DTB),    // mov x0, #dtb
        0xd280_0001,                    // mov x1, #0
        0xd280_0002,                    // mov x2, #0
        0xd280_0003,                    // mov x3, #0
        0xd2a0_0009 | high(FVP_KERNEL), // mov x9, #kernel
        0xd61f_0120,                    // br x9
    ];
    fs::write(&bl33, code.map(u32::to_le_bytes).concat())?;
    images.bl33 = Some(bl33);
    Ok(Prepared {
        tfa,
        images,
        loaded: vec![(kernel, FVP_KERNEL), (dtb, FVP_DTB), (initrd, FVP_INITRD)],
        memory: Plat::Fvp.memory(),
        script: vec![
            sees("ARM FF-A: Firmware version "),
            sees("optee: initialized driver"),
        ],
        chosen: None,
        reboots: false,
        // A power-off and the way back through BL1 take longer than on QEMU's own machine.
        limits: Limits::secs(180, 1800),
        secure_counts: None,
        version: None,
        hints: vec![],
    })
}

/// Replaces the stack's kernel with the user's.
///
/// # Errors
/// The stack has no kernel.
pub fn replace_kernel_on_fvp(loaded: &mut [(PathBuf, u64)], file: PathBuf) -> Result<()> {
    let place = loaded.iter_mut().find(|(_, at)| *at == FVP_KERNEL);
    let place = place.context(
        "--kernel: on the FVP it replaces the kernel of a stack that has one: give --stack optee-linux, or \
         --bl33 for a normal world of your own",
    )?;
    place.0 = file;
    Ok(())
}

/// A step that types `send` when UART0 has printed `wait`.
pub fn types(wait: &'static str, send: &'static str) -> Step {
    Step {
        uart: Uart::Normal,
        wait,
        send,
    }
}
