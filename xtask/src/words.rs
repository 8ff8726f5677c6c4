//! What docs/style.md says about doc comments and a program can check: rustdoc shows each one alone, so none may lean on
//! the one before it.

use crate::paths;

/// Beginnings of a doc comment that say nothing by themselves.
const LEANS: [&str; 4] = ["The same", "Ditto", "Likewise", "See above"];

/// The doc comments of `text` that lean on others, by the number of their first line.
fn leaning(text: &str) -> Vec<(usize, &str)> {
    let mut before_is_doc = false;
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let doc = line.trim_start().strip_prefix("///").map(str::trim);
        if let Some(words) = doc
            && !before_is_doc
        {
            // `EL1's.`, `The SPMC's.`: whose, and not what.
            let whose = words.split_whitespace().count() <= 2 && words.ends_with("'s.");
            if whose || LEANS.iter().any(|lean| words.starts_with(lean)) {
                found.push((i + 1, words));
            }
        }
        before_is_doc = doc.is_some();
    }
    found
}

#[test]
fn no_doc_comment_leans_on_another() {
    let mut found = Vec::new();
    for file in paths::tracked(&["*.rs"]) {
        let text = std::fs::read_to_string(paths::root().join(&file)).expect("a source");
        for (line, words) in leaning(&text) {
            found.push(format!("{file}:{line}: {words}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn one_that_does_is_found() {
    let text = "/// Says it all.\n/// The same again.\nA\n/// EL1's.\nB\n/// The same of C.\nC\n/// The SPMC's.\nD\n";
    let lines: Vec<usize> = leaning(text).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 6, 8]);
}
