//! What Janus' image consists of, by the source files that its bytes come from, and what of it TF-A's C BL31 has, too.
//!
//! An instruction belongs to the innermost of its inlined calls whose file is listed. A constant belongs to the code that
//! refers to it, directly or by a pointer in another constant.

use crate::{a64, proc};
use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A part of the image: its name, whether the C BL31 has it with Janus' features (release build), and its files. A file
/// is found by a piece of its path or, with "fn ", of its function's name; the first part that fits counts.
type Listed = (&'static str, bool, &'static [&'static str]);

/// The parts.
const PARTS: [Listed; 16] = [
    (
        "messages and their formatting (the C BL31 prints errors alone)",
        false,
        &[
            "fn core::fmt",
            "as core::fmt::",
            "core/src/fmt/",
            "core/src/str/count.rs",
            "/log-",
            "bl31/src/messages.rs",
            "bl31/src/hw/console.rs",
            "drivers/src/console.rs",
        ],
    ),
    (
        "crash report, back trace, black box",
        false,
        &["hw/crash.rs", "crash_record.rs", "black_box.rs"],
    ),
    (
        "transfer list",
        false,
        &["bl31/src/transfer_list.rs", "bl31/src/hand_over.rs"],
    ),
    (
        "EL3 logical partitions, calls of a platform's",
        false,
        &[
            "spmd/src/partitions.rs",
            "services/partitions.rs",
            "services/platform.rs",
            "plat/src/services.rs",
            "plat/src/identity.rs",
            "bl31/src/on_core.rs",
            "bl31/src/redirect.rs",
        ],
    ),
    (
        "requests that end in time; the SRI by a doorbell",
        false,
        &[
            "bl31/src/watch.rs",
            "bl31/src/patience.rs",
            "hw/power.rs",
            "bl31/src/sri.rs",
            "bl31/src/sgis.rs",
        ],
    ),
    (
        "vector registers of both worlds, exchanged on use",
        false,
        &[
            "context/src/simd/",
            "context/src/vectors.rs",
            "hw/no_vectors.rs",
            "__text_simd",
            "fn janus_context::vectors",
        ],
    ),
    (
        "extensions that open on first use",
        false,
        &["context/src/live.rs", "context/src/secure_only.rs"],
    ),
    (
        "panics of Rust",
        false,
        &[
            "fn core::panicking",
            "fn core::option::unwrap_failed",
            "fn core::slice::index::slice_index_fail",
            "fn core::slice::copy_from_slice_impl",
        ],
    ),
    (
        "the worlds' registers and their switch",
        true,
        &["bl31/context/src/", "bl31/src/core_data.rs"],
    ),
    ("FF-A", true, &["spmd/src/", "services/ffa.rs"]),
    (
        "PSCI and the cores' power",
        true,
        &[
            "psci/src/",
            "services/psci.rs",
            "bl31/src/power.rs",
            "cpu_power.rs",
        ],
    ),
    (
        "GIC",
        true,
        &[
            "drivers/src/gic",
            "arm-gic",
            "arm_gic",
            "bl31/src/hw/gic.rs",
            "group0.rs",
        ],
    ),
    (
        "SPMC's manifest and image",
        true,
        &["manifest/src/", "spmc_image.rs"],
    ),
    (
        "SMCCC, TRNG, errata and workarounds",
        true,
        &["bl31/src/smc/", "services/arch.rs", "speculation.rs"],
    ),
    (
        "vectors, entries and other assembly",
        true,
        &["fn assembly"],
    ),
    ("all else", true, &[""]),
];

/// A part and its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// Whether the C BL31 has it.
    pub in_c: bool,
    /// Bytes of code and constants.
    pub bytes: u64,
}

/// The part that a function and a file belong to.
fn part(function: &str, file: &str) -> Option<usize> {
    PARTS[..PARTS.len() - 1].iter().position(|(_, _, files)| {
        files.iter().any(|listed| match listed.strip_prefix("fn ") {
            Some(name) => function.starts_with(name) || function.starts_with(&format!("<{name}")),
            None => file.contains(listed) || listed.starts_with("as ") && function.contains(listed),
        })
    })
}

/// Returns the parts of the image `elf`, the padding of pages among them.
///
/// # Errors
/// It cannot be read, or there is no addr2line.
pub fn of(elf: &Path) -> Result<Vec<Part>> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)?;
    let section = |name| {
        file.section_by_name(name)
            .with_context(|| format!("{} has no {name}", elf.display()))
    };
    let (text, constants) = (section(".text")?, section(".rodata")?);
    let functions = file.symbols().filter(|symbol| symbol.size() > 0);
    let ends = functions.map(|symbol| symbol.address() + symbol.size());
    let text_end = text.address() + text.size();
    let code_end = ends
        .filter(|end| *end <= text_end)
        .max()
        .unwrap_or(text_end);
    let mut sizes = [0; PARTS.len()];
    let mut references = BTreeMap::new();
    let instructions = text.data()?.as_chunks::<4>().0;
    let places = places(elf, text.address(), code_end)?;
    for ((index, word), part) in (0..).zip(instructions).zip(&places) {
        sizes[*part] += 4;
        let target = a64::target(u32::from_le_bytes(*word), text.address() + index * 4);
        if let Some(target) = target {
            references.entry(target).or_insert(*part);
        }
    }
    let inside = constants.address()..constants.address() + constants.size();
    references.retain(|target, _| inside.contains(target));
    follow(&mut references, &pointers(&file, &constants)?);
    let mut end = inside.end;
    for (start, part) in references.iter().rev() {
        sizes[*part] += end - start;
        end = *start;
    }
    let known: u64 = sizes.iter().sum();
    let loaded = [
        ".text",
        ".rodata",
        ".note.gnu.build-id",
        ".relr.dyn",
        ".data",
    ];
    let loaded: u64 = loaded
        .iter()
        .filter_map(|name| section(name).ok())
        .map(|s| s.size())
        .sum();
    let mut parts: Vec<Part> = PARTS
        .iter()
        .zip(sizes)
        .map(|((name, in_c, _), bytes)| Part {
            name: (*name).to_owned(),
            in_c: *in_c,
            bytes,
        })
        .collect();
    let padding = text_end - code_end;
    parts.push(Part {
        name: "data, build ID, and the addresses to adjust elsewhere".to_owned(),
        in_c: true,
        bytes: loaded.saturating_sub(known + padding),
    });
    parts.push(Part {
        name: "rest of the code's last page".to_owned(),
        in_c: true,
        bytes: padding,
    });
    Ok(parts)
}

/// The part of each instruction of `elf` between two addresses, by binutils' addr2line.
fn places(elf: &Path, start: u64, end: u64) -> Result<Vec<usize>> {
    let mut command = Command::new("aarch64-linux-gnu-addr2line");
    command.args(["-a", "-i", "-f", "-C", "-e"]).arg(elf);
    command.args((start..end).step_by(4).map(|pc| format!("{pc:#x}")));
    Ok(parts_of(&proc::output(&mut command)?))
}

/// The part of each address in addr2line's answer: for each, its calls, innermost first, as a function and a place.
fn parts_of(answer: &str) -> Vec<usize> {
    let mut parts: Vec<Option<usize>> = Vec::new();
    let mut function = None;
    for line in answer.lines() {
        match function.take() {
            None if line.starts_with("0x") => parts.push(None),
            None => function = Some(line),
            Some(name) => {
                // Assembly has symbols, and no lines.
                let assembly = line.starts_with('?') && !name.contains("::");
                let name = if assembly { "assembly" } else { name };
                if let Some(found @ None) = parts.last_mut() {
                    *found = part(name, line);
                }
            }
        }
    }
    let rest = PARTS.len() - 1;
    parts.into_iter().map(|part| part.unwrap_or(rest)).collect()
}

/// The pointers from constants to constants: where each is, and where it leads. `.relr.dyn` lists them.
fn pointers(file: &object::File, constants: &object::Section) -> Result<Vec<(u64, u64)>> {
    let list = file.section_by_name(".relr.dyn").context("no .relr.dyn")?;
    let inside = constants.address()..constants.address() + constants.size();
    let mut pointers = Vec::new();
    let mut next = 0;
    let mut add = |at: u64| {
        let bytes = constants.data_range(at, 8).ok().flatten();
        let target = bytes.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        pointers.extend(
            target
                .filter(|target| inside.contains(target))
                .map(|target| (at, target)),
        );
    };
    for entry in list.data()?.as_chunks::<8>().0 {
        let entry = u64::from_le_bytes(*entry);
        if entry & 1 == 0 {
            add(entry);
            next = entry + 8;
            continue;
        }
        (0..63)
            .filter(|bit| entry >> (bit + 1) & 1 != 0)
            .for_each(|bit| add(next + 8 * bit));
        next += 63 * 8;
    }
    Ok(pointers)
}

/// Adds what the constants in `references` refer to, until nothing is new.
fn follow(references: &mut BTreeMap<u64, usize>, pointers: &[(u64, u64)]) {
    loop {
        let before = references.len();
        for (at, target) in pointers {
            let part = references.range(..=*at).next_back().map(|(_, part)| *part);
            if let Some(part) = part {
                references.entry(*target).or_insert(part);
            }
        }
        if references.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(start: &str) -> usize {
        let known = PARTS.iter().position(|(name, ..)| name.starts_with(start));
        known.expect("a part")
    }

    #[test]
    fn the_innermost_call_that_is_listed_counts() {
        let answer = "\
0x0e090000
core::fmt::Arguments::new
/x/library/core/src/fmt/mod.rs:1
janus_spmd::dispatch::Spmd::decide
/x/spmd/src/dispatch.rs:2
0x0e090004
core::slice::<impl [T]>::get
/x/library/core/src/slice/mod.rs:3
janus_psci::tree::Tree<_>::wake
/x/psci/src/tree.rs:4 (discriminator 5)
0x0e090008
<janus_bl31::transfer_list::ListFault as core::fmt::Display>::fmt
/x/bl31/src/transfer_list.rs:6
0x0e09000c
vectors
??:?
0x0e090010
janus_new::thing
/x/new/src/lib.rs:7
";
        let parts = ["messages", "PSCI", "messages", "vectors,", "all else"];
        assert_eq!(parts_of(answer), parts.map(number));
    }

    #[test]
    fn a_constant_belongs_to_who_refers_to_it() {
        // Code refers to 16 and to 64. There are pointers from 16 to 40 and to 4, from 40 to 48, from 4 to 0 and from 64
        // to 80. The pointer to 0 comes first, when nobody is known who refers to what it is in.
        let mut references = BTreeMap::from([(16, 3), (64, 5)]);
        follow(
            &mut references,
            &[(8, 0), (24, 40), (32, 4), (40, 48), (72, 80)],
        );
        let found = [(0, 3), (4, 3), (16, 3), (40, 3), (48, 3), (64, 5), (80, 5)];
        assert_eq!(references, BTreeMap::from(found));
    }
}
