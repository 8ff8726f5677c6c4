//! Checks the documents' links: a relative one leads to a file, an anchor to a heading.

use crate::paths;
use regex::Regex;
use std::collections::HashSet;
use std::path::Path;

/// The text without code, where brackets are no links.
fn prose(text: &str) -> String {
    let fences = Regex::new(r"(?ms)^```.*?^```").expect("a pattern");
    let spans = Regex::new(r"`[^`\n]*`").expect("a pattern");
    let text = fences.replace_all(text, "");
    spans.replace_all(&text, "``").into_owned()
}

/// The anchors of a document's headings, as GitHub makes them: lower case, hyphens for spaces, no other
/// punctuation.
fn anchors(text: &str) -> HashSet<String> {
    let fences = Regex::new(r"(?ms)^```.*?^```").expect("a pattern");
    fences
        .replace_all(text, "")
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// The broken links of `text`, which is the document at `place` below `root`.
fn broken(root: &Path, place: &Path, text: &str) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    let folder = place.parent().unwrap_or(Path::new(""));
    let mut broken = Vec::new();
    for found in link.captures_iter(&prose(text)) {
        let target = &found[1];
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = match file {
            "" => root.join(place),
            _ => root.join(folder).join(file),
        };
        if !path.exists() {
            broken.push(format!("{}: {target}: no such file", place.display()));
        } else if !anchor.is_empty() && path.is_file() {
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            if !anchors(&there).contains(anchor) {
                broken.push(format!("{}: {target}: no such heading", place.display()));
            }
        }
    }
    broken
}

#[test]
fn every_link_leads_somewhere() {
    let root = paths::root();
    let broken: Vec<String> = paths::tracked(&["*.md"])
        .iter()
        .flat_map(|place| {
            let text = std::fs::read_to_string(root.join(place)).expect("a document");
            broken(&root, Path::new(place), &text)
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let root = paths::root();
    let text = "[a](no-such-file.md) [b](README.md#no-such-heading) [c](README.md#try-it) `[d](nothing)`\n\
                ```\n[e](nothing)\n```\n";
    let found = broken(&root, Path::new("x.md"), text);
    assert_eq!(found.len(), 2, "{found:?}");
}
