//! Debian's arm64 kernel, and an initramfs of Debian's arm64 packages.

use crate::{apt, packages, paths, proc};
use anyhow::{Context, Result, bail};
use cpio::newc::Builder as Entry;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Kernels of Debian that are known to work, the preferred one first: ABI name and package version. They have FF-A
/// since 7.2.
const KERNELS: &[(&str, &str)] = &[
    ("7.2.13+deb14-arm64", "7.2.13-1"),
    ("7.2.12+deb14-arm64", "7.2.12-1"),
    ("7.2.12+deb13-arm64", "7.2.12-1~bpo13+1"),
];
/// The versions of the metapackage that belong to [`KERNELS`].
pub const KERNEL_VERSIONS: &[&str] = &[KERNELS[0].1, KERNELS[1].1, KERNELS[2].1];
/// Known versions of the static busybox.
pub const BUSYBOX: &[&str] = &["1:1.38.0-3+b1"];
/// The packages of OP-TEE's test suite, with the versions that are known to work. For the libraries any will do.
pub const XTEST: &[(&str, &[&str])] = &[
    ("optee-test-qemu", &["4.10.0-1"]),
    ("tee-supplicant", &["4.11.0-1"]),
    ("libteec2", &["4.11.0-1"]),
    ("libckteec0t64", &["4.11.0-1"]),
    ("libssl3t64", &[]),
    ("zlib1g", &[]),
    ("libzstd1", &[]),
    ("libc6", &[]),
];
/// The modules that OP-TEE's driver needs, in the order in which they are loaded.
const MODULES: &[&str] = &[
    "drivers/firmware/arm_ffa/ffa-core.ko",
    "drivers/firmware/arm_ffa/ffa-module.ko",
    "drivers/tee/tee.ko",
    "drivers/tee/optee/optee.ko",
];
/// The first process: a shell script.
const INIT: &str = include_str!("init.sh");

/// The address to which QEMU loads the kernel, and at which TF-A's BL31 enters BL33.
pub const KERNEL: u64 = 0x6000_0000;
/// The address to which QEMU loads the initramfs.
pub const INITRD: u64 = 0x6800_0000;

/// The version of the kernel in the cache.
pub fn cached() -> Option<&'static str> {
    let mut known = KERNELS.iter();
    known
        .find(|(abi, v)| apt::guest_cached(&format!("linux-modules-{abi}"), v))
        .map(|(_, version)| *version)
}

/// A kernel with its modules.
pub struct Kernel {
    /// The flat image.
    pub image: PathBuf,
    modules: PathBuf,
}

/// Returns Debian's kernel.
///
/// # Errors
/// It can be neither downloaded nor found in the cache.
pub fn kernel() -> Result<Kernel> {
    let cached = KERNELS
        .iter()
        .find(|(abi, v)| apt::guest_cached(&format!("linux-modules-{abi}"), v));
    let known = cached.map_or(KERNELS, std::slice::from_ref);
    let mut known: Vec<(String, Vec<&str>)> = known
        .iter()
        .map(|(abi, version)| ((*abi).to_owned(), vec![*version]))
        .collect();
    let mut last = None;
    let mut index = 0;
    let (abi, binary, modules) = loop {
        if index == known.len() && index == KERNELS.len() {
            // The package's name contains the version: the metapackages depend on today's.
            for archive in apt::SID_GUEST {
                let current = apt::depends(*archive, "linux-image-arm64").unwrap_or_default();
                let name = current.iter().find_map(|d| d.strip_prefix("linux-image-"));
                known.extend(name.map(|name| (name.to_owned(), Vec::new())));
            }
        }
        let Some((abi, version)) = known.get(index) else {
            return Err(last.context("no kernel is known")?);
        };
        index += 1;
        let part = |name: &str| apt::guest(apt::SID_GUEST, &format!("{name}-{abi}"), version);
        match part("linux-binary").and_then(|binary| Ok((binary, part("linux-modules")?))) {
            Ok((binary, modules)) => break (abi.clone(), binary, modules),
            Err(error) => last = Some(error),
        }
    };
    let below = format!("usr/lib/modules/{abi}");
    let image = [
        binary.join(&below).join("vmlinuz"),
        binary.join(format!("boot/vmlinuz-{abi}")),
    ]
    .into_iter()
    .find(|p| p.is_file())
    .context("the kernel package has no vmlinuz")?;
    Ok(Kernel {
        image,
        modules: modules.join(below).join("kernel"),
    })
}

/// A file tree that becomes an initramfs.
#[derive(Default)]
pub struct Tree {
    /// Path without a leading `/`; mode with the file type; content, or a link's target.
    entries: BTreeMap<String, (u32, Vec<u8>)>,
}

const DIR: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

impl Tree {
    /// Makes a tree of busybox, the FF-A and OP-TEE modules of `kernel`, and our first process.
    ///
    /// # Errors
    /// A package is not available.
    pub fn base(kernel: &Kernel) -> Result<Tree> {
        packages::ensure(&["xz-utils"], "to unpack kernel modules")?;
        let mut tree = Tree::default();
        let busybox = apt::guest(apt::SID_GUEST, "busybox-static", BUSYBOX)?;
        tree.file(
            "bin/busybox",
            0o755,
            fs::read(busybox.join("usr/bin/busybox"))?,
        );
        for name in ["sh", "mount", "insmod", "poweroff", "reboot"] {
            tree.link(&format!("bin/{name}"), "busybox");
        }
        for dir in ["proc", "sys", "dev", "tmp", "etc", "modules"] {
            tree.dir(dir);
        }
        for (index, module) in MODULES.iter().enumerate() {
            tree.module(kernel, index, module)?;
        }
        tree.file("init", 0o755, INIT.as_bytes().to_vec());
        Ok(tree)
    }

    /// Adds OP-TEE's test suite with its trusted applications, the supplicant, and the libraries they need.
    ///
    /// # Errors
    /// A package is not available.
    pub fn add_xtest(&mut self) -> Result<()> {
        self.add_packages(XTEST.iter().map(|(package, known)| (*package, *known)))
    }

    /// Adds programs and libraries of arm64 packages, without documentation.
    ///
    /// # Errors
    /// A package is not available.
    pub fn add_packages<'a>(
        &mut self,
        list: impl Iterator<Item = (&'a str, &'a [&'a str])>,
    ) -> Result<()> {
        // Debian merges /lib into /usr/lib. Programs name the dynamic loader by the former.
        self.link("lib", "usr/lib");
        for (package, known) in list {
            let root = apt::guest(apt::SID_GUEST, package, known)?;
            self.merge(&root, &|path| {
                path.starts_with("usr/")
                    && !path.starts_with("usr/share/")
                    && !path.contains("/gconv/")
            })?;
        }
        Ok(())
    }

    /// Adds a kernel module, which is loaded as number `index`.
    ///
    /// # Errors
    /// The kernel has no such module.
    pub fn module(&mut self, kernel: &Kernel, index: usize, module: &str) -> Result<()> {
        let name = Path::new(module)
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let content = module_file(&kernel.modules.join(module))?;
        self.file(&format!("modules/{index:02}-{name}"), 0o644, content);
        Ok(())
    }

    /// Adds a directory and those above it.
    pub fn dir(&mut self, path: &str) {
        let mut so_far = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            if !so_far.is_empty() {
                so_far.push('/');
            }
            so_far += part;
            self.entries
                .entry(so_far.clone())
                .or_insert((DIR, Vec::new()));
        }
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.dir(path.rsplit_once('/').map_or("", |(dir, _)| dir));
        self.entries.insert(path.to_owned(), (FILE | mode, content));
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.dir(path.rsplit_once('/').map_or("", |(dir, _)| dir));
        self.entries
            .insert(path.to_owned(), (LINK, target.as_bytes().to_vec()));
    }

    /// Adds everything below `from` whose path (without a leading `/`) `wanted` accepts.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn merge(&mut self, from: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        self.merge_below(from, from, wanted)
    }

    fn merge_below(&mut self, top: &Path, dir: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let path = entry?.path();
            let name = path
                .strip_prefix(top)?
                .to_str()
                .context("a file name that is not UTF-8")?
                .to_owned();
            let meta = path.symlink_metadata()?;
            if meta.is_dir() {
                self.merge_below(top, &path, wanted)?;
            } else if !wanted(&name) {
                continue;
            } else if meta.is_symlink() {
                self.link(
                    &name,
                    fs::read_link(&path)?
                        .to_str()
                        .context("a link that is not UTF-8")?,
                );
            } else {
                self.file(&name, meta.permissions().mode() & 0o777, fs::read(&path)?);
            }
        }
        Ok(())
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, to: &Path) -> Result<()> {
        let mut out = Vec::new();
        for (ino, (path, (mode, content))) in (1..).zip(&self.entries) {
            let mut entry = Entry::new(path)
                .ino(ino)
                .mode(*mode)
                .nlink(1)
                .write(&mut out, content.len() as u32);
            entry.write_all(content)?;
            entry.finish()?;
        }
        cpio::newc::trailer(&mut out)?;
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(to, out).with_context(|| format!("cannot write {}", to.display()))
    }
}

/// A module's bytes. Debian's modules are compressed.
fn module_file(path: &Path) -> Result<Vec<u8>> {
    if path.is_file() {
        return Ok(fs::read(path)?);
    }
    let packed = PathBuf::from(format!("{}.xz", path.display()));
    if !packed.is_file() {
        bail!(
            "the kernel's package has no {}: does this kernel have FF-A?",
            path.display()
        );
    }
    let out = Command::new("xz")
        .args(["-dc"])
        .arg(&packed)
        .output()
        .context("cannot start xz")?;
    if !out.status.success() {
        bail!("{} does not unpack", packed.display());
    }
    Ok(out.stdout)
}

/// The `chosen` node of the normal world's device tree.
pub enum Chosen {
    /// The node that a kernel reads.
    Linux {
        /// The kernel's command line.
        bootargs: String,
        /// The initramfs.
        initrd: Option<PathBuf>,
    },
    /// The node that Xen reads, with a kernel as domain 0.
    Xen {
        /// Xen's command line.
        xen: String,
        /// The command line of domain 0.
        dom0: String,
        /// Domain 0's kernel and its address.
        kernel: (PathBuf, u64),
        /// Domain 0's initramfs and its address.
        initrd: (PathBuf, u64),
    },
}

impl Chosen {
    /// Edits the machine's device tree `dtb` in place. `at` is the address of the initramfs of [`Chosen::Linux`].
    ///
    /// # Errors
    /// fdtput or a node is missing.
    pub fn apply(&self, dtb: &Path, at: u64) -> Result<()> {
        packages::ensure(&["device-tree-compiler"], "to edit a device tree")?;
        let put = |kind: &str, args: &[&str]| -> Result<()> {
            proc::output(
                Command::new("fdtput")
                    .args(["-p", "-t", kind])
                    .arg(dtb)
                    .args(args),
            )
            .map(|_| ())
        };
        match self {
            Chosen::Linux { bootargs, initrd } => {
                put("s", &["/chosen", "bootargs", bootargs])?;
                let Some(initrd) = initrd else { return Ok(()) };
                let end = at + fs::metadata(initrd)?.len();
                put(
                    "x",
                    &["/chosen", "linux,initrd-start", "0", &format!("{at:x}")],
                )?;
                put(
                    "x",
                    &["/chosen", "linux,initrd-end", "0", &format!("{end:x}")],
                )
            }
            Chosen::Xen {
                xen,
                dom0,
                kernel,
                initrd,
            } => {
                put("s", &["/chosen", "xen,xen-bootargs", xen])?;
                put("s", &["/chosen", "xen,dom0-bootargs", dom0])?;
                put("x", &["/chosen", "#address-cells", "2"])?;
                put("x", &["/chosen", "#size-cells", "2"])?;
                for (what, (file, address)) in
                    [("multiboot,kernel", kernel), ("multiboot,ramdisk", initrd)]
                {
                    let node = format!("/chosen/module@{address:x}");
                    let size = fs::metadata(file)?.len();
                    put("s", &[&node, "compatible", what, "multiboot,module"])?;
                    put(
                        "x",
                        &[
                            &node,
                            "reg",
                            "0",
                            &format!("{address:x}"),
                            "0",
                            &format!("{size:x}"),
                        ],
                    )?;
                }
                // Xen has no driver for the GPIO controller of the power button and maps it wrongly.
                put("s", &["/pl061@9030000", "status", "disabled"])
            }
        }
    }
}

/// The file for the initramfs of a stack.
pub fn initramfs_path(stack: &str) -> PathBuf {
    paths::out().join(format!("initramfs-{stack}.cpio"))
}
