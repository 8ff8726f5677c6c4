//! Turns ELF files into the flat images that a FIP holds.

use anyhow::{Context, Result, anyhow, bail};
use object::elf::PT_LOAD;
use object::read::elf::ProgramHeader;
use std::fs;
use std::path::{Path, PathBuf};

/// The largest plausible image. A segment far away from the others is a mistake in linking.
const LIMIT: u64 = 64 << 20;

/// Writes the loaded bytes of an ELF file, from its lowest load address on. Zero-initialised data at the end of the
/// image is left out, as a loader would not load it.
///
/// # Errors
/// No ELF file, nothing to load, or segments too far apart.
pub fn flatten(elf: &Path, to: &Path) -> Result<PathBuf> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    let (_, image) = loaded(&file).with_context(|| format!("in {}", elf.display()))?;
    fs::write(to, image).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to.to_owned())
}

/// The base address and the loaded bytes of an ELF file.
///
/// # Errors
/// As [`flatten`].
pub fn loaded(file: &object::File) -> Result<(u64, Vec<u8>)> {
    let object::File::Elf64(elf) = file else {
        bail!("no 64-bit ELF file")
    };
    let mut segments: Vec<(u64, &[u8])> = Vec::new();
    for header in elf.elf_program_headers() {
        let data = header.data(elf.endian(), elf.data());
        let data = data.map_err(|()| anyhow!("a program header leads out of the file"))?;
        if header.p_type(elf.endian()) == PT_LOAD && !data.is_empty() {
            // The load address, which may differ from the address of use.
            segments.push((header.p_paddr(elf.endian()), data));
        }
    }
    segments.sort_by_key(|(address, _)| *address);
    let Some((base, _)) = segments.first().copied() else {
        bail!("no segment to load")
    };
    let mut image = Vec::new();
    for (address, data) in segments {
        let offset = address - base;
        if offset + data.len() as u64 > LIMIT {
            bail!(
                "a segment at {address:#x} lies {offset:#x} bytes above the first: check the linker script"
            );
        }
        image.resize((offset as usize).max(image.len()), 0);
        image.truncate(offset as usize);
        image.extend(data);
    }
    Ok((base, image))
}
