//! Stack `optee-xen`: Xen with its FF-A mediator, above an OP-TEE that is built for several guests; Linux as domain 0,
//! and a second domain that comes and goes.

use super::linux::{self, Chosen, Tree};
use super::{Mode, Prepared, optee, sees};
use crate::cli::{FipArgs, Plat};
use crate::console::Limits;
use crate::tfa::{Dispatcher, Options};
use crate::{apt, packages, proc, store, ui};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Known versions of Debian's `xen` source.
pub const VERSIONS: &[&str] = &[
    "4.20.4+63-g7abfd2bce2-0+deb13u1",
    "4.20.4+39-gf1e1321c87-1",
    "4.20.3+127-gc42374a105-0+deb13u1",
];
/// The addresses of Xen, domain 0's kernel and its initramfs. Memory is 4 GiB from 0x4000_0000.
const XEN: u64 = 0x6000_0000;
const KERNEL: u64 = 0x6400_0000;
const INITRD: u64 = 0x7000_0000;
/// Domain 0's first process: a shell script.
const INIT: &str = include_str!("xen-init.sh");
/// The packages with which domain 0 makes domains: the tools and their libraries.
const TOOLS: &[&str] = &[
    "xen-utils-4.20",
    "libxenmisc4.20",
    "libxencall1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenstore4",
    "libxentoollog1",
    "libxentoolcore1",
    "libxendevicemodel1",
    "libxenhypfs1",
    "xenstore-utils",
    "libyajl2",
    "libuuid1",
    "libfdt1",
    "libbz2-1.0",
    "liblzma5",
    "liblzo2-2",
    "zlib1g",
    "libzstd1",
    "libgcc-s1",
    "libc6",
];
/// The kernel modules besides FF-A's, in the order in which they are loaded.
const MODULES: &[&str] = &[
    "drivers/xen/xen-evtchn.ko",
    "drivers/xen/xen-gntdev.ko",
    "drivers/xen/xen-privcmd.ko",
    "drivers/xen/xenfs/xenfs.ko",
];

/// Waits for both driver lines of domain 0, then for the second domain: 20 times in the tests, once otherwise.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    ensure!(
        args.spmc_el != Some(2),
        "OP-TEE is an SPMC at S-EL1: leave --spmc-el out, or give 1"
    );
    let images = optee::images(Plat::Qemu, true)?;
    let xen = hypervisor()?;
    let kernel = linux::kernel()?;

    let guest = linux::initramfs_path("optee-xen-guest");
    Tree::base(&kernel)?.write(&guest)?;
    let initrd = linux::initramfs_path("optee-xen");
    let mut tree = Tree::base(&kernel)?;
    for (index, module) in (10..).zip(MODULES) {
        tree.module(&kernel, index, module)?;
    }
    tree.add_packages(TOOLS.iter().map(|package| (*package, &[][..])))?;
    tree.file("init", 0o755, INIT.as_bytes().to_vec());
    tree.file("guest/Image", 0o644, std::fs::read(&kernel.image)?);
    tree.file("guest/initrd", 0o644, std::fs::read(&guest)?);
    tree.write(&initrd)?;

    let mut script = vec![
        sees("ARM FF-A Firmware version "),
        sees("Using TEE mediator for FF-A"),
        sees("ARM FF-A: Firmware version "),
        sees("optee: initialized driver"),
    ];
    if mode != Mode::Interactive {
        script.push(sees("@ok xen/guests"));
    }
    let word = match mode {
        Mode::Interactive => "shell",
        Mode::Demo => "rounds-1",
        Mode::Test { .. } => "rounds-20",
    };
    Ok(Prepared {
        tfa: Options {
            dispatcher: Dispatcher::SpmdEl1,
            optee: true,
            preloaded_bl33: Some(XEN),
            ..Options::default()
        },
        images,
        loaded: vec![
            (xen, XEN),
            (kernel.image.clone(), KERNEL),
            (initrd.clone(), INITRD),
        ],
        memory: 4096,
        script,
        chosen: Some(Chosen::Xen {
            xen: "console=dtuart dtuart=/pl011@9000000 dom0_mem=1536M dom0_max_vcpus=2 tee=ffa"
                .to_owned(),
            dom0: format!("console=hvc0 panic=-1 janus={word}"),
            kernel: (kernel.image, KERNEL),
            initrd: (initrd, INITRD),
        }),
        reboots: false,
        limits: Limits::secs(300, 3000),
        secure_counts: (mode != Mode::Interactive).then_some(("Added guest", "Removing guest")),
        version: None,
        hints: vec![],
    })
}

/// Builds Xen's image, from Debian's source with FF-A switched on.
fn hypervisor() -> Result<PathBuf> {
    let (source, version) = apt::source(apt::TRIXIE_SOURCE, "xen", VERSIONS)?;
    let name = format!("xen-built-{}", version.replace([':', '/', '~'], "_"));
    let dir = store::entry(&name, |dir| build(&source, dir, &version))?;
    Ok(dir.join("xen"))
}

fn build(source: &Path, dir: &Path, version: &str) -> Result<()> {
    packages::ensure(
        &[
            "make",
            "gcc",
            "gcc-aarch64-linux-gnu",
            "flex",
            "bison",
            "python3",
        ],
        "to build Xen",
    )?;
    let step = ui::step(format!("Xen {version}"));
    let make = |target: &str, log: &str| {
        let mut make = Command::new("make");
        make.arg("-C").arg(source.join("xen")).args([
            "-j2",
            "XEN_TARGET_ARCH=arm64",
            "CROSS_COMPILE=aarch64-linux-gnu-",
        ]);
        make.arg(target);
        for name in ["MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "DEBUG"] {
            make.env_remove(name);
        }
        proc::logged(&mut make, &dir.join(log))
    };
    make("defconfig", "defconfig.log")?;
    let config = source.join("xen/.config");
    let text = std::fs::read_to_string(&config)?;
    let wanted = "CONFIG_EXPERT=y\nCONFIG_UNSUPPORTED=y\nCONFIG_TEE=y\nCONFIG_FFA=y\n";
    std::fs::write(&config, text + wanted)?;
    make("olddefconfig", "olddefconfig.log")?;
    ensure!(
        std::fs::read_to_string(&config)?.contains("CONFIG_FFA=y"),
        "this Xen cannot be configured with FF-A"
    );
    make("build", "make.log")?;
    std::fs::copy(source.join("xen/xen"), dir.join("xen"))?;
    step.done();
    Ok(())
}
