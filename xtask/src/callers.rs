//! Functions of the firmware's crates that nobody calls: neither the image, nor a tool, nor an example.
//!
//! Functions are told apart by their names alone. One with a common name may be missed; each one that is reported has
//! no caller.

use crate::paths;
use regex::Regex;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The crates whose functions are checked.
const OF: [&str; 9] = [
    "arm",
    "bl31",
    "bl31/context",
    "drivers",
    "lfa",
    "manifest",
    "plat",
    "psci",
    "spmd",
];

/// Other places that may have callers.
const CALLERS: [&str; 5] = [
    "xtask/src",
    "spmd/examples",
    "psci/examples",
    "plat/examples",
    "tests",
];

/// The functions without a caller that stay, with the reason.
const KEPT: [(&str, &str); 2] = [
    (
        "bind_spmc",
        "PSCI's contract with a monitor whose Trusted OS runs on one core; Janus's SPMCs run on all",
    ),
    (
        "are_in_cpu",
        "what the machine of the host tests checks when a world is entered",
    ),
];

/// Adds the code of the Rust files below `folder`, without comments and tests.
fn add(folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a directory can be read").path();
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if matches!(stem.as_str(), "fake" | "target") || stem == "tests" && !path.is_dir() {
            continue;
        }
        if path.is_dir() {
            // A folder of this name holds a crate's tests.
            if stem != "tests" {
                add(&path, found);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let text = fs::read_to_string(&path).expect("a file can be read");
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let lines = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default());
            found.push((
                path.display().to_string(),
                lines.collect::<Vec<_>>().join("\n"),
            ));
        }
    }
}

/// The public functions in `definers` whose names occur in `users` only where they are defined.
fn without_callers(definers: &[(String, String)], users: &[(String, String)]) -> Vec<String> {
    let word = Regex::new(r"\w+").expect("a pattern");
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for (_, text) in users {
        for name in word.find_iter(text) {
            *uses.entry(name.as_str()).or_default() += 1;
        }
    }
    let definition = Regex::new(
        r#"((?:#\[[^\]]*\]\s*)*)pub(?:\([a-z]+\))? (?:const )?(?:unsafe )?(?:extern "[^"]*" )?fn (\w+)"#,
    )
    .expect("a pattern");
    let mut defined: HashMap<&str, (usize, &str)> = HashMap::new();
    for (file, text) in definers {
        for found in definition.captures_iter(text) {
            let (attributes, name) = (&found[1], found.get(2).expect("a group").as_str());
            if !attributes.contains("no_mangle") && !attributes.contains("cfg(test)") {
                defined.entry(name).or_insert((0, file)).0 += 1;
            }
        }
    }
    let mut left: Vec<_> = defined
        .into_iter()
        .filter(|(name, (times, _))| uses.get(name).copied().unwrap_or(0) <= *times)
        .map(|(name, (_, file))| format!("{file}: {name}"))
        .collect();
    left.sort();
    left
}

#[test]
fn no_function_is_without_a_caller() {
    let mut definers = Vec::new();
    for folder in OF {
        add(&paths::root().join(folder).join("src"), &mut definers);
    }
    let mut users = definers.clone();
    for folder in CALLERS {
        add(&paths::root().join(folder), &mut users);
    }
    assert!(definers.len() > 150, "{} files", definers.len());
    let left: Vec<_> = without_callers(&definers, &users)
        .into_iter()
        .filter(|left| {
            !KEPT
                .iter()
                .any(|(kept, _)| left.ends_with(&format!(": {kept}")))
        })
        .collect();
    assert!(
        left.is_empty(),
        "nobody but tests calls these functions; call them, delete them, make them #[cfg(test)], or say in {} why \
         they stay:\n{}",
        file!(),
        left.join("\n")
    );
}

#[test]
fn what_only_its_definition_names_is_found() {
    let file = |text: &str| vec![("a.rs".to_owned(), text.to_owned())];
    let text = "pub fn used() {} #[inline] pub const fn unused() {} #[unsafe(no_mangle)] pub extern \"C\" fn entry() {} \
                fn f() { used() }";
    assert_eq!(without_callers(&file(text), &file(text)), ["a.rs: unused"]);
}
