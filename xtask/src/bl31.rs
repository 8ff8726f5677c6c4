//! The BL31 under test: Janus, or TF-A's C one as the reference.
//!
//! Janus' linked image is checked for what BL2 and the lower exception levels rely on: its entry point, the highest
//! address of its bytes, and that it leaves the FP and SIMD registers alone.

use crate::call_graph::Graph;
use crate::cli::{BuildArgs, Plat, Runtime};
use crate::no_panic;
use crate::stack_depth::{self, Stacks};
use crate::tfa::Built;
use crate::toolchain::{self, Binary};
use crate::{a64, image, paths};
use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionKind};
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

/// The only code that may touch FP and SIMD registers: the switch of the worlds' SIMD context.
const SIMD_SECTION: &str = ".text.simd";

/// The symbols with which the linker script passes on the platform's memory map: the image's load address, which is its
/// entry point; the address from which on boot firmware still runs while it loads the image; the end of EL3's memory.
const PLACE: [&str; 3] = ["platform_image", "platform_loaded_end", "platform_end"];

/// Features that select a platform.
const PLATFORMS: [&str; 3] = ["qemu", "fvp", "example-board"];

/// The addresses at which code of any BL31 can lie: the memory that BL2 leaves for it.
pub fn code(plat: Plat) -> Range<u64> {
    match plat {
        Plat::Qemu => 0x0e09_0000..0x0e10_0000,
        // From TF-A 2.14 on the end may be higher.
        Plat::Fvp => 0x0400_3000..0x0406_0000,
    }
}

/// Returns the flat image of the BL31 that was asked for; builds it if it has to be built.
///
/// `tfa` builds TF-A, whose BL31 is the C one.
///
/// # Errors
/// It does not build, or its image breaks a rule.
pub fn image(args: &BuildArgs, tfa: impl FnOnce() -> Result<Built>) -> Result<PathBuf> {
    match args.bl31 {
        Runtime::C => Ok(tfa()?.bl31),
        Runtime::File(file) => Ok(file.to_owned()),
        Runtime::Janus if args.features.is_empty() => flat(args, elf(args)?, "bl31"),
        Runtime::Janus => {
            let cargo = fs::read_to_string(paths::root().join("bl31/Cargo.toml"))?;
            known(&args.features, &cargo)?;
            with_feature(args, &args.features.join(","))
        }
    }
}

/// Checks that bl31's `cargo` manifest has these features.
///
/// # Errors
/// One is missing: the message lists those that exist.
fn known(features: &[String], cargo: &str) -> Result<()> {
    let table = cargo
        .lines()
        .skip_while(|l| *l != "[features]")
        .skip(1)
        .take_while(|l| !l.starts_with('['));
    let there: Vec<&str> = table
        .filter_map(|l| Some(l.split_once(" = ")?.0))
        .filter(|name| !name.starts_with('#') && !PLATFORMS.contains(name))
        .collect();
    for feature in features {
        ensure!(
            there.contains(&feature.as_str()),
            "--features: the image has no feature `{feature}`; there are {} (a platform is chosen with --plat)",
            there.join(", ")
        );
    }
    Ok(())
}

/// The value of cargo's `--features`: the platform's, and `more`.
fn features(args: &BuildArgs, more: &str) -> String {
    format!("{},{more}", args.plat.feature())
}

/// Builds Janus' BL31 with a cargo feature for tests in addition to its platform's, as a flat image.
///
/// # Errors
/// It does not build, or its image breaks a rule.
pub fn with_feature(args: &BuildArgs, feature: &str) -> Result<PathBuf> {
    let elf = build(args, &features(args, feature))?;
    flat(args, elf, &format!("bl31-{}", feature.replace(',', "-")))
}

/// Builds Janus' BL31 for the platform that the cargo feature `board` selects, as a flat image.
///
/// # Errors
/// It does not build, or its image breaks a rule.
pub fn for_board(args: &BuildArgs, board: &str) -> Result<PathBuf> {
    flat(args, build(args, board)?, &format!("bl31-{board}"))
}

/// Checks the linked image and flattens it to `name`.
fn flat(args: &BuildArgs, elf: PathBuf, name: &str) -> Result<PathBuf> {
    let bytes = fs::read(&elf).with_context(|| format!("cannot read {}", elf.display()))?;
    check(&bytes, args).with_context(|| format!("{} cannot be used", elf.display()))?;
    image::flatten(
        &elf,
        &paths::out().join(format!(
            "{name}{}{}.bin",
            if args.debug { "-debug" } else { "" },
            if args.hardened { "-hardened" } else { "" }
        )),
    )
}

fn build(args: &BuildArgs, features: &str) -> Result<PathBuf> {
    let kind = if args.hardened {
        Binary::Hardened
    } else {
        Binary::Image
    };
    toolchain::build(kind, "janus-bl31", "bl31", features, args.debug)
}

/// Builds Janus' BL31; returns the linked ELF file.
///
/// # Errors
/// It does not build.
pub fn elf(args: &BuildArgs) -> Result<PathBuf> {
    if args.features.is_empty() {
        return build(args, args.plat.feature());
    }
    build(args, &features(args, &args.features.join(",")))
}

/// Checks the linked image that was built with `args`. An image with debug assertions may panic.
fn check(elf: &[u8], args: &BuildArgs) -> Result<()> {
    let file = object::File::parse(elf)?;
    let [entry, loaded_limit, limit] = PLACE.map(|name| address_of(&file, name));
    let (entry, loaded_limit, limit) = (entry?, loaded_limit?, limit?);
    let (base, bytes) = image::loaded(&file)?;
    let loaded_end = base + bytes.len() as u64;
    let end = file
        .segments()
        .map(|s| s.address() + s.size())
        .max()
        .unwrap_or(loaded_end);
    if base != entry || file.entry() != entry {
        bail!(
            "the platform has BL31 loaded to {entry:#x} and entered there, the image begins at {base:#x} and its entry is {:#x}: check the linker script",
            file.entry()
        );
    }
    if loaded_end > loaded_limit {
        bail!(
            "its loaded bytes end at {loaded_end:#x}, {} bytes above {loaded_limit:#x}, where boot firmware is still running: make it smaller (`cargo xtask size` shows what takes the space)",
            loaded_end - loaded_limit
        );
    }
    if end > limit {
        bail!(
            "its zero-initialised data end at {end:#x}, {} bytes above {limit:#x}, where the platform's memory for it ends: fewer cores or smaller stacks",
            end - limit
        );
    }
    let graph = Graph::read(&file)?;
    let size = |name| address_of(&file, name);
    let stacks = Stacks {
        core: size("stack_size")?,
        boot: size("boot_stack_size")?,
        crash: size("crash_stack_size")?,
    };
    stack_depth::check(&graph, stacks)?;
    // A `core` that is built from source checks its own arithmetic, and the compiler cannot always prove these checks
    // away. Our own code is that of the usual image.
    if !args.debug && !args.hardened {
        no_panic::check(&graph)?;
    }
    let uses = simd_uses(&file)?;
    if let Some((address, word, function)) = uses.first() {
        bail!(
            "{} instructions touch FP or SIMD registers, which belong to the lower exception levels; the first is {word:#010x} at {address:#x} in {function}. Only section {SIMD_SECTION} may",
            uses.len()
        );
    }
    Ok(())
}

/// The value of a symbol.
fn address_of(file: &object::File, name: &str) -> Result<u64> {
    file.symbols()
        .find(|s| s.name() == Ok(name))
        .map(|s| s.address())
        .with_context(|| format!("it has no symbol `{name}`: check the linker script"))
}

/// Instructions outside [`SIMD_SECTION`] that touch FP or SIMD registers: address, word, function.
fn simd_uses(file: &object::File) -> Result<Vec<(u64, u32, String)>> {
    // The linker script keeps the section apart, or marks where it begins and ends.
    let allowed = address_of(file, "__text_simd_start")?..address_of(file, "__text_simd_end")?;
    let mut found = Vec::new();
    for section in file
        .sections()
        .filter(|s| s.kind() == SectionKind::Text && s.name() != Ok(SIMD_SECTION))
    {
        let data = section.data()?;
        let code = Code::new(file, section.address()..section.address() + section.size());
        for (index, word) in data.chunks_exact(4).enumerate() {
            let address = section.address() + 4 * index as u64;
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            if a64::touches_simd(word) && code.is_code(address) && !allowed.contains(&address) {
                found.push((address, word, function(file, address)));
            }
        }
    }
    Ok(found)
}

/// Which addresses of a section hold instructions, by the ELF mapping symbols `$x` and `$d`.
struct Code(Vec<(u64, bool)>);

impl Code {
    fn new(file: &object::File, section: Range<u64>) -> Code {
        let mut marks: Vec<(u64, bool)> = file
            .symbols()
            .filter(|s| section.contains(&s.address()))
            .filter_map(|s| match s.name() {
                Ok(n) if n == "$x" || n.starts_with("$x.") => Some((s.address(), true)),
                Ok(n) if n == "$d" || n.starts_with("$d.") => Some((s.address(), false)),
                _ => None,
            })
            .collect();
        marks.sort_unstable();
        Code(marks)
    }

    fn is_code(&self, address: u64) -> bool {
        let next = self.0.partition_point(|(a, _)| *a <= address);
        next.checked_sub(1).is_none_or(|i| self.0[i].1)
    }
}

/// The function that an address lies in.
fn function(file: &object::File, address: u64) -> String {
    file.symbols()
        .filter(|s| {
            s.kind() == object::SymbolKind::Text
                && s.address() <= address
                && !s.name().unwrap_or("$").starts_with('$')
        })
        .max_by_key(|s| s.address())
        .and_then(|s| s.name().ok())
        .map_or_else(
            || "a function without a name".to_owned(),
            |n| format!("{:#}", rustc_demangle::demangle(n)),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_the_image() {
        let cargo = include_str!("../../bl31/Cargo.toml");
        let asked = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            known(&names, cargo).map_err(|e| e.to_string())
        };
        assert_eq!(asked(&["greeter", "lossy"]), Ok(()));
        let error = asked(&["greeter", "no-such"]).expect_err("refused");
        assert!(
            error.contains("`no-such`; there are greeter, lossy, calls, twins, lab ("),
            "{error}"
        );
        let error = asked(&["fvp"]).expect_err("refused");
        assert!(error.contains("--plat"), "{error}");
        assert_eq!(
            features(&BuildArgs::default(), "greeter,lossy"),
            "qemu,greeter,lossy"
        );
    }
}
