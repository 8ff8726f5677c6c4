//! `cargo xtask size`: how large the image is, against TF-A's C BL31.
//!
//! *Image* is what lies in the FIP, *RAM* what BL31 occupies at run time, from its base to the end
//! of its zero-initialised data: stacks, translation tables and the contexts of all cores. Both
//! BL31s are the ones that the tests run, release builds, the C one with an SPMC at S-EL2. They have room for different
//! numbers of cores. So the table also says how much RAM each core takes, and how much RAM there would be with room for
//! eight.
//!
//! The table leaves out the vector registers. Janus keeps them in a region that the platform gives, whose size depends
//! on the CPU's vector length; the C BL31 does not keep them.

use crate::bench;
use crate::bl31;
use crate::cli::{BuildArgs, Plat, Runtime};
use crate::growth;
use crate::parts::{self, Part};
use crate::tfa::{self, Dispatcher};
use anyhow::{Context, Result};
use clap::Args;
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The number of cores to compare for.
const CORES: u64 = 8;

/// The size of each core's stack in either BL31, in bytes.
const STACK_SIZE: u64 = 0x1000;
/// The size of each core's stack in the C BL31 for the FVP, in bytes.
const C_FVP_STACK_SIZE: u64 = 0x800;
/// A section that lies farther than this above an image's base is memory of its own: the C BL31 for the FVP has one in
/// DRAM.
const FAR: u64 = 16 << 20;

/// The variables with an element per core: Janus', then the C BL31's.
const PER_CORE: [&str; 12] = [
    "CORES",
    "CORE_AFFINITIES",
    "PARKED",
    "PEN",
    "STACKS",
    "STARTED",
    "percpu_data",
    "psci_cpu_pd_nodes",
    "psci_ns_context",
    "qemu_rdistif_base_addrs",
    "spe_ctxs",
    "spm_core_context",
];

/// What to show.
#[derive(Args)]
pub struct SizeArgs {
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
    /// The platform of the images.
    #[arg(long, value_enum, value_name = "PLATFORM", default_value_t)]
    plat: Plat,
}

/// The sizes of the BL31s.
#[derive(Serialize)]
pub struct Sizes {
    janus: ImageSize,
    c: ImageSize,
    /// The C BL31 with Janus' features.
    c_featured: ImageSize,
}

/// One BL31, in bytes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ImageSize {
    /// What the FIP holds.
    pub image: u64,
    /// Code.
    text: u64,
    /// Constants.
    constants: u64,
    /// Initialised data.
    data: u64,
    /// Zero-initialised and uninitialised data.
    zero: u64,
    /// From the image's base to the end of its data.
    ram: u64,
    /// The number of cores that there is room for.
    cores: u64,
    /// The RAM that each core takes.
    ram_per_core: u64,
    /// The RAM with room for [`CORES`] cores.
    pub ram_of_8_cores: u64,
    sections: Vec<Section>,
    /// Code and constants of each crate, as far as symbols tell: what is inlined counts where it
    /// is inlined. Empty for the C BL31.
    crates: BTreeMap<String, u64>,
    /// Bytes of each function, to say later which have grown. Empty for the C BL31.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    functions: BTreeMap<String, u64>,
    /// What the image consists of. Empty for the C BL31.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Section {
    name: String,
    address: u64,
    size: u64,
}

/// Prints the table.
///
/// # Errors
/// One of the images does not build.
pub fn run(args: &SizeArgs) -> Result<bool> {
    let sizes = measure(args.plat)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&sizes)?);
    } else {
        print(&sizes);
        // The base line is QEMU's.
        if args.plat != Plat::Qemu {
            return Ok(true);
        }
        let lines = bench::grown_functions()?;
        if !lines.is_empty() {
            println!("\nJanus, functions that have grown beyond docs/bench.json");
            lines.iter().for_each(|line| println!("{line}"));
        }
    }
    Ok(true)
}

/// The ELF file of the image that [`measure`] measures on QEMU.
///
/// # Errors
/// It does not build.
pub fn janus_elf() -> Result<PathBuf> {
    bl31::elf(&build_args(Plat::Qemu))
}

fn build_args(plat: Plat) -> BuildArgs {
    BuildArgs {
        plat,
        bl31: Runtime::Janus,
        release: true,
        ..BuildArgs::default()
    }
}

/// Builds all for a platform and measures them.
///
/// # Errors
/// One of them does not build.
pub fn measure(plat: Plat) -> Result<Sizes> {
    tfa::ensure_tools()?;
    let c = |featured| {
        let options = tfa::Options {
            featured,
            ..c_options(plat)
        };
        let built = tfa::build(&options, None)?;
        let stack = match plat {
            Plat::Qemu => STACK_SIZE,
            Plat::Fvp => C_FVP_STACK_SIZE,
        };
        image(&built.bl31_elf, &built.bl31, stack)
    };
    Ok(Sizes {
        janus: janus(plat)?,
        c: c(false)?,
        c_featured: c(true)?,
    })
}

/// Builds Janus for a platform and measures it.
///
/// # Errors
/// It does not build.
pub fn janus(plat: Plat) -> Result<ImageSize> {
    let build = build_args(plat);
    let flat = bl31::image(&build, || tfa::build(&c_options(plat), None))?;
    image(&bl31::elf(&build)?, &flat, STACK_SIZE)
}

fn c_options(plat: Plat) -> tfa::Options {
    tfa::Options {
        plat,
        dispatcher: Dispatcher::SpmdEl2,
        ..tfa::Options::default()
    }
}

fn image(elf: &Path, flat: &Path, stack: u64) -> Result<ImageSize> {
    let length = fs::metadata(flat)
        .with_context(|| format!("no {}", flat.display()))?
        .len();
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    let mut image = ImageSize {
        image: length,
        text: 0,
        constants: 0,
        data: 0,
        zero: 0,
        ram: 0,
        cores: 0,
        ram_per_core: 0,
        ram_of_8_cores: 0,
        sections: Vec::new(),
        crates: crates(&file),
        functions: BTreeMap::new(),
        parts: Vec::new(),
    };
    if !image.crates.is_empty() {
        image.functions = growth::functions(&file);
        image.parts = parts::of(elf)?;
    }
    for section in file.sections() {
        if section.address() == 0 || section.size() == 0 {
            continue;
        }
        let name = section.name().unwrap_or("?").to_owned();
        let kind = match section.kind() {
            // TF-A's is writable by its flags, and read-only by its page tables.
            SectionKind::Data if name == ".rodata" => &mut image.constants,
            SectionKind::Text => &mut image.text,
            SectionKind::Data => &mut image.data,
            SectionKind::UninitializedData => &mut image.zero,
            _ => &mut image.constants,
        };
        *kind += section.size();
        image.sections.push(Section {
            name,
            address: section.address(),
            size: section.size(),
        });
    }
    image.ram = ram(&image.sections);
    let stacks = image.sections.iter().find(|s| s.name == ".stacks");
    (image.cores, image.ram_per_core) =
        per_core(&file, stacks.map_or(0, |stacks| stacks.size), stack);
    let others = image.cores.saturating_sub(CORES);
    image.ram_of_8_cores = image.ram - others * image.ram_per_core;
    image.sections.sort_by_key(|section| section.address);
    Ok(image)
}

/// The RAM that sections occupy: from the first one to the end of the last one that is not far, and the far ones.
fn ram(sections: &[Section]) -> u64 {
    let low = sections.iter().map(|section| section.address).min();
    let (near, far): (Vec<_>, Vec<_>) = sections
        .iter()
        .partition(|section| section.address - low.unwrap_or(0) < FAR);
    let high = near.iter().map(|section| section.address + section.size);
    let far: u64 = far.iter().map(|section| section.size).sum();
    high.max().unwrap_or(0) - low.unwrap_or(0) + far
}

/// The number of cores that an image has room for, and the bytes that each takes. `stacks`: the size of
/// the stacks' section, if they have one; `stack`: of one of them.
fn per_core(file: &object::File, stacks: u64, stack: u64) -> (u64, u64) {
    let mut bytes = stacks;
    let mut cores = stacks / stack;
    for symbol in file.symbols() {
        let name = symbol.name().unwrap_or_default();
        let name = format!("{:#}", rustc_demangle::demangle(name));
        let name = name.rsplit("::").next().unwrap_or_default();
        if PER_CORE.contains(&name) {
            bytes += symbol.size();
            if name == "STACKS" {
                cores = symbol.size() / STACK_SIZE;
            }
        }
    }
    (cores, bytes / cores.max(1))
}

/// The bytes of Rust symbols in the image, by crate.
fn crates(file: &object::File) -> BTreeMap<String, u64> {
    let mut crates = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.size() > 0) {
        let loaded = symbol
            .section_index()
            .and_then(|index| file.section_by_index(index).ok())
            .is_some_and(|section| section.kind() != SectionKind::UninitializedData);
        let name = symbol.name().unwrap_or_default();
        if let Some(of) = crate_of(name).filter(|_| loaded) {
            *crates.entry(of).or_default() += symbol.size();
        }
    }
    crates
}

/// The crate that a mangled name belongs to: of `<A as B>::f` it is A's, or B's where A is a type of
/// the language or a parameter.
fn crate_of(symbol: &str) -> Option<String> {
    let name = rustc_demangle::try_demangle(symbol).ok()?;
    let path = format!("{name:#}");
    let owner = |path: &str| {
        let path = path.trim_start_matches(|c: char| !c.is_alphabetic() && c != '_');
        let words = ["mut ", "dyn ", "const "];
        let path = words
            .iter()
            .fold(path, |path, word| path.trim_start_matches(word));
        let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (of, rest) = path.split_at(end.unwrap_or(path.len()));
        rest.starts_with("::").then(|| of.to_owned())
    };
    let trait_of = || path.split_once(" as ").and_then(|(_, of)| owner(of));
    Some(
        owner(&path)
            .or_else(trait_of)
            .unwrap_or_else(|| "core".to_owned()),
    )
}

/// A row of the table: its title and its figure.
type Shown = (&'static str, fn(&ImageSize) -> u64);

fn print(sizes: &Sizes) {
    let Sizes {
        janus,
        c,
        c_featured,
    } = sizes;
    println!(
        "{:<30} {:>9} {:>9} {:>9} {:>7} {:>7}",
        "bytes", "C", "C+", "Janus", "to C", "to C+"
    );
    let rows: [Shown; 9] = [
        ("image", |i| i.image),
        ("  code", |i| i.text),
        ("  constants", |i| i.constants),
        ("  initialised data", |i| i.data),
        ("zero and uninitialised data", |i| i.zero),
        ("RAM", |i| i.ram),
        ("  with room for so many cores", |i| i.cores),
        ("  of it a core", |i| i.ram_per_core),
        ("RAM with room for 8 cores", |i| i.ram_of_8_cores),
    ];
    for (what, of) in rows {
        let (c, featured, janus) = (of(c), of(c_featured), of(janus));
        println!(
            "{what:<30} {c:>9} {featured:>9} {janus:>9} {:>7.2} {:>7.2}",
            janus as f64 / c as f64,
            janus as f64 / featured as f64
        );
    }
    println!("C+ is the C BL31 with Janus' features, as far as TF-A has them.");
    for (whose, image) in [("Janus", janus), ("C", c), ("C+", c_featured)] {
        println!("\n{whose}, by section");
        for Section {
            name,
            address,
            size,
        } in &image.sections
        {
            println!("  {name:<26} {address:#11x} {size:>9}");
        }
    }
    println!("\nJanus, by part");
    for Part { name, in_c, bytes } in &janus.parts {
        let note = if *in_c { "" } else { "  not in C+" };
        println!("  {name:<66} {bytes:>6}{note}");
    }
    let alone = janus.parts.iter().filter(|part| !part.in_c);
    let alone: u64 = alone.map(|part| part.bytes).sum();
    println!(
        "  {:<66} {:>6}",
        "without what C+ has not",
        janus.image - alone
    );
    println!("\nJanus, code and constants by crate");
    let mut crates: Vec<_> = janus.crates.iter().collect();
    crates.sort_by_key(|(_, size)| std::cmp::Reverse(**size));
    for (name, size) in crates {
        println!("  {name:<38} {size:>9}");
    }
    let known: u64 = janus.crates.values().sum();
    let rest = (janus.text + janus.constants + janus.data).saturating_sub(known);
    println!("  {:<38} {rest:>9}", "(assembly, strings, padding)");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_far_away_counts_by_its_size() {
        let section = |address, size| Section {
            name: String::new(),
            address,
            size,
        };
        let near = [section(0x400_3000, 0x1000), section(0x400_5000, 0x800)];
        assert_eq!(ram(&near), 0x2800);
        let [one, two] = near;
        assert_eq!(ram(&[section(0xffe0_0000, 0x300), two, one]), 0x2b00);
        assert_eq!(ram(&[]), 0);
    }

    #[test]
    fn symbols_tell_their_crate() {
        let of = |name: &str| crate_of(name).unwrap_or_default();
        assert_eq!(
            of("_ZN10janus_spmd8dispatch4Spmd4call17h0123456789abcdefE"),
            "janus_spmd"
        );
        assert_eq!(of("_RNvCs1234_7mycrate3foo"), "mycrate");
        // <core::fmt::Formatter as core::fmt::Write>::write_str
        let impl_of = "_ZN57_$LT$core..fmt..Formatter$u20$as$u20$core..fmt..Write$GT$9write_str17h0123456789abcdefE";
        assert_eq!(of(impl_of), "core");
        // <u8 as core::fmt::Display>::fmt
        assert_eq!(
            of("_ZN41_$LT$u8$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE"),
            "core"
        );
        assert_eq!(crate_of("memcpy"), None);
    }
}
