//! Packs the images of a system into the machine's flash: BL1, and the FIP behind it (QEMU virt) or in a second flash
//! (FVP).

use crate::cli::Plat;
use crate::{paths, proc, tfa};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where BL1 looks for the FIP in the flash.
const FIP_OFFSET: usize = 0x4_0000;
/// The size of a flash, on both machines.
const FLASH_SIZE: usize = 64 << 20;
/// The file with the contents of the FVP's first flash. The second flash, with the FIP, is beside it.
pub const BL1: &str = "bl1-flash.bin";

/// The images of a FIP besides BL2. Those that are missing are left out.
#[derive(Default, Clone)]
pub struct Images {
    /// The EL3 runtime.
    pub bl31: PathBuf,
    /// The SPMC.
    pub bl32: Option<PathBuf>,
    /// OP-TEE's pager and pageable parts.
    pub bl32_extra: Vec<PathBuf>,
    /// The SPMC manifest: source (`.dts`) or compiled.
    pub manifest: Option<PathBuf>,
    /// BL2's list of secure partition packages (`.dts` or compiled). BL2 requires it for an SPMC at S-EL2.
    pub tb_fw_config: Option<PathBuf>,
    /// Secure partition packages: UUID and file.
    pub partitions: Vec<(String, PathBuf)>,
    /// The first image of the normal world.
    pub bl33: Option<PathBuf>,
}

/// Writes `fip.bin` and `flash.bin` to `dir`; returns the latter.
///
/// # Errors
/// An image is missing, a file is no device tree, or the flash is too small for the whole.
pub fn pack(built: &tfa::Built, images: &Images, dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let fip = dir.join("fip.bin");
    let mut tool = Command::new(&built.fiptool);
    tool.arg("create").arg("--tb-fw").arg(&built.bl2);
    let mut packed = Vec::new();
    let mut put = |option: &'static str, file: &Path| -> Result<()> {
        if !file.is_file() {
            bail!(
                "{} is not there, it was to go into the FIP as {option}",
                file.display()
            );
        }
        tool.arg(option).arg(file);
        packed.push(option);
        Ok(())
    };
    put("--soc-fw", &images.bl31)?;
    if let Some(file) = &images.bl32 {
        put("--tos-fw", file)?;
    }
    for (option, file) in ["--tos-fw-extra1", "--tos-fw-extra2"]
        .into_iter()
        .zip(&images.bl32_extra)
    {
        put(option, file)?;
    }
    if let Some(file) = &images.manifest {
        put("--tos-fw-config", &device_tree(file, dir)?)?;
    }
    if let Some(file) = &images.tb_fw_config {
        put("--tb-fw-config", &device_tree(file, dir)?)?;
    }
    if let Some(file) = &images.bl33 {
        put("--nt-fw", file)?;
    }
    for (option, file) in &built.configs {
        if !packed.contains(option) {
            tool.arg(option).arg(file);
        }
    }
    for (uuid, file) in &images.partitions {
        tool.arg("--blob")
            .arg(format!("uuid={uuid},file={}", file.display()));
    }
    tool.arg(&fip);
    proc::logged(&mut tool, &dir.join("fiptool.log"))?;
    flash(built, &fip, dir)
}

/// Writes the flash contents to `flash.bin` in `dir` and returns its path. On the FVP, BL1's flash is beside it, as
/// [`BL1`].
///
/// # Errors
/// They do not fit: the message has the sizes.
pub fn flash(built: &tfa::Built, fip: &Path, dir: &Path) -> Result<PathBuf> {
    let bl1 = &built.bl1;
    let flash = dir.join("flash.bin");
    if built.plat == Plat::Fvp {
        fill(bl1, &dir.join(BL1))?;
        fill(fip, &flash)?;
        return Ok(flash);
    }
    let mut bytes = fs::read(bl1).with_context(|| format!("cannot read {}", bl1.display()))?;
    if bytes.len() > FIP_OFFSET {
        bail!(
            "BL1 has {} bytes, the FIP begins at {FIP_OFFSET}: build TF-A without DEBUG=1",
            bytes.len()
        );
    }
    bytes.resize(FIP_OFFSET, 0);
    bytes.extend(fs::read(fip).with_context(|| format!("cannot read {}", fip.display()))?);
    if bytes.len() > FLASH_SIZE {
        bail!(
            "the FIP has {} bytes, {} too many for the flash: make BL32 or BL33 smaller, or load BL33 by other means",
            bytes.len() - FIP_OFFSET,
            bytes.len() - FLASH_SIZE
        );
    }
    fs::write(&flash, bytes).with_context(|| format!("cannot write {}", flash.display()))?;
    Ok(flash)
}

/// Writes a flash that begins with the contents of `from`.
fn fill(from: &Path, to: &Path) -> Result<()> {
    let size = fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    if size > FLASH_SIZE as u64 {
        bail!(
            "{} has {size} bytes, {} too many for the flash",
            from.display(),
            size - FLASH_SIZE as u64
        );
    }
    // QEMU wants the whole flash; the unused part is a hole in the file.
    fs::OpenOptions::new()
        .write(true)
        .open(to)?
        .set_len(FLASH_SIZE as u64)
        .with_context(|| format!("cannot write {}", to.display()))
}

/// Compiles a `.dts`, after the C preprocessor if it has directives; returns any other file as it is.
///
/// # Errors
/// The preprocessor or the compiler rejects the source.
pub fn device_tree(file: &Path, dir: &Path) -> Result<PathBuf> {
    if file.extension().is_none_or(|e| e != "dts") {
        return Ok(file.to_owned());
    }
    let name = file
        .file_stem()
        .context("a device tree source needs a name")?;
    let dtb = dir.join(name).with_extension("dtb");
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let home = file.parent().filter(|p| !p.as_os_str().is_empty());
    let home = home.unwrap_or(Path::new("."));
    let mut source = file.to_owned();
    if has_directives(&text) {
        source = dir.join(name).with_extension("preprocessed.dts");
        let cross = proc::find("aarch64-linux-gnu-gcc");
        let mut cpp = Command::new(cross.unwrap_or_else(|| "cc".into()));
        cpp.args(["-E", "-P", "-nostdinc", "-undef", "-D__DTS__"])
            .args(["-x", "assembler-with-cpp", "-I"])
            .arg(home)
            .arg("-o")
            .arg(&source)
            .arg(file);
        proc::output(&mut cpp)
            .with_context(|| format!("the C preprocessor rejects {}", file.display()))?;
    }
    let mut dtc = Command::new("dtc");
    dtc.args(["-q", "-I", "dts", "-O", "dtb", "-i"])
        .arg(home)
        .arg("-o")
        .arg(&dtb)
        .arg(&source);
    proc::output(&mut dtc).with_context(|| format!("{} does not compile", file.display()))?;
    Ok(dtb)
}

/// Returns whether a device tree source is meant for the C preprocessor. (A property's name may begin with `#`.)
fn has_directives(text: &str) -> bool {
    text.lines().any(|line| {
        let rest = line.trim_start().strip_prefix('#').map(str::trim_start);
        let words = ["include", "define", "undef", "if", "ifdef", "ifndef"];
        rest.is_some_and(|rest| {
            words
                .iter()
                .any(|w| rest.split_whitespace().next() == Some(w))
        })
    })
}

/// The directory for the images of the system `name`.
pub fn out_dir(name: &str) -> PathBuf {
    paths::out().join(name)
}
