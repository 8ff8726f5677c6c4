//! Checks the inventory of `unsafe` in docs/threat-model.md: each use of the word in the image's code belongs to one
//! row, which says how many there are. A new one changes the document, and so asks for a review.

use crate::paths;
use regex::Regex;
use std::collections::BTreeMap;

/// The document.
const DOCUMENT: &str = "docs/threat-model.md";
/// The crates of the image that may have `unsafe`. The others forbid it.
const CRATES: [&str; 5] = [
    "bl31/src",
    "bl31/context/src",
    "plat/src",
    "drivers/src",
    "drivers/arm-sysregs/src",
];
/// Folders and files of these that are in no image.
const TESTS: [&str; 3] = ["/fake/", "/tests/", "/tests.rs"];

/// How often the code of each file says `unsafe`; comments do not count.
fn counted() -> BTreeMap<String, usize> {
    let word = Regex::new(r"\bunsafe\b").expect("a pattern");
    paths::tracked(&CRATES)
        .into_iter()
        .filter(|file| file.ends_with(".rs") && !TESTS.iter().any(|test| file.contains(test)))
        .filter_map(|file| {
            let text = std::fs::read_to_string(paths::root().join(&file)).expect("a source");
            let code = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or(""));
            let count = code.map(|line| word.find_iter(line).count()).sum();
            (count > 0).then_some((file, count))
        })
        .collect()
}

/// A row of the document's inventory: the places that it names, and how many times `unsafe` is there.
struct InventoryRow {
    places: Vec<String>,
    count: usize,
}

/// The rows of the document's inventory.
fn inventory(text: &str) -> Vec<InventoryRow> {
    let place = Regex::new(r"`([^`]+)`").expect("a pattern");
    text.lines()
        .skip_while(|line| !line.starts_with("| reason | where |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let places = place
                .captures_iter(cells[1])
                .map(|found| found[1].to_owned());
            InventoryRow {
                places: places.collect(),
                count: cells[2].parse().expect("a number in the last column"),
            }
        })
        .collect()
}

#[test]
fn the_inventory_is_complete() {
    let text = std::fs::read_to_string(paths::root().join(DOCUMENT)).expect("a document");
    let rows = inventory(&text);
    assert!(!rows.is_empty(), "{DOCUMENT} has the inventory");
    let mut found = vec![0; rows.len()];
    for (file, count) in counted() {
        // The longest place wins: a file's own row, else its folder's.
        let named = |row: &InventoryRow| {
            let matching = row
                .places
                .iter()
                .filter(|place| file.starts_with(place.as_str()));
            matching.map(String::len).max()
        };
        let best = (0..rows.len()).max_by_key(|&i| named(&rows[i]));
        let row = best.filter(|&i| named(&rows[i]).is_some());
        let row =
            row.unwrap_or_else(|| panic!("{file} has `unsafe`, and {DOCUMENT} no row for it"));
        found[row] += count;
    }
    for file in paths::tracked(&["bl31/*.S", "drivers/*.S", "plat/*.S"]) {
        let named = format!("`{file}`");
        assert!(
            text.contains(&named),
            "{DOCUMENT} names assembly, not {file}"
        );
    }
    for (row, found) in rows.iter().zip(found) {
        assert_eq!(
            row.count, found,
            "{DOCUMENT} counts {}, the code has {found}: {:?}",
            row.count, row.places
        );
    }
}
