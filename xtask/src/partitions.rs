//! Secure partition packages, as an SPMC at S-EL2 such as Hafnium wants them.
//!
//! BL2 copies each package from the FIP to the partition's own memory, where the SPMC finds the partition manifest and
//! the image. BL2 reads the list of the packages and their addresses from TB_FW_CONFIG. This module writes that list,
//! from the partitions' manifests.
//!
//! A package has one of two forms: TF-A's (`SPKG`, one page of header, then manifest and image), or a
//! transfer list of the Firmware Handoff specification, which can hold a HOB list too. An image and a
//! manifest that are not packaged yet get the first form, unless the second is asked for or needed.

use crate::cli::Plat;
use crate::{fip, paths, ui};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use dtoolkit::fdt::Fdt;
use dtoolkit::{Node, Property};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fmt::Write;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The most packages that BL2 has places for.
const MAX_PACKAGES: usize = 8;
/// The largest package that BL2 loads, in bytes.
const MAX_SIZE: usize = 4 << 20;
const PAGE: usize = 4096;

/// First bytes of TF-A's form, and its version.
const SPKG_MAGIC: &[u8; 4] = b"SPKG";
const SPKG_VERSION: u32 = 2;
/// First word of a transfer list.
const TRANSFER_LIST: u32 = 0x4a0f_b10b;
/// The transfer list entry that holds a partition manifest.
const TAG_FFA_MANIFEST: u32 = 0x106;
/// The transfer list entry that holds a partition's image. An SPMC wants it to be the last one.
const TAG_SP_BINARY: u32 = 0x103;
/// The transfer list entry that holds a HOB list.
const TAG_HOB_LIST: u32 = 3;
/// Where sptool puts manifest and image when nothing says otherwise.
const PM_OFFSET: usize = 0x1000;
const IMAGE_OFFSET: usize = 0x4000;

/// A package, with what BL2 has to know of it.
pub struct Package {
    /// The file in the FIP.
    pub file: PathBuf,
    /// Its name in the FIP, from the partition's UUID.
    pub uuid: String,
    /// Where BL2 puts it.
    pub load_address: u64,
    /// Length, in bytes.
    size: usize,
}

/// A partition that has to be packaged.
#[derive(Default, Debug, PartialEq, Eq)]
struct Wanted {
    image: PathBuf,
    manifest: PathBuf,
    image_offset: Option<usize>,
    pm_offset: Option<usize>,
    /// A HOB list, ready made.
    hob: Option<PathBuf>,
    /// Whether a transfer list is asked for.
    transfer_list: bool,
    /// The UUID that replaces the manifest's.
    uuid: Option<String>,
    load_address: Option<u64>,
}

/// A partition in a layout file, in the format of TF-A's build.
#[derive(Deserialize)]
struct Layout {
    image: PackagedFile,
    pm: PackagedFile,
    uuid: Option<String>,
    #[serde(rename = "physical-load-address")]
    load_address: Option<String>,
    package: Option<String>,
    hob_path: Option<PathBuf>,
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

/// A file, with or without its place in the package.
#[derive(Deserialize)]
#[serde(untagged)]
enum PackagedFile {
    File(PathBuf),
    At {
        file: PathBuf,
        offset: Option<String>,
    },
}

impl PackagedFile {
    fn split(self) -> Result<(PathBuf, Option<usize>)> {
        Ok(match self {
            PackagedFile::File(file) => (file, None),
            PackagedFile::At { file, offset } => {
                let offset = offset.as_deref().map(number).transpose()?;
                (file, offset.map(usize::try_from).transpose()?)
            }
        })
    }
}

/// Reads a number in a file or on a command line: hexadecimal with `0x`.
fn number(text: &str) -> Result<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .with_context(|| format!("`{text}` is no number"))
}

/// Reads `IMAGE:MANIFEST`, which another colon and `KEY=VALUE,KEY=VALUE` may follow.
fn from_words(asked: &str) -> Result<Option<Wanted>> {
    let mut words = asked.split(':');
    let (Some(image), Some(manifest)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut wanted = Wanted {
        image: image.into(),
        manifest: manifest.into(),
        ..Wanted::default()
    };
    for setting in words.flat_map(|w| w.split(',')) {
        match setting.split_once('=') {
            Some(("image-offset", n)) => wanted.image_offset = Some(number(n)?.try_into()?),
            Some(("pm-offset", n)) => wanted.pm_offset = Some(number(n)?.try_into()?),
            Some(("load-address", n)) => wanted.load_address = Some(number(n)?),
            Some(("uuid", uuid)) => wanted.uuid = Some(uuid.to_owned()),
            Some(("hob", file)) => wanted.hob = Some(file.into()),
            Some(("package", kind)) => wanted.transfer_list = is_transfer_list(kind)?,
            _ => bail!(
                "`{setting}` is not known: image-offset=, pm-offset=, load-address=, uuid=, hob=, package=sp_pkg or tl_pkg"
            ),
        }
    }
    Ok(Some(wanted))
}

fn is_transfer_list(kind: &str) -> Result<bool> {
    match kind {
        "sp_pkg" => Ok(false),
        "tl_pkg" => Ok(true),
        _ => bail!("no kind of package is called `{kind}`: sp_pkg or tl_pkg"),
    }
}

/// The partitions of a layout file; its paths are relative to it.
fn from_layout(file: &Path) -> Result<Vec<(String, Wanted)>> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let all: BTreeMap<String, Layout> = serde_json::from_str(&text)
        .context("it is no layout of partitions: each needs an `image` and a `pm`")?;
    let home = file.parent().unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for (name, layout) in all {
        for key in layout.more.keys() {
            match key.as_str() {
                // `owner` is for signatures, which QEMU's boot does not check; `size` is for tlc, which pads to it.
                "owner" | "size" => {}
                _ => ui::say(format!("{name}: `{key}` of the layout is not carried over")),
            }
        }
        let (image, image_offset) = layout.image.split()?;
        let (pm, pm_offset) = layout.pm.split()?;
        let package = layout
            .package
            .as_deref()
            .map(is_transfer_list)
            .transpose()?;
        let wanted = Wanted {
            image: home.join(image),
            manifest: home.join(pm),
            image_offset,
            pm_offset,
            hob: layout.hob_path.map(|file| home.join(file)),
            transfer_list: package.unwrap_or(false),
            uuid: layout.uuid,
            load_address: layout.load_address.as_deref().map(number).transpose()?,
        };
        found.push((name, wanted));
    }
    Ok(found)
}

/// Reads or makes the packages that were asked for, for the memory of `plat`: `PACKAGE`, `IMAGE:MANIFEST`, or a
/// layout file.
///
/// # Errors
/// A file is no package, a manifest lacks what BL2 needs, or the packages do not fit.
pub fn packages(asked: &[String], plat: Plat, dir: &Path) -> Result<Vec<Package>> {
    fs::create_dir_all(dir)?;
    let mut all: Vec<Package> = Vec::new();
    for (index, asked) in asked.iter().enumerate() {
        let what = || format!("--sp {asked}");
        if asked.ends_with(".json") {
            for (name, wanted) in from_layout(Path::new(asked)).with_context(what)? {
                let package = assemble(&wanted, &name, dir);
                all.push(package.with_context(|| format!("--sp {asked}: {name}"))?);
            }
            continue;
        }
        let package = match from_words(asked).with_context(what)? {
            Some(wanted) => assemble(&wanted, &format!("sp{}", index + 1), dir),
            None => read(Path::new(asked)),
        };
        all.push(package.with_context(what)?);
    }
    check(&all, &plat.secure_dram())?;
    Ok(all)
}

/// Writes TB_FW_CONFIG's source: the frame of `fiptool-cfg/secure-partitions.dts` with a node for
/// each package.
///
/// # Errors
/// The frame lacks the place for the nodes, or a file cannot be read or written.
pub fn tb_fw_config(packages: &[Package], dir: &Path) -> Result<PathBuf> {
    const PLACE: &str = "/* one node for each package */";
    let frame = paths::fiptool_cfg("secure-partitions.dts");
    let text =
        fs::read_to_string(&frame).with_context(|| format!("cannot read {}", frame.display()))?;
    ensure!(
        text.contains(PLACE),
        "{} has no line `{PLACE}`: put it back",
        frame.display()
    );
    let mut nodes = String::new();
    for (index, package) in packages.iter().enumerate() {
        write!(
            nodes,
            "sp{} {{\n\t\t\tuuid = \"{}\";\n\t\t\tload-address = <{:#x}>;\n\t\t}};\n\t\t",
            index + 1,
            package.uuid,
            package.load_address
        )?;
    }
    let to = dir.join("secure-partitions.dts");
    fs::write(&to, text.replace(PLACE, nodes.trim_end()))
        .with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to)
}

/// Reads a ready package.
fn read(file: &Path) -> Result<Package> {
    let file = std::path::absolute(file)?;
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let manifest = manifest_of(&bytes)?;
    let facts = facts(manifest)?;
    Ok(Package {
        file,
        uuid: facts.uuid.context(NO_UUID)?,
        load_address: facts.load_address.context(NO_LOAD_ADDRESS)?,
        size: bytes.len(),
    })
}

/// Makes a package of an image and a manifest.
fn assemble(wanted: &Wanted, name: &str, dir: &Path) -> Result<Package> {
    let read =
        |file: &Path| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let code = read(&wanted.image)?;
    let own = dir.join(name);
    fs::create_dir_all(&own)?;
    let dtb = read(&fip::device_tree(&wanted.manifest, &own)?)?;
    let facts = facts(&dtb)?;
    let hob = wanted.hob.as_deref().map(read).transpose()?;
    if facts.wants_hob && hob.is_none() {
        ui::say(format!(
            "{name}: its manifest asks for a HOB list in `boot-info`; none is made here: give one with hob=FILE (hob_path in a layout)"
        ));
    }
    let bytes = if wanted.transfer_list || hob.is_some() {
        transfer_list(&dtb, hob.as_deref(), &code)
    } else {
        spkg(wanted, &facts, &dtb, &code)?
    };
    let file = dir.join(format!("{name}.pkg"));
    fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    let load_address = wanted.load_address.or(facts.load_address);
    Ok(Package {
        file,
        uuid: wanted.uuid.clone().or(facts.uuid).context(NO_UUID)?,
        load_address: load_address.context(NO_LOAD_ADDRESS)?,
        size: bytes.len(),
    })
}

/// A package in TF-A's form: header, manifest, and the image where the manifest says that the
/// partition is entered.
fn spkg(wanted: &Wanted, facts: &Facts, dtb: &[u8], code: &[u8]) -> Result<Vec<u8>> {
    let pm = wanted.pm_offset.unwrap_or(PM_OFFSET);
    let entry = facts.entry_offset.map(usize::try_from).transpose()?;
    // The entry point may lie behind the image's first page boundary.
    let by_entry = entry.map(|entry| entry / PAGE * PAGE);
    let image = wanted.image_offset.or(by_entry).unwrap_or(IMAGE_OFFSET);
    ensure!(
        pm.is_multiple_of(PAGE) && image.is_multiple_of(PAGE) && pm >= PAGE,
        "the manifest goes to {pm:#x} and the image to {image:#x}: both must be pages behind the header's"
    );
    let (first, second) = if pm < image {
        (pm + dtb.len(), image)
    } else {
        (image + code.len(), pm)
    };
    ensure!(
        first <= second && image >= PAGE,
        "the manifest ({:#x} bytes at {pm:#x}) and the image ({:#x} bytes at {image:#x}, by `image-offset` or the manifest's entry point) do not fit: the header has the first page; give the next page boundary behind the manifest",
        dtb.len(),
        code.len()
    );
    if let Some(entry) = entry
        && !(image..image + code.len().max(1)).contains(&entry)
    {
        ui::say(format!(
            "the manifest's entry point is {entry:#x} bytes into the package, the image is at {image:#x}..{:#x}",
            image + code.len()
        ));
    }
    let mut bytes = vec![0; (pm + dtb.len()).max(image + code.len())];
    bytes[..4].copy_from_slice(SPKG_MAGIC);
    let header = [
        SPKG_VERSION,
        pm as u32,
        dtb.len() as u32,
        image as u32,
        code.len() as u32,
    ];
    for (index, word) in (1..).zip(header) {
        bytes[4 * index..][..4].copy_from_slice(&word.to_le_bytes());
    }
    bytes[pm..][..dtb.len()].copy_from_slice(dtb);
    bytes[image..][..code.len()].copy_from_slice(code);
    Ok(bytes)
}

/// A transfer list of manifest, HOB list and image, each at a page boundary. (Firmware Handoff 1.0:
/// the header has 24 bytes, an entry's 8; entries begin at multiples of 8.)
fn transfer_list(dtb: &[u8], hob: Option<&[u8]>, code: &[u8]) -> Vec<u8> {
    const PAGE_SHIFT: u8 = 12;
    let mut bytes = vec![0; 24];
    let entries = [
        (TAG_FFA_MANIFEST, Some(dtb)),
        (TAG_HOB_LIST, hob),
        (TAG_SP_BINARY, Some(code)),
    ];
    for (tag, data) in entries {
        let Some(data) = data else { continue };
        // An empty entry fills the space up to the place at which this entry's data begins on a page.
        let at = bytes.len();
        let header = (at + 8).next_multiple_of(PAGE) - 8;
        if header > at {
            let empty = if header - at >= 8 {
                header
            } else {
                header + PAGE
            };
            bytes.extend((8u32 << 24).to_le_bytes());
            bytes.extend(((empty - at - 8) as u32).to_le_bytes());
            bytes.resize(empty, 0);
        }
        bytes.extend((8 << 24 | tag).to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    let size = (bytes.len() as u32).to_le_bytes();
    bytes[..4].copy_from_slice(&TRANSFER_LIST.to_le_bytes());
    bytes[5..8].copy_from_slice(&[1, 24, PAGE_SHIFT]);
    bytes[8..12].copy_from_slice(&size);
    bytes[12..16].copy_from_slice(&size);
    // The list has a checksum: all its bytes add up to 0.
    bytes[16] = 1;
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[4] = sum.wrapping_neg();
    bytes
}

/// The partition manifest in a package of either form.
fn manifest_of(package: &[u8]) -> Result<&[u8]> {
    let word = |at: usize| -> Result<usize> {
        let bytes = package.get(at..at + 4).context("the file ends too early")?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let part = |at: usize, len: usize| {
        at.checked_add(len)
            .and_then(|end| package.get(at..end))
            .context("its manifest lies outside the file: make the package again")
    };
    if package.starts_with(SPKG_MAGIC) {
        return part(word(8)?, word(12)?);
    }
    if word(0)? == TRANSFER_LIST as usize {
        // The header: its size at 6, then at 8 the bytes used. An entry: the tag (24 bits) with the
        // size of its header, then the bytes of data; entries begin at multiples of 8.
        let used = word(8)?;
        let mut at = word(4)? >> 16 & 0xff;
        while at < used {
            let (tag, header) = (word(at)? & 0xff_ffff, word(at)? >> 24);
            let size = word(at + 4)?;
            if tag == TAG_FFA_MANIFEST as usize {
                return part(at + header, size);
            }
            ensure!(
                header >= 8,
                "its entry at {at:#x} is damaged: make the package again"
            );
            at = (at + header + size).next_multiple_of(8);
        }
        bail!("it is a transfer list without a partition manifest (entry {TAG_FFA_MANIFEST:#x})");
    }
    bail!(
        "not a secure partition package: it begins neither with SPKG nor as a transfer list. Give IMAGE:MANIFEST to have one made"
    )
}

/// What a partition manifest says that BL2 needs.
struct Facts {
    /// The package's name in the FIP.
    uuid: Option<String>,
    load_address: Option<u64>,
    /// Where it is entered, from the start of the package.
    entry_offset: Option<u64>,
    /// Whether it asks for a HOB list.
    wants_hob: bool,
}

const NO_UUID: &str =
    "its manifest has no `uuid`, as four cells or in its first service; give one with uuid=";
const NO_LOAD_ADDRESS: &str = "its manifest has no `load-address`: BL2 puts the package there";

fn facts(manifest: &[u8]) -> Result<Facts> {
    let tree = Fdt::new(manifest)
        .map_err(|e| anyhow::anyhow!("its partition manifest is no device tree ({e:?})"))?;
    let root = tree.root();
    let cells = |name: &str| -> Option<Vec<u32>> {
        let bytes = root.property(name)?.value().to_vec();
        let cells = bytes.chunks_exact(4);
        cells.remainder().is_empty().then_some(())?;
        Some(
            cells
                .map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]))
                .collect(),
        )
    };
    let number = |name: &str| match cells(name)?.as_slice() {
        [low] => Some(u64::from(*low)),
        [high, low] => Some(u64::from(*high) << 32 | u64::from(*low)),
        _ => None,
    };
    // Since version 1.1 of the binding each service has one, as text. BL2 only needs a name that FIP and
    // TB_FW_CONFIG agree on.
    let uuid = cells("uuid")
        .filter(|cells| cells.len() >= 4)
        .map(|cells| uuid_text(&cells))
        .or_else(|| {
            let service = root.child("services")?.children().next()?;
            let text = service.property("uuid")?.value().to_vec();
            let text = CStr::from_bytes_with_nul(&text).ok()?;
            let text = text.to_str().ok()?.to_lowercase();
            let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
            (text.len() == 36 && text.chars().all(hex)).then_some(text)
        });
    let load_address = number("load-address");
    // Older manifests give the entry point as an address.
    let by_address = number("entrypoint")
        .zip(load_address)
        .and_then(|(entry, base)| entry.checked_sub(base));
    let boot_info = root.child("boot-info");
    Ok(Facts {
        uuid,
        load_address,
        entry_offset: number("entrypoint-offset").or(by_address),
        wants_hob: boot_info.is_some_and(|n| n.property("hob_list").is_some()),
    })
}

/// Describes what BL2 does with a partition that has this manifest.
///
/// # Errors
/// It lacks what BL2 needs, or would be loaded where it cannot.
pub fn describe(manifest: &[u8]) -> Result<String> {
    let facts = facts(manifest)?;
    let load = facts.load_address.context(NO_LOAD_ADDRESS)?;
    // The manifest does not say which platform it is for.
    let plats = Plat::value_variants();
    if !plats.iter().any(|plat| plat.secure_dram().contains(&load)) {
        let memory = |plat: &Plat| {
            let Range { start, end } = plat.secure_dram();
            format!("{start:#x} to {end:#x} ({})", plat.name())
        };
        let memory = plats.iter().map(memory).collect::<Vec<_>>().join(", ");
        bail!("`load-address` is {load:#x}: partitions go into secure memory, {memory}");
    }
    let entry = match facts.entry_offset {
        Some(offset) => format!("{:#x}", load.saturating_add(offset)),
        None => "as the package says".to_owned(),
    };
    let uuid = facts.uuid.context(NO_UUID)?;
    Ok(format!(
        "secure partition {uuid}\npackage     {load:#x}, by BL2\nentry       {entry}\n"
    ))
}

/// Returns a manifest's UUID in the form of FIP and TB_FW_CONFIG: the bytes of each cell from the lowest on, as in
/// registers (DEN0077A, table of partition properties).
fn uuid_text(cells: &[u32]) -> String {
    let mut text = String::new();
    for (index, byte) in cells
        .iter()
        .take(4)
        .flat_map(|c| c.to_le_bytes())
        .enumerate()
    {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text += &format!("{byte:02x}");
    }
    text
}

/// BL2 does not check the list. What it would overwrite is found here.
fn check(packages: &[Package], memory: &Range<u64>) -> Result<()> {
    ensure!(
        packages.len() <= MAX_PACKAGES,
        "{} packages, BL2 loads {MAX_PACKAGES} at most",
        packages.len()
    );
    let range = |p: &Package| p.load_address..p.load_address.saturating_add(p.size as u64);
    for (index, package) in packages.iter().enumerate() {
        let name = package.file.display();
        let place = range(package);
        ensure!(
            package.size <= MAX_SIZE,
            "{name} has {} bytes, BL2 loads {MAX_SIZE} at most",
            package.size
        );
        ensure!(
            place.start >= memory.start && place.end <= memory.end,
            "{name} goes to {:#x}..{:#x}, the secure memory is {:#x}..{:#x}: change `load-address` in its manifest",
            place.start,
            place.end,
            memory.start,
            memory.end
        );
        for other in &packages[..index] {
            ensure!(
                other.uuid != package.uuid,
                "{} and {name} have the same UUID {}",
                other.file.display(),
                package.uuid
            );
            let taken = range(other);
            ensure!(
                place.end <= taken.start || taken.end <= place.start,
                "{} ({:#x}..{:#x}) and {name} ({:#x}..{:#x}) overlap: change a `load-address`",
                other.file.display(),
                taken.start,
                taken.end,
                place.start,
                place.end
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "/dts-v1/; / { uuid = <0x1e67b5b4 0xe14f904a 0x13fb1fb8 0xcbdae1da>; \
        load-address = <0xe400000>; entrypoint-offset = <0x2000>; };";

    fn files(manifest: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().expect("a directory");
        let (image, dts) = (dir.path().join("image.bin"), dir.path().join("sp.dts"));
        fs::write(&image, b"the image").expect("written");
        fs::write(&dts, manifest).expect("written");
        let asked = format!("{}:{}", image.display(), dts.display());
        (dir, asked)
    }

    #[test]
    fn an_image_and_a_manifest_become_a_package_that_is_read_back() {
        let (dir, asked) = files(MANIFEST);
        let made = packages(&[asked], Plat::Qemu, dir.path()).expect("packaged");
        assert_eq!(made[0].uuid, "b4b5671e-4a90-4fe1-b81f-fb13dae1dacb");
        let bytes = fs::read(&made[0].file).expect("the package");
        assert_eq!(&bytes[0x2000..], b"the image");
        let again = packages(
            &[made[0].file.display().to_string()],
            Plat::Qemu,
            dir.path(),
        )
        .expect("read");
        assert_eq!(
            (again[0].load_address, &again[0].uuid),
            (0xe40_0000, &made[0].uuid)
        );
    }

    #[test]
    fn the_examples_are_packed_side_by_side() {
        let (dir, asked) = files(MANIFEST);
        let (image, _) = asked.split_once(':').expect("two names");
        let examples = ["partition-device.dts", "partition-el0.dts"];
        let asked = examples.map(|name| format!("{image}:{}", paths::fiptool_cfg(name).display()));
        let made = packages(&asked, Plat::Qemu, dir.path()).expect("packaged");
        assert_eq!(made.len(), 2);
        for package in made {
            let bytes = fs::read(&package.file).expect("the package");
            assert_eq!(&bytes[0x2000..], b"the image");
        }
    }

    #[test]
    fn a_transfer_list_is_a_package() {
        let (dir, asked) = files(MANIFEST);
        let made = packages(&[asked], Plat::Qemu, dir.path()).expect("packaged");
        let spkg = fs::read(&made[0].file).expect("the package");
        let dtb = manifest_of(&spkg).expect("its manifest");
        let mut list = TRANSFER_LIST.to_le_bytes().to_vec();
        list.extend([0, 1, 24, 3]);
        list.extend((48 + dtb.len() as u32).to_le_bytes());
        list.resize(24, 0);
        // An entry of three bytes to step over, then the manifest.
        list.extend((8 << 24 | 3u32).to_le_bytes());
        list.extend([3, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0]);
        list.extend((8 << 24 | TAG_FFA_MANIFEST).to_le_bytes());
        list.extend((dtb.len() as u32).to_le_bytes());
        list.extend(dtb);
        assert_eq!(manifest_of(&list).expect("found"), dtb);
    }

    #[test]
    fn the_entry_point_may_be_an_address_or_missing() {
        let image_at = |manifest: &str, more: &str| {
            let (dir, asked) = files(manifest);
            let made =
                packages(&[format!("{asked}{more}")], Plat::Qemu, dir.path()).expect("packaged");
            let bytes = fs::read(&made[0].file).expect("the package");
            let at = bytes
                .windows(9)
                .position(|w| w == b"the image")
                .expect("there");
            assert_eq!(
                bytes[16..20],
                (at as u32).to_le_bytes(),
                "the header says it"
            );
            at
        };
        let other = |with: &str| MANIFEST.replace("entrypoint-offset = <0x2000>", with);
        assert_eq!(image_at(MANIFEST, ""), 0x2000);
        assert_eq!(image_at(&other("entrypoint = <0xe403000>"), ""), 0x3000);
        assert_eq!(image_at(&other("entrypoint = <0x0 0xe403000>"), ""), 0x3000);
        assert_eq!(image_at(&other("entrypoint-offset = <0x2400>"), ""), 0x2000);
        assert_eq!(image_at(&other("x"), ""), 0x4000);
        assert_eq!(
            image_at(MANIFEST, ":image-offset=0x6000,pm-offset=0x2000"),
            0x6000
        );
    }

    #[test]
    fn a_layout_of_sptool() {
        let (dir, _) = files(MANIFEST);
        fs::write(dir.path().join("hob.bin"), b"the hob list").expect("written");
        let json = dir.path().join("layout.json");
        let text = r#"{
            "one": { "image": "image.bin", "pm": "sp.dts", "owner": "SiP" },
            "two": { "image": { "file": "image.bin", "offset": "0x5000" },
                     "pm": { "file": "sp.dts", "offset": "0x2000" },
                     "uuid": "1b1820fe-48f7-4175-8999-d51da00b7c9f",
                     "physical-load-address": "0xe500000" },
            "three": { "image": "image.bin", "pm": "sp.dts", "package": "tl_pkg", "size": "0x100000",
                       "uuid": "2b1820fe-48f7-4175-8999-d51da00b7c9f", "hob_path": "hob.bin",
                       "physical-load-address": "0xe600000" }
        }"#;
        fs::write(&json, text).expect("written");
        let made =
            packages(&[json.display().to_string()], Plat::Qemu, dir.path()).expect("packaged");
        let addresses: Vec<u64> = made.iter().map(|p| p.load_address).collect();
        assert_eq!(addresses, [0xe40_0000, 0xe60_0000, 0xe50_0000]);
        assert_eq!(made[2].uuid, "1b1820fe-48f7-4175-8999-d51da00b7c9f");
        let two = fs::read(&made[2].file).expect("the package");
        assert_eq!(&two[0x5000..], b"the image");
        assert_eq!(&two[0x2000..0x2004], [0xd0, 0x0d, 0xfe, 0xed]);

        let list = fs::read(&made[1].file).expect("the package");
        assert!(
            list.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)) == 0,
            "its checksum"
        );
        let page = |text: &[u8]| {
            list.windows(text.len())
                .position(|w| w == text)
                .expect("there")
        };
        assert_eq!(page(b"the hob list") % PAGE, 0);
        assert_eq!(page(b"the image") % PAGE, 0);
        assert!(
            page(b"the image") > page(b"the hob list"),
            "the image is last"
        );
        assert!(
            manifest_of(&list)
                .expect("its manifest")
                .starts_with(&[0xd0, 0x0d])
        );
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        for (words, says) in [
            ("a:b:what=1", "not known"),
            ("a:b:image-offset=here", "no number"),
            ("a:b:package=zip", "no kind of package"),
        ] {
            let error = format!("{:#}", from_words(words).expect_err("refused"));
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn what_bl2_would_not_load_is_refused() {
        let says = |manifest: &str, twice: bool| {
            let (dir, asked) = files(manifest);
            let asked = if twice {
                vec![asked.clone(), asked]
            } else {
                vec![asked]
            };
            format!(
                "{:#}",
                packages(&asked, Plat::Qemu, dir.path())
                    .err()
                    .expect("refused")
            )
        };
        assert!(
            says(&MANIFEST.replace("0xe400000", "0x60000000"), false).contains("secure memory")
        );
        assert!(says(&MANIFEST.replace("load-address", "x"), false).contains("`load-address`"));
        assert!(says(&MANIFEST.replace("0x2000", "0x1000"), false).contains("next page boundary"));
        assert!(says(MANIFEST, true).contains("same UUID"));
    }

    #[test]
    fn the_uuid_of_a_manifest_with_services() {
        let services = "/dts-v1/; / { load-address = <0xe400000>; services { compatible = \"arm,ffa-manifest-services\"; \
            one { uuid = \"B4B5671E-4a90-4fe1-b81f-fb13dae1dacb\"; messaging-method = <3>; }; }; };";
        let uuid = |manifest: &str, more: &str| {
            let (dir, asked) = files(manifest);
            let made = packages(&[format!("{asked}{more}")], Plat::Qemu, dir.path());
            made.map(|made| made[0].uuid.clone())
                .map_err(|e| format!("{e:#}"))
        };
        let first = "b4b5671e-4a90-4fe1-b81f-fb13dae1dacb";
        assert_eq!(uuid(services, "").as_deref(), Ok(first));
        let none = services.replace("uuid", "x");
        assert!(uuid(&none, "").expect_err("refused").contains("uuid="));
        let given = uuid(&none, &format!(":uuid={first}"));
        assert_eq!(given.as_deref(), Ok(first));
    }

    /// The value of a property of one or two cells.
    fn value(tree: &Fdt, path: &str, name: &str) -> Option<u64> {
        let node = tree.find_node(path).expect("the node");
        let bytes = node.property(name)?.value().to_vec();
        assert!(matches!(bytes.len(), 4 | 8), "{path}: {name}");
        Some(bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// What Hafnium's parser demands, by its sources of 2026.
    #[test]
    fn hafnium_takes_the_examples() {
        let dir = tempfile::tempdir().expect("a directory");
        let compiled = |file: &Path| {
            fs::read(fip::device_tree(file, dir.path()).expect("compiled")).expect("read")
        };
        for name in ["partition-device.dts", "partition-el0.dts"] {
            let bytes = compiled(&paths::fiptool_cfg(name));
            let tree = Fdt::new(&bytes).expect("a tree");
            let root = |name| value(&tree, "/", name).unwrap_or_else(|| panic!("no {name}"));
            assert!(root("ffa-version") >= 0x1_0000);
            assert_eq!((root("execution-state"), root("xlat-granule")), (0, 0));
            // A bit per method: sends direct requests, receives them, indirect messages, and the same for
            // FFA_MSG_SEND_DIRECT_REQ2, which FF-A has since 1.2.
            assert!(matches!(root("messaging-method"), 1..=7), "{name}");
            let (level, contexts) = (root("exception-level"), root("execution-ctx-count"));
            assert!(level == 2 || (level == 1 && contexts == 1), "{name}");
            assert!(root("load-address").is_multiple_of(0x1000));
        }
        // The device is in the memory that the SPMC's manifest names in docs/hafnium.md.
        let text = fs::read_to_string(paths::root().join("docs/hafnium.md")).expect("a document");
        let (_, rest) = text.split_once("```dts\n").expect("an example");
        let (node, _) = rest.split_once("```").expect("its end");
        let frame = fs::read_to_string(paths::fiptool_cfg("hafnium-spmc.dts")).expect("a manifest");
        let open = frame.trim_end().strip_suffix("};").expect("its last line");
        let spmc = dir.path().join("spmc.dts");
        fs::write(&spmc, format!("{open}{node}}};\n")).expect("written");
        let bytes = compiled(&spmc);
        let tree = Fdt::new(&bytes).expect("a tree");
        let root = tree.root();
        let devices = root
            .children()
            .find(|n| {
                n.property("device_type")
                    .is_some_and(|p| p.value() == b"device-memory\0")
            })
            .expect("a node for devices");
        let reg = devices.property("reg").expect("its range").value().to_vec();
        let cells: Vec<u64> = reg
            .chunks(8)
            .map(|c| c.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
            .collect();
        let bytes = compiled(&paths::fiptool_cfg("partition-device.dts"));
        let tree = Fdt::new(&bytes).expect("a tree");
        let device = |name| value(&tree, "/device-regions/uart1", name).expect("there");
        let base = device("base-address");
        let end = base + device("pages-count") * 0x1000;
        assert!(
            cells[0] <= base && end <= cells[0] + cells[1],
            "{base:#x}..{end:#x} is not in {cells:x?}"
        );
        assert_eq!(device("attributes"), 3, "readable, writable, secure");
    }

    #[test]
    fn packages_may_not_overlap() {
        let package = |uuid: &str, load_address| Package {
            file: uuid.into(),
            uuid: uuid.into(),
            load_address,
            size: 0x2000,
        };
        let pair = |at| {
            let both = [package("a", 0x0e40_0000), package("b", at)];
            check(&both, &Plat::Qemu.secure_dram())
        };
        assert!(pair(0x0e40_2000).is_ok());
        assert!(pair(0x0e40_1fff).is_err());
        assert!(pair(0x0e3f_e000).is_ok());
        // Each platform has its own memory for them.
        let one = |at, plat: Plat| check(&[package("a", at)], &plat.secure_dram()).is_ok();
        for (at, plats) in [(0x0e40_0000, (true, false)), (0x0700_0000, (false, true))] {
            assert_eq!((one(at, Plat::Qemu), one(at, Plat::Fvp)), plats, "{at:#x}");
        }
    }

    #[test]
    fn damaged_packages_are_refused() {
        for bytes in [
            &b""[..],
            b"SPKG",
            b"none of both",
            &[0x0b, 0xb1, 0x0f, 0x4a],
        ] {
            assert!(manifest_of(bytes).is_err(), "{bytes:?}");
        }
        let mut list = TRANSFER_LIST.to_le_bytes().to_vec();
        list.extend([0, 1, 24, 3, 64, 0, 0, 0]);
        list.resize(64, 0);
        assert!(
            manifest_of(&list).is_err(),
            "an entry without a header does not end"
        );
    }
}
