//! The figures of docs/bench.json that the documents repeat: `bench --save` writes them, a test compares them.
//!
//! A figure is a cell of a table. Its row is found by the text of its first cell, so the text around it, and the rows'
//! order, are the writer's.

use crate::paths;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;

/// The columns of docs/bench.json, in the documents' order.
const COLUMNS: [&str; 3] = ["c", "c_featured", "janus"];
const LEVELS: [&str; 2] = ["S-EL2", "S-EL1"];
/// The documents that have figures.
const DOCUMENTS: [(&str, Rewrite); 4] = [
    ("docs/performance.md", performance),
    ("docs/context.md", |table, lines| context(table, lines)),
    ("docs/comparison.md", |table, lines| {
        comparison(table, lines)
    }),
    ("README.md", |table, lines| readme(table, lines)),
];

type Rewrite = fn(&Table, &mut Vec<String>) -> Result<()>;

/// docs/bench.json.
struct Table(Value);

/// Writes the figures into the documents.
///
/// # Errors
/// A document has lost a row that a figure belongs to, or a file cannot be read or written.
pub fn write() -> Result<()> {
    let table = Table::read()?;
    for (name, rewrite) in DOCUMENTS {
        let file = paths::root().join(name);
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
        let new = rewritten(&table, &text, rewrite).with_context(|| format!("in {name}"))?;
        if new != text {
            fs::write(&file, new).with_context(|| format!("cannot write {name}"))?;
        }
    }
    Ok(())
}

fn rewritten(table: &Table, text: &str, rewrite: Rewrite) -> Result<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    rewrite(table, &mut lines)?;
    Ok(lines.join("\n") + "\n")
}

fn performance(table: &Table, lines: &mut Vec<String>) -> Result<()> {
    instructions(table, lines)?;
    touched(table, lines)?;
    let head = find(lines, 0, "| bytes | C |")?;
    for (row, what) in [
        ("| image", "image"),
        ("| RAM, as built", "ram"),
        ("| of it for each core", "ram_per_core"),
        ("| RAM with room for 8 cores", "ram_of_8_cores"),
    ] {
        let figures = COLUMNS.map(|column| table.size(column, what).map_or(String::new(), number));
        put(lines, head, row, 1, &figures)?;
    }
    parts(table, lines)
}

/// The table of what the image consists of: all of it.
fn parts(table: &Table, lines: &mut Vec<String>) -> Result<()> {
    let head = find(lines, 0, "| part of the image |")?;
    let end = end_of_table(lines, head);
    let parts = table.0["size"]["janus"]["parts"].as_array();
    let parts = parts.context("docs/bench.json has no parts of the image")?;
    let of = |part: &Value| part["bytes"].as_u64().unwrap_or_default();
    let sum = |in_c: bool| -> u64 {
        let ours = parts.iter().filter(|part| part["in_c"] == in_c);
        ours.map(of).sum()
    };
    let mut new: Vec<String> = Vec::new();
    for in_c in [true, false] {
        for part in parts.iter().filter(|part| part["in_c"] == in_c) {
            let name = part["name"].as_str().unwrap_or_default().to_owned();
            let has = if in_c { "yes" } else { "no" };
            new.push(line(&[name, number(of(part)), has.to_owned()]));
        }
    }
    for (what, bytes) in [
        ("**what C+ has, too**", sum(true)),
        ("**what C+ has not**", sum(false)),
    ] {
        new.push(line(&[what.to_owned(), number(bytes), String::new()]));
    }
    lines.splice(head + 2..end, new);
    Ok(())
}

/// The table of instructions. It keeps its rows, and its column of goals; a new call comes at its end.
fn instructions(table: &Table, lines: &mut Vec<String>) -> Result<()> {
    let head = find(lines, 0, "| call | goal")?;
    let end = end_of_table(lines, head);
    let rows: Vec<Vec<String>> = lines[head + 2..end].iter().map(|l| cells(l)).collect();
    let mut names: Vec<(String, String)> = Vec::new();
    for mut row in rows {
        row.resize(2, String::new());
        names.push((row[0].clone(), row[1].clone()));
    }
    for name in table.calls() {
        if !names.iter().any(|(known, _)| *known == name) {
            names.push((name, String::new()));
        }
    }
    let new = names.into_iter().map(|(name, goal)| {
        let mut row = vec![name.clone(), goal];
        for spmc in LEVELS {
            let figures = COLUMNS.map(|column| table.call(&name, spmc)[column].as_u64());
            row.extend(figures.map(|n| n.map_or(String::new(), number)));
        }
        line(&row)
    });
    let new: Vec<String> = new.collect();
    lines.splice(head + 2..end, new);
    Ok(())
}

/// The table of lines, pages and writes: all of it.
fn touched(table: &Table, lines: &mut Vec<String>) -> Result<()> {
    let head = find(lines, 0, "| call | code lines")?;
    let end = end_of_table(lines, head);
    let mut new = Vec::new();
    for name in table.calls() {
        let mut row = vec![name.clone()];
        for spmc in LEVELS {
            let call = table.call(&name, spmc);
            let cell = |fields: &[&str]| {
                let figures = COLUMNS.map(|column| {
                    let counts = &call[format!("{column}_counts")];
                    let sum: Option<u64> = fields.iter().map(|field| counts[*field].as_u64()).sum();
                    sum.map_or("–".to_owned(), number)
                });
                match figures.iter().all(|figure| figure == "–") {
                    true => String::new(),
                    false => figures.join(" / "),
                }
            };
            row.push(cell(&["code_lines"]));
            row.push(cell(&["data_lines"]));
            row.push(cell(&["code_pages", "data_pages"]));
            row.push(cell(&["in_order"]));
        }
        new.push(line(&row));
    }
    lines.splice(head + 2..end, new);
    Ok(())
}

/// What a direct request does besides instructions.
fn context(table: &Table, lines: &mut [String]) -> Result<()> {
    let mut at = 0;
    for (title, what) in [
        ("| system register accesses", "system_registers"),
        ("| barriers", "barriers"),
    ] {
        for (row, column) in [(title, "janus_counts"), ("| the C BL31's", "c_counts")] {
            let figures = LEVELS.map(|spmc| {
                let n = table.call("direct request, 32-bit", spmc)[column][what].as_u64();
                n.map_or(String::new(), number)
            });
            at = put(lines, at, row, 1, &figures)?;
        }
    }
    Ok(())
}

fn comparison(table: &Table, lines: &mut [String]) -> Result<()> {
    put(
        lines,
        0,
        "| instructions at EL3, direct request",
        1,
        &table.beside("direct request, 32-bit"),
    )?;
    let version = COLUMNS.map(|column| {
        let call = table.call("PSCI_VERSION", "S-EL2");
        call[column].as_u64().map_or(String::new(), number)
    });
    let [c, featured, janus] = version;
    let version = [janus, format!("{c}; with Janus' features {featured}")];
    put(lines, 0, "| instructions at EL3, PSCI_VERSION", 1, &version)?;
    let size = |column| table.size(column, "image").map_or(String::new(), number);
    let image = [
        format!("{} bytes", size("janus")),
        format!(
            "{} bytes; with Janus' features {}",
            size("c"),
            size("c_featured")
        ),
    ];
    put(lines, 0, "| image for QEMU virt", 1, &image)?;
    Ok(())
}

fn readme(table: &Table, lines: &mut [String]) -> Result<()> {
    let figures = table.beside("direct request, 32-bit");
    put(
        lines,
        0,
        "| direct request, instructions at EL3",
        1,
        &figures,
    )?;
    Ok(())
}

impl Table {
    fn read() -> Result<Table> {
        let file = paths::root().join("docs/bench.json");
        let text = fs::read_to_string(&file).context("cannot read docs/bench.json")?;
        Ok(Table(
            serde_json::from_str(&text).context("docs/bench.json")?,
        ))
    }

    /// The names of all calls, in order.
    fn calls(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for call in self.0["calls"].as_array().into_iter().flatten() {
            let name = call["name"].as_str().unwrap_or_default();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// A call's row; null where it was not measured.
    fn call(&self, name: &str, spmc: &str) -> &Value {
        let calls = self.0["calls"].as_array();
        calls
            .into_iter()
            .flatten()
            .find(|call| call["name"] == name && call["spmc"] == spmc)
            .unwrap_or(&Value::Null)
    }

    fn size(&self, column: &str, what: &str) -> Option<u64> {
        self.0["size"][column][what].as_u64()
    }

    /// Two cells: a call's instructions on Janus, and on both C BL31s; each with the SPMC at S-EL2 and S-EL1.
    fn beside(&self, name: &str) -> [String; 2] {
        let [c, featured, janus] = COLUMNS.map(|column| {
            LEVELS
                .map(|spmc| self.call(name, spmc)[column].as_u64())
                .map(|n| n.map_or(String::new(), number))
                .join(" / ")
        });
        [janus, format!("{c}; with Janus' features {featured}")]
    }
}

/// The index of the first line from `from` on that begins with `start`.
fn find(lines: &[String], from: usize, start: &str) -> Result<usize> {
    match lines[from..]
        .iter()
        .position(|line| line.starts_with(start))
    {
        Some(at) => Ok(from + at),
        None => bail!("no row begins with `{start}`, where docs/bench.json has a figure for"),
    }
}

/// Puts `figures` into the row that begins with `start`, from its cell `first` on; returns the index of the next line.
fn put(
    lines: &mut [String],
    from: usize,
    start: &str,
    first: usize,
    figures: &[String],
) -> Result<usize> {
    let at = find(lines, from, start)?;
    let mut row = cells(&lines[at]);
    for (cell, figure) in row[first..].iter_mut().zip(figures) {
        cell.clone_from(figure);
    }
    lines[at] = line(&row);
    Ok(at + 1)
}

fn end_of_table(lines: &[String], head: usize) -> usize {
    let rest = lines[head..].iter().position(|line| !line.starts_with('|'));
    rest.map_or(lines.len(), |rest| head + rest)
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|');
    let row = row.strip_suffix('|').unwrap_or(row);
    row.split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn line(cells: &[String]) -> String {
    let mut line = "|".to_owned();
    for cell in cells {
        if !cell.is_empty() {
            line += " ";
            line += cell;
        }
        line += " |";
    }
    line
}

/// A number as the documents write it: `1,185`.
fn number(n: u64) -> String {
    match n / 1000 {
        0 => n.to_string(),
        thousands => format!("{},{:03}", number(thousands), n % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_have_the_figures_of_the_base_line() {
        let table = Table::read().expect("docs/bench.json");
        for (name, rewrite) in DOCUMENTS {
            let text = fs::read_to_string(paths::root().join(name)).expect("a document");
            let right = rewritten(&table, &text, rewrite).expect("its rows");
            let wrong: Vec<_> = text
                .lines()
                .zip(right.lines())
                .filter(|(is, should)| is != should)
                .collect();
            assert!(
                text == right,
                "{name} has other figures than docs/bench.json (`cargo xtask bench --save` writes both): {wrong:#?}"
            );
        }
    }

    /// Rows on which Janus may touch more lines than the C BL31; docs/performance.md says so.
    const MORE_LINES: [&str; 5] = ["boot", "FFA_VERSION", "CPU_", "FVP, CPU_", "revision of"];

    #[test]
    fn fewer_lines_than_the_c_bl31_but_for_a_few_rows() {
        let table = Table::read().expect("docs/bench.json");
        let mut compared = 0;
        for name in table.calls() {
            for spmc in LEVELS {
                let call = table.call(&name, spmc);
                let lines = |column: &str, what: &str| call[column][what].as_u64();
                for what in ["code_lines", "data_lines"] {
                    let (c, janus) = (lines("c_counts", what), lines("janus_counts", what));
                    let (Some(c), Some(janus)) = (c, janus) else {
                        continue;
                    };
                    compared += 1;
                    let known = MORE_LINES.iter().any(|start| name.starts_with(start));
                    // With FP live at S-EL1 Janus switches it, and the C BL31 leaves it to the SPMC.
                    let does_more = name == "direct request, FP live" && spmc == "S-EL1";
                    assert!(
                        known || does_more || janus < c,
                        "{name}, {spmc}: {janus} {what}, {c} of the C BL31"
                    );
                }
            }
        }
        assert!(compared > 80, "docs/bench.json has the rows");
    }

    fn small() -> Table {
        let counts = |n: u64| serde_json::json!({"code_lines": n, "data_lines": n + 1, "code_pages": 1, "data_pages": 2, "in_order": 0});
        Table(serde_json::json!({"calls": [
            {"name": "A", "spmc": "S-EL2", "c": 1185, "c_featured": 1500, "janus": 500,
             "c_counts": counts(60), "c_featured_counts": counts(70), "janus_counts": counts(40)},
            {"name": "B", "spmc": "S-EL1", "janus": 7, "janus_counts": counts(3)},
        ], "size": {"janus": {"parts": [
            {"name": "messages", "in_c": false, "bytes": 4000},
            {"name": "PSCI", "in_c": true, "bytes": 5000},
            {"name": "GIC", "in_c": true, "bytes": 600},
        ]}}}))
    }

    #[test]
    fn a_table_keeps_its_goals_and_gets_new_calls() {
        let text = "x\n| call | goal | C |\n|---|---|---|\n| A | 720 | 1 |\n\n| call | code lines |\n|---|---|\n\n\
                    | bytes | C | C+ | Janus |\n|---|---|---|---|\n| image | | | |\n| RAM, as built | 1 | 2 | 3 |\n\
                    | of it for each core | | | |\n| RAM with room for 8 cores | | | |\n\n\
                    | part of the image | bytes | in C+ |\n|---|---|---|\n| old | 1 | no |\n";
        let new = rewritten(&small(), text, performance).expect("all rows");
        for row in [
            "| A | 720 | 1,185 | 1,500 | 500 | | | |",
            "| B | | | | | | | 7 |",
            "| A | 60 / 70 / 40 | 61 / 71 / 41 | 3 / 3 / 3 | 0 / 0 / 0 | | | | |",
            "| B | | | | | – / – / 3 | – / – / 4 | – / – / 3 | – / – / 0 |",
            "| RAM, as built | | | |",
            "| PSCI | 5,000 | yes |",
            "| messages | 4,000 | no |",
            "| **what C+ has, too** | 5,600 | |",
        ] {
            assert!(new.lines().any(|line| line == row), "{row}\nin\n{new}");
        }
        assert!(!new.contains("| old |"), "{new}");
    }

    #[test]
    fn a_lost_row_is_an_error() {
        let error = rewritten(&small(), "nothing\n", |table, lines| readme(table, lines))
            .expect_err("no row");
        assert!(error.to_string().contains("| direct request"), "{error}");
    }
}
