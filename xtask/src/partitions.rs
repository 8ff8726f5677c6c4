//! Secure partition packages, as an SPMC at S-EL2 such as Hafnium wants them.
//!
//! BL2 copies each package from the FIP to the partition's own memory, where the SPMC finds the
//! partition manifest and the image. Which packages there are, and where each goes, BL2 reads from
//! TB_FW_CONFIG: that list is written here, from what the partitions' manifests say of themselves.
//!
//! A package has one of two forms: TF-A's (`SPKG`, one page of header, then manifest and image), or a
//! transfer list of the Firmware Handoff specification. An image and a manifest that are not packaged
//! yet get the first form.

use crate::{fip, paths};
use anyhow::{Context, Result, bail, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::{Node, Property};
use std::fmt::Write;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What BL2 has places for.
const MAX_PACKAGES: usize = 8;
/// The largest package that BL2 loads, in bytes.
const MAX_SIZE: usize = 4 << 20;
/// The secure memory of QEMU's virt machine that is left to BL32 and the partitions.
const SECURE_DRAM: Range<u64> = 0x0e10_0000..0x0f00_0000;
const PAGE: usize = 4096;

/// First bytes of TF-A's form, and its version.
const SPKG_MAGIC: &[u8; 4] = b"SPKG";
const SPKG_VERSION: u32 = 2;
/// First word of a transfer list.
const TRANSFER_LIST: u32 = 0x4a0f_b10b;
/// The transfer list entry that holds a partition manifest.
const TAG_FFA_MANIFEST: u32 = 0x106;

/// A package, and what BL2 has to know of it.
pub struct Package {
    /// The file in the FIP.
    pub file: PathBuf,
    /// Its name in the FIP, from the partition's UUID.
    pub uuid: String,
    /// Where BL2 puts it.
    load_address: u64,
    /// Bytes.
    size: usize,
}

/// Reads or makes the packages that were asked for: `PACKAGE`, or `IMAGE:MANIFEST`.
///
/// # Errors
/// A file is no package, a manifest lacks what BL2 needs, or the packages do not fit.
pub fn packages(asked: &[String], dir: &Path) -> Result<Vec<Package>> {
    fs::create_dir_all(dir)?;
    let mut all: Vec<Package> = Vec::new();
    for (index, asked) in asked.iter().enumerate() {
        let package = match asked.split_once(':') {
            Some((image, manifest)) => {
                assemble(Path::new(image), Path::new(manifest), index + 1, dir)
            }
            None => read(Path::new(asked)),
        };
        all.push(package.with_context(|| format!("--sp {asked}"))?);
    }
    check(&all)?;
    Ok(all)
}

/// Writes TB_FW_CONFIG's source: the frame of `fiptool-cfg/secure-partitions.dts` with a node for
/// each package.
///
/// # Errors
/// The frame has lost its place for them, or a file cannot be read or written.
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

/// A package that is one already.
fn read(file: &Path) -> Result<Package> {
    let file = std::path::absolute(file)?;
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let manifest = manifest_of(&bytes)?;
    let facts = facts(manifest)?;
    Ok(Package {
        file,
        uuid: facts.uuid,
        load_address: facts.load_address,
        size: bytes.len(),
    })
}

/// A package in TF-A's form: the manifest behind the header's page, the image where the manifest
/// says that the partition is entered.
fn assemble(image: &Path, manifest: &Path, number: usize, dir: &Path) -> Result<Package> {
    let code = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let own = dir.join(format!("sp{number}"));
    fs::create_dir_all(&own)?;
    let dtb = fip::device_tree(manifest, &own)?;
    let dtb = fs::read(&dtb).with_context(|| format!("cannot read {}", dtb.display()))?;
    let facts = facts(&dtb)?;
    let offset = facts
        .entry_offset
        .context("the manifest has no `entrypoint-offset`: it says where in the package the image goes, 0x2000 is usual")?;
    let offset = usize::try_from(offset)?;
    ensure!(
        offset.is_multiple_of(PAGE) && offset >= PAGE + dtb.len(),
        "`entrypoint-offset` is {offset:#x}: the header has the first page and the manifest {:#x} bytes from {PAGE:#x} on, so give the next page boundary",
        dtb.len()
    );
    let mut bytes = Vec::from(SPKG_MAGIC);
    for word in [
        SPKG_VERSION,
        PAGE as u32,
        dtb.len() as u32,
        offset as u32,
        code.len() as u32,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.resize(PAGE, 0);
    bytes.extend(dtb);
    bytes.resize(offset, 0);
    bytes.extend(code);
    let file = dir.join(format!("sp{number}.pkg"));
    fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Package {
        file,
        uuid: facts.uuid,
        load_address: facts.load_address,
        size: bytes.len(),
    })
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
    uuid: String,
    load_address: u64,
    entry_offset: Option<u64>,
}

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
    let uuid = cells("uuid")
        .filter(|cells| cells.len() >= 4)
        .context("its manifest has no `uuid` of four cells")?;
    Ok(Facts {
        uuid: uuid_text(&uuid),
        load_address: number("load-address")
            .context("its manifest has no `load-address`: BL2 puts the package there")?,
        entry_offset: number("entrypoint-offset"),
    })
}

/// What BL2 does with a partition that has this manifest.
///
/// # Errors
/// It lacks what BL2 needs, or would be loaded where it cannot.
pub fn describe(manifest: &[u8]) -> Result<String> {
    let facts = facts(manifest)?;
    ensure!(
        SECURE_DRAM.contains(&facts.load_address),
        "`load-address` is {:#x}: partitions go into secure memory, {:#x} to {:#x}",
        facts.load_address,
        SECURE_DRAM.start,
        SECURE_DRAM.end
    );
    let entry = match facts.entry_offset {
        Some(offset) => format!("{:#x}", facts.load_address + offset),
        None => "as the package says".to_owned(),
    };
    let (uuid, load) = (facts.uuid, facts.load_address);
    Ok(format!(
        "secure partition {uuid}\npackage     {load:#x}, by BL2\nentry       {entry}\n"
    ))
}

/// A manifest's UUID as FIP and TB_FW_CONFIG have it: each cell's bytes from the lowest on, as the
/// UUID stands in registers (DEN0077A, table of partition properties).
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

/// BL2 takes the list as it is: what it would overwrite is found here.
fn check(packages: &[Package]) -> Result<()> {
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
            place.start >= SECURE_DRAM.start && place.end <= SECURE_DRAM.end,
            "{name} goes to {:#x}..{:#x}, the secure memory is {:#x}..{:#x}: change `load-address` in its manifest",
            place.start,
            place.end,
            SECURE_DRAM.start,
            SECURE_DRAM.end
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
        let made = packages(&[asked], dir.path()).expect("packaged");
        assert_eq!(made[0].uuid, "b4b5671e-4a90-4fe1-b81f-fb13dae1dacb");
        let bytes = fs::read(&made[0].file).expect("the package");
        assert_eq!(&bytes[0x2000..], b"the image");
        let again = packages(&[made[0].file.display().to_string()], dir.path()).expect("read");
        assert_eq!(
            (again[0].load_address, &again[0].uuid),
            (0xe40_0000, &made[0].uuid)
        );
    }

    #[test]
    fn a_transfer_list_is_a_package() {
        let (dir, asked) = files(MANIFEST);
        let made = packages(&[asked], dir.path()).expect("packaged");
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
    fn what_bl2_would_not_load_is_refused() {
        let says = |manifest: &str, twice: bool| {
            let (dir, asked) = files(manifest);
            let asked = if twice {
                vec![asked.clone(), asked]
            } else {
                vec![asked]
            };
            format!("{:#}", packages(&asked, dir.path()).err().expect("refused"))
        };
        assert!(
            says(&MANIFEST.replace("0xe400000", "0x60000000"), false).contains("secure memory")
        );
        assert!(says(&MANIFEST.replace("load-address", "x"), false).contains("`load-address`"));
        assert!(says(&MANIFEST.replace("0x2000", "0x1000"), false).contains("next page boundary"));
        assert!(says(MANIFEST, true).contains("same UUID"));
    }

    #[test]
    fn packages_may_not_overlap() {
        let package = |uuid: &str, load_address| Package {
            file: uuid.into(),
            uuid: uuid.into(),
            load_address,
            size: 0x2000,
        };
        let pair = |at| check(&[package("a", 0x0e40_0000), package("b", at)]);
        assert!(pair(0x0e40_2000).is_ok());
        assert!(pair(0x0e40_1fff).is_err());
        assert!(pair(0x0e3f_e000).is_ok());
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
