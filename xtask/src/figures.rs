//! Checks that the figures in the documents are those of docs/bench.json.

use crate::paths;
use serde_json::Value;

fn document(name: &str) -> String {
    std::fs::read_to_string(paths::root().join(name)).expect("a document")
}

/// The instructions of a call in `column` ("janus" or "c"); `None` if it was not measured.
fn instructions(table: &Value, name: &str, spmc: &str, column: &str) -> Option<u64> {
    let calls = table["calls"].as_array().expect("a list of calls");
    let call = calls
        .iter()
        .find(|call| call["name"] == name && call["spmc"] == spmc);
    call.unwrap_or_else(|| panic!("docs/bench.json has no row {name:?}, {spmc}"))[column].as_u64()
}

/// A number as the documents write it: `1,185`.
fn number(n: u64) -> String {
    match n / 1000 {
        0 => n.to_string(),
        thousands => format!("{},{:03}", number(thousands), n % 1000),
    }
}

fn table() -> Value {
    serde_json::from_str(&document("docs/bench.json")).expect("docs/bench.json is JSON")
}

#[test]
fn the_table_of_performance_md() {
    let table = table();
    let text = document("docs/performance.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("| call | goal"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 20, "docs/performance.md has its table");
    for row in rows {
        let [name, _goal, figures @ ..] = row.as_slice() else {
            panic!("a row of two columns and more")
        };
        let columns = [
            ("S-EL2", "c"),
            ("S-EL2", "janus"),
            ("S-EL1", "c"),
            ("S-EL1", "janus"),
        ];
        for ((spmc, column), figure) in columns.into_iter().zip(figures) {
            // An empty cell: the call was not measured there, or the table leaves it out.
            if !figure.is_empty() {
                let right = instructions(&table, name, spmc, column).map(number);
                assert_eq!(
                    Some((*figure).to_owned()),
                    right,
                    "{name}, {spmc}, {column}"
                );
            }
        }
    }
}

#[test]
fn the_direct_request_in_the_comparisons() {
    let table = table();
    let cell = |column| {
        ["S-EL2", "S-EL1"]
            .map(|spmc| {
                instructions(&table, "direct request, 32-bit", spmc, column).expect("measured")
            })
            .map(number)
            .join(" / ")
    };
    let cells = format!("| {} | {} |", cell("janus"), cell("c"));
    for name in ["README.md", "docs/comparison.md"] {
        assert!(document(name).contains(&cells), "{name} says {cells}");
    }
}

/// The table of docs/context.md: what a direct request does besides instructions.
#[test]
fn the_counts_of_context_md() {
    let table = table();
    let text = document("docs/context.md");
    let count = |spmc: &str, column: &str, what: &str| {
        let calls = table["calls"].as_array().expect("a list of calls");
        let call = calls
            .iter()
            .find(|call| call["name"] == "direct request, 32-bit" && call["spmc"] == spmc);
        call.expect("the row")[column][what]
            .as_u64()
            .expect("a number")
    };
    for (title, what) in [
        ("system register accesses", "system_registers"),
        ("barriers", "barriers"),
    ] {
        let row = |title: &str, column: &str| {
            let [s_el2, s_el1] = ["S-EL2", "S-EL1"].map(|spmc| count(spmc, column, what));
            format!("| {title} | {s_el2} | {s_el1} |")
        };
        let rows = format!(
            "{}\n{}\n",
            row(title, "janus_counts"),
            row("the C BL31's", "c_counts")
        );
        assert!(text.contains(&rows), "docs/context.md says\n{rows}");
    }
}
