//! How often each call was made, and what it cost in instructions: at EL3, and in the secure world.

use crate::file::Trace;
use crate::filter::Filter;
use crate::flow::{Flow, Kind};
use std::collections::BTreeMap;
use std::fmt;

/// The steps of one kind and name.
#[derive(Default, Debug)]
struct CallStats {
    times: u64,
    errors: u64,
    el3: Vec<u64>,
    secure: Vec<u64>,
}

/// The table, by who calls and what.
#[derive(Default, Debug)]
pub struct Stats {
    rows: BTreeMap<(&'static str, String), CallStats>,
}

impl Stats {
    /// Counts the steps that the filter lets through.
    pub fn of(trace: &Trace, flow: &Flow, filter: &Filter) -> Stats {
        let mut stats = Stats::default();
        for (_, step, shown) in filter.steps(trace, flow) {
            if matches!(step.kind, Kind::Start(_) | Kind::Fault) {
                continue;
            }
            let error = shown.error().is_some();
            let row = stats
                .rows
                .entry((shown.from, shown.what.name.into_owned()))
                .or_default();
            row.times += 1;
            row.errors += u64::from(error);
            if step.end.is_some() {
                row.el3.push(step.el3);
                row.secure.push(step.secure);
            }
        }
        for row in stats.rows.values_mut() {
            row.el3.sort_unstable();
            row.secure.sort_unstable();
        }
        stats
    }
}

/// Minimum, median and maximum of sorted values.
fn spread(sorted: &[u64]) -> String {
    match (sorted.first(), sorted.last()) {
        (Some(min), Some(max)) => format!("{min:>8} {:>8} {max:>10}", sorted[sorted.len() / 2]),
        _ => format!("{:>8} {:>8} {:>10}", "-", "-", "-"),
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<5} {:<44} {:>8} {:>7}  instructions at EL3{:9}in the secure world",
            "from", "call", "times", "errors", ""
        )?;
        let columns = format!("{:>8} {:>8} {:>10}", "min", "median", "max");
        writeln!(
            f,
            "{:<5} {:<44} {:>8} {:>7}  {columns}  {columns}",
            "", "", "", ""
        )?;
        for ((from, name), row) in &self.rows {
            let (el3, secure) = (spread(&row.el3), spread(&row.secure));
            writeln!(
                f,
                "{from:<5} {name:<44} {:>8} {:>7}  {el3}  {secure}",
                row.times, row.errors
            )?;
        }
        Ok(())
    }
}
