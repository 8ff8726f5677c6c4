//! Checks that what documents name exists (files, folders, functions, options of `cargo xtask`), and that lists in
//! documents are those of the code.

use crate::cli::Cli;
use crate::paths;
use clap::CommandFactory;
use regex::Regex;
use std::collections::{BTreeSet, HashSet};
use syn::TraitItem;

/// Documents about other projects' trees, and about the past.
const NOT_OURS: [&str; 3] = ["docs/comparison.md", "docs/decisions", "CHANGELOG.md"];

/// Names that documents give as examples, or that belong to others: Rust's library, another project.
const OTHERS: [&str; 3] = ["NonZero", "qemu_virt", "stop_machine"];

fn read(path: &str) -> String {
    std::fs::read_to_string(paths::root().join(path)).expect("a file that git knows")
}

/// The documents, by name, with their text.
fn documents(files: &[String]) -> Vec<(&String, String)> {
    let ours = |file: &&String| {
        file.ends_with(".md") && !NOT_OURS.iter().any(|other| file.starts_with(other))
    };
    let found: Vec<_> = files
        .iter()
        .filter(ours)
        .map(|file| (file, read(file)))
        .collect();
    assert!(found.len() > 20, "{} documents", found.len());
    found
}

/// The names in backticks of `text` that look like a file, a folder or an item of the code, and are none.
fn unknown(text: &str, files: &[String], words: &HashSet<String>) -> Vec<String> {
    let fence = Regex::new(r"(?ms)^```.*?^```").expect("a pattern");
    let span = Regex::new(r"`([^`\n]+)`").expect("a pattern");
    let file = Regex::new(r"^[\w./-]+\.(rs|S|ld|toml|dts|json|txt|md)$").expect("a pattern");
    let folder = Regex::new(r"^[\w.-]+(/[\w.-]+)*/$").expect("a pattern");
    let item =
        Regex::new(r"^(\w+(::\w+)+(\(.*\))?|[a-z_]\w*\(\)|[a-z]+(_[a-z0-9]+)+|([A-Z][a-z]+){2,})$")
            .expect("a pattern");
    let word = Regex::new(r"[A-Za-z_]\w*").expect("a pattern");
    let ends = |path: &str, name: &str| path == name || path.ends_with(&format!("/{name}"));
    let mut missing = Vec::new();
    for found in span.captures_iter(&fence.replace_all(text, "")) {
        let name = &found[1];
        let there = if file.is_match(name) {
            files.iter().any(|path| ends(path, name))
        } else if folder.is_match(name) {
            let name = name.trim_end_matches('/');
            // A folder, or the cases of one file.
            files.iter().any(|path| {
                path.starts_with(&format!("{name}/"))
                    || path.contains(&format!("/{name}/"))
                    || ends(path, &format!("{name}.rs"))
            })
        } else if item.is_match(name) {
            let mut parts = word.find_iter(name);
            parts.all(|part| words.contains(part.as_str()) || OTHERS.contains(&part.as_str()))
        } else {
            true
        };
        if !there {
            missing.push(name.to_owned());
        }
    }
    missing
}

/// Every word of the code.
fn words(files: &[String]) -> HashSet<String> {
    let word = Regex::new(r"\w+").expect("a pattern");
    let mut words = HashSet::new();
    let code = [".rs", ".S", ".ld", ".toml", ".c", ".dts", ".yml", "/run"];
    for file in files
        .iter()
        .filter(|file| code.iter().any(|end| file.ends_with(end)))
    {
        // Not the names in these tests.
        if file != "xtask/src/names.rs" {
            let text = read(file);
            words.extend(word.find_iter(&text).map(|found| found.as_str().to_owned()));
        }
    }
    words
}

/// The cases that the table of faults names are there.
#[test]
fn the_faults_have_their_cases() {
    let case = Regex::new(r"`([a-z]+/[a-z0-9-]+)`").expect("a pattern");
    let places = ["tests/payload/src/cases/", "xtask/src/testing/"];
    let sources: String = paths::tracked(&[])
        .iter()
        .filter(|path| places.iter().any(|place| path.starts_with(place)))
        .map(|path| read(path))
        .collect();
    let text = read("docs/faults.md");
    let named: Vec<_> = case.captures_iter(&text).collect();
    assert!(named.len() > 10);
    for name in named {
        let name = &name[1];
        assert!(sources.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn what_the_documents_name_is_there() {
    let files = paths::tracked(&[]);
    let words = words(&files);
    let missing: Vec<_> = documents(&files)
        .iter()
        .flat_map(|(file, text)| {
            let missing = unknown(text, &files, &words).into_iter();
            missing.map(move |name| format!("{file}: `{name}`"))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "documents name what is not there:\n{}",
        missing.join("\n")
    );
}

#[test]
fn a_name_that_is_nowhere_is_found() {
    let files = [
        "bl31/src/run.rs".to_owned(),
        "tests/payload/x.rs".to_owned(),
    ];
    let words = HashSet::from(["turn".to_owned(), "run".to_owned()]);
    let text = "`run.rs` `walk.rs` `bl31/` `bl32/` `turn()` `twist()` `run::turn` `run::twist` `--run` `SCR_EL3`\n\
                ```\n`none.rs`\n```\n";
    assert_eq!(
        unknown(text, &files, &words),
        ["walk.rs", "bl32/", "twist()", "run::twist"]
    );
}

/// Each `--option` behind `cargo xtask COMMAND` in a document is an option of that command.
#[test]
fn the_options_of_xtask_are_there() {
    let mut command = Cli::command();
    command.build();
    let trace = janus_trace::command::Command::command();
    let line = Regex::new(r"cargo xtask ([a-z]+)((?:[^`\n]|\\\n)*)").expect("a pattern");
    let option = Regex::new(r"--([a-z][a-z0-9-]*)").expect("a pattern");
    let files = paths::tracked(&[]);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in documents(&files) {
        for found in line.captures_iter(&text) {
            // A program of its own has this one's options.
            let sub = match &found[1] {
                "trace" => Some(&trace),
                name => command.find_subcommand(name),
            };
            let Some(sub) = sub else {
                wrong.push(format!("{file}: cargo xtask {}", &found[1]));
                continue;
            };
            // A comment behind the command may name options of another one; quoted text is an argument.
            let arguments = found[2].split(" # ").next().unwrap_or_default();
            for named in option.captures_iter(arguments) {
                seen += 1;
                let there = sub.get_arguments().any(|a| a.get_long() == Some(&named[1]));
                if !there {
                    wrong.push(format!("{file}: cargo xtask {} --{}", &found[1], &named[1]));
                }
            }
        }
    }
    assert!(seen > 20, "{seen} options");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// docs/porting.md has every item of the trait `Platform`.
#[test]
fn porting_md_has_the_platforms_items() {
    let source = syn::parse_file(&read("plat/src/platform.rs")).expect("a file that compiles");
    let items = source.items.iter().find_map(|item| match item {
        syn::Item::Trait(found) if found.ident == "Platform" => Some(&found.items),
        _ => None,
    });
    let items: BTreeSet<String> = items
        .expect("the trait")
        .iter()
        .filter_map(|item| match item {
            TraitItem::Const(item) => Some(item.ident.to_string()),
            TraitItem::Fn(item) => Some(item.sig.ident.to_string()),
            TraitItem::Type(item) => Some(item.ident.to_string()),
            _ => None,
        })
        .collect();
    assert!(items.len() > 25, "{items:?}");
    let text = read("docs/porting.md");
    let missing: Vec<_> = items
        .iter()
        .filter(|item| !text.contains(&format!("`{item}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/porting.md says nothing of {missing:?}"
    );
}

/// README.md's table of the manifest's own properties is the list of what is read.
#[test]
fn readme_has_the_manifests_properties() {
    let own = |name: &&&str| name.starts_with("janus,");
    let read_ones: BTreeSet<&str> = janus_spmd::manifest::PROPERTIES
        .iter()
        .filter(own)
        .copied()
        .collect();
    let text = read("README.md");
    let row = Regex::new(r"(?m)^\| `(janus,[a-z0-9-]+)").expect("a pattern");
    let said: BTreeSet<&str> = row
        .captures_iter(&text)
        .map(|found| found.get(1).expect("a group").as_str())
        .collect();
    assert_eq!(said, read_ones);
    let sri = format!(
        "the schedule receiver interrupt | {} |",
        janus_spmd::manifest::DEFAULT_SRI
    );
    assert!(text.contains(&sri), "README.md: {sri}");
}

/// Limits and ranges of the dispatcher that docs/spmd.md and docs/threat-model.md state.
#[test]
fn the_dispatchers_numbers() {
    // Where a line ends in a document says nothing.
    let read = |name: &str| read(name).split_whitespace().collect::<Vec<_>>().join(" ");
    let text = read("docs/spmd.md");
    let wrong = format!(
        "| {} calls that are not what EL3 waits for",
        janus_spmd::WRONG_CALLS
    );
    assert!(text.contains(&wrong), "{wrong}");
    let ids = janus_spmd::PARTITION_IDS;
    let ids = format!("ID from 0x{:X} to 0x{:X}", ids.start(), ids.end());
    assert!(text.contains(&ids), "{ids}");
    let newest = format!(
        "FF-A 1.0 to {}.{}",
        janus_spmd::Version::V1_3.major(),
        janus_spmd::Version::V1_3.minor()
    );
    assert!(read("README.md").contains(&newest), "{newest}");
    let wrong = format!("after {} wrong answers", janus_spmd::WRONG_CALLS);
    assert!(read("docs/threat-model.md").contains(&wrong), "{wrong}");
}
