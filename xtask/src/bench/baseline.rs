//! docs/bench.json, the base line: results that must not get worse.

use super::Comparison;
use super::measure::{Column, Counts};
use crate::cli::Plat;
use crate::size::{self, Sizes};
use crate::{growth, paths, ui};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The growth of instructions and bytes, in per cent, up to which [`check`] passes.
const ALLOWED: u64 = 2;

/// Something that a row may have more of, beside instructions: its name, where it is, the per cent that pass, and how
/// many always pass.
type Watched = (&'static str, fn(&Counts) -> u64, u64, u64);

/// What [`check`] looks at in each row. Where the linker and the stack put things, and where the ring of the black
/// box stands, moves lines and pages a little, without any change of the code; the writes are as exact as instructions.
const WATCHED: [Watched; 5] = [
    ("lines of code", |c| c.code_lines, 10, 2),
    ("lines of data", |c| c.data_lines, 10, 2),
    ("pages of code", |c| c.code_pages, 10, 2),
    ("pages of data", |c| c.data_pages, 10, 2),
    ("writes in order", |c| c.in_order, ALLOWED, 0),
];

/// The path of the base line.
pub fn path() -> PathBuf {
    paths::root().join("docs/bench.json")
}

#[derive(Serialize)]
struct Table<'a> {
    calls: &'a [Comparison],
    /// Sizes in bytes; only where both BL31s were measured.
    size: Option<Sizes>,
}

/// The part of a table that [`check`] reads.
#[derive(Deserialize)]
struct Saved {
    calls: Vec<SavedRow>,
    size: Option<SavedSizes>,
}

#[derive(Deserialize)]
struct SavedSizes {
    janus: SavedSize,
}

/// Janus' sizes, in bytes.
#[derive(Deserialize)]
struct SavedSize {
    image: u64,
    ram_of_8_cores: u64,
    #[serde(default)]
    functions: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct SavedRow {
    name: String,
    spmc: String,
    janus_counts: Option<Counts>,
}

/// Writes the rows as JSON.
///
/// # Errors
/// The file cannot be written.
pub fn write(file: &Path, rows: &[Comparison]) -> Result<()> {
    let both = rows
        .iter()
        .all(|row| row.c.is_none() || row.janus.is_some());
    let size = if both {
        Some(size::measure(Plat::Qemu)?)
    } else {
        None
    };
    let text = serde_json::to_string_pretty(&Table { calls: rows, size })? + "\n";
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    ui::say(format!("wrote {}", file.display()));
    Ok(())
}

/// Compares Janus' instructions and sizes with the base line and prints what got worse. Returns `true` if nothing did.
///
/// # Errors
/// There is no base line, or BL31 does not build.
pub fn check(rows: &[Comparison]) -> Result<bool> {
    let saved = saved()?;
    let measured: Vec<_> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.spmc, row.counts(Column::Janus)))
        .collect();
    let mut worse = compare(&saved, &measured);
    if let Some(SavedSizes { janus: before }) = &saved.size {
        let now = size::janus(Plat::Qemu)?;
        let mut larger = Vec::from_iter(grown("image", before.image, now.image));
        larger.extend(grown(
            "RAM with room for 8 cores",
            before.ram_of_8_cores,
            now.ram_of_8_cores,
        ));
        if !larger.is_empty() {
            larger.extend(growth::report(&before.functions, &size::janus_elf()?)?);
        }
        worse.extend(larger);
    }
    for line in &worse {
        println!("{line}");
    }
    if worse.is_empty() {
        println!(
            "nothing has grown over {ALLOWED} % beyond docs/bench.json, instructions or bytes, nor lines and pages"
        );
    }
    Ok(worse.is_empty())
}

fn saved() -> Result<Saved> {
    let file = path();
    let text = fs::read_to_string(&file).with_context(|| {
        format!(
            "no base line {}: `cargo xtask bench --save` makes it",
            file.display()
        )
    })?;
    serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))
}

/// Returns a line for each function of the image that is larger than in the base line.
///
/// # Errors
/// There is no base line, or the image does not build.
pub fn grown_functions() -> Result<Vec<String>> {
    match saved()?.size {
        Some(SavedSizes { janus }) if !janus.functions.is_empty() => {
            growth::report(&janus.functions, &size::janus_elf()?)
        }
        _ => Ok(Vec::new()),
    }
}

/// The rows that got worse, a line each. A measured row is its name, the SPMC's level, and what it took.
fn compare(saved: &Saved, measured: &[(&str, &str, Option<&Counts>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for old in &saved.calls {
        let Some(before) = &old.janus_counts else {
            continue;
        };
        let row = format!("`{}` (SPMC at {})", old.name, old.spmc);
        let now = measured
            .iter()
            .find(|(name, spmc, _)| *name == old.name && *spmc == old.spmc);
        let Some(now) = now.and_then(|(_, _, counts)| *counts) else {
            wrong.push(format!("{row} is in docs/bench.json, but was not measured"));
            continue;
        };
        if too_many(now.el3, before.el3) {
            wrong.push(format!(
                "{row} takes {} instructions, {} in docs/bench.json",
                now.el3, before.el3
            ));
        }
        for (what, of, per_cent, always) in WATCHED {
            let (now, before) = (of(now), of(before));
            if now > before + always && now * 100 > before * (100 + per_cent) {
                wrong.push(format!(
                    "{row} has {now} {what}, {before} in docs/bench.json"
                ));
            }
        }
    }
    wrong
}

fn too_many(now: u64, before: u64) -> bool {
    now * 100 > before * (100 + ALLOWED)
}

/// A line if something that takes `now` bytes has grown too much.
fn grown(what: &str, before: u64, now: u64) -> Option<String> {
    too_many(now, before).then(|| format!("{what}: {now} bytes, {before} in docs/bench.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A base line with a row A of Janus, and a row B that only the C BL31 has.
    fn saved() -> Saved {
        let row = |name: &str, counts| SavedRow {
            name: name.to_owned(),
            spmc: "S-EL1".to_owned(),
            janus_counts: counts,
        };
        Saved {
            calls: vec![row("A", Some(counts(100, 40))), row("B", None)],
            size: None,
        }
    }

    fn counts(el3: u64, code_lines: u64) -> Counts {
        Counts {
            el3,
            code_lines,
            ..Counts::default()
        }
    }

    #[test]
    fn two_per_cent_more_is_allowed() {
        assert!(compare(&saved(), &[("A", "S-EL1", Some(&counts(102, 40)))]).is_empty());
        let rows = [
            ("A", "S-EL1", Some(&counts(50, 40))),
            ("C", "S-EL1", Some(&counts(9, 9))),
        ];
        assert!(compare(&saved(), &rows).is_empty());
    }

    #[test]
    fn four_lines_more_are_allowed_and_five_of_forty_are_not() {
        let with =
            |code_lines| compare(&saved(), &[("A", "S-EL1", Some(&counts(100, code_lines)))]);
        assert!(with(44).is_empty());
        assert_eq!(
            with(45),
            ["`A` (SPMC at S-EL1) has 45 lines of code, 40 in docs/bench.json"]
        );
    }

    #[test]
    fn one_write_in_order_more_is_too_many() {
        let more = Counts {
            in_order: 1,
            ..counts(100, 40)
        };
        assert_eq!(compare(&saved(), &[("A", "S-EL1", Some(&more))]).len(), 1);
    }

    #[test]
    fn a_page_more_of_image_is_too_much() {
        assert_eq!(grown("image", 60_000, 60_000), None);
        let line = grown("image", 60_000, 64_096).unwrap();
        assert!(line.contains("image: 64096 bytes, 60000"), "{line}");
    }

    #[test]
    fn more_than_that_or_a_lost_row_is_named() {
        let wrong = compare(&saved(), &[("A", "S-EL1", Some(&counts(103, 40)))]);
        assert!(
            wrong[0].contains("`A` (SPMC at S-EL1) takes 103"),
            "{wrong:?}"
        );
        assert_eq!(
            compare(&saved(), &[("A", "S-EL2", Some(&counts(1, 1)))]).len(),
            1
        );
    }
}
