//! Finds the lines of a device tree's source in which its properties and nodes are.

use std::collections::HashMap;
use std::path::Path;

/// A source file, with the lines of its properties and nodes.
pub struct Source {
    file: String,
    /// The line of each name; the `attribute` node's names come before the same names elsewhere.
    lines: HashMap<String, usize>,
}

impl Source {
    /// Reads a source. A compiled tree has an empty one.
    pub fn new(file: &Path, text: &str) -> Source {
        let mut lines = HashMap::new();
        let mut path: Vec<String> = Vec::new();
        // The text since the last `;`, `{` or `}`, and the line in which it begins.
        let (mut word, mut begin) = (String::new(), 1);
        for (number, line) in without_comments(text).lines().enumerate() {
            for c in line.chars().chain(['\n']) {
                match c {
                    '{' | '}' | ';' => {
                        let name = word.split('=').next().unwrap_or_default().trim().to_owned();
                        let inside = path.last().is_some_and(|node| node == "attribute");
                        if !name.is_empty() && (inside || c == '{') {
                            lines.entry(name.clone()).or_insert(begin);
                        }
                        match c {
                            '{' => path.push(name),
                            '}' => drop(path.pop()),
                            _ => {}
                        }
                        word.clear();
                    }
                    c if word.is_empty() && c.is_whitespace() => {}
                    c => {
                        if word.is_empty() {
                            begin = number + 1;
                        }
                        word.push(c);
                    }
                }
            }
        }
        Source {
            file: file.display().to_string(),
            lines,
        }
    }

    /// A message about a property or a node, with the line if it is known.
    pub fn at(&self, name: &str, text: &str) -> String {
        match self.lines.get(name) {
            Some(line) => format!("{}:{line}: {text}", self.file),
            None => format!("{}: {text}", self.file),
        }
    }
}

/// The text, with spaces for its comments and its quoted strings.
fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' {
            rest[1..].find('"').map_or(rest.len(), |at| at + 2)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(
            rest[..end]
                .chars()
                .map(|c| if c == '\n' { '\n' } else { ' ' }),
        );
        rest = &rest[end..];
    }
    out
}
