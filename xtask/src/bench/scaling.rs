//! `--cores N`, its second part: what takes more on a machine with more cores.
//!
//! Two questions. Does a call of one core take more because others exist? The rows of the table are measured on a machine
//! with N cores and on the smallest that has them: exact, and what grows is named. And does it take more while all cores
//! come and go at once? There cores wait for each other's locks, so each row has a least, a median and a most. The least
//! is that of a core that did not have to wait, and must be the same for N cores and for two.

use super::BenchArgs;
use super::measure::{Bench, Column, Counts, PluginReport, System, Workload};
use anyhow::{Context, Result};

/// What each row of the storm is, and how its samples are found.
const STORM: [(&str, Samples); 3] = [
    ("CPU_ON, the caller", |report| {
        of(report, "CPU_ON, all cores at once")
    }),
    ("CPU_ON, the core that comes", |report| {
        let arrivals = report.samples.iter().filter(|s| s.0 == 0 && s.1 != 0);
        Ok(arrivals.map(|s| s.2.el3).collect())
    }),
    ("CPU_OFF", |report| of(report, "CPU_OFF, all cores at once")),
];

/// The rows that may take more with more cores, and why.
const GROWS: [(&str, &str); 1] = [(
    "boot",
    "GICv3 has a redistributor for each core, which is found by reading them all",
)];

type Samples = fn(&PluginReport) -> Result<Vec<u64>>;

/// Runs all BL31s and prints what grows; returns `false` if a call of one core takes more on Janus.
///
/// # Errors
/// See [`Bench::run`].
pub fn run(bench: &Bench, args: &BenchArgs, cores: u32) -> Result<bool> {
    let mut sound = true;
    for &level in args.levels() {
        println!(
            "\nInstructions at EL3 while {cores} cores come and go at once, SPMC at {}\n",
            level.name()
        );
        println!(
            "{:<36} {:>12} {:>8} {:>8} {:>8}",
            "", "least of 2", "least", "median", "most"
        );
        for &column in args.columns() {
            let system = bench.system(column, level)?;
            let two = bench.run(&system, Workload::Storm(2))?;
            let all = bench.run(&system, Workload::Storm(cores))?;
            for (name, samples) in STORM {
                let [of_two, ..] = spread(samples(&two)?).with_context(|| format!("no {name}"))?;
                let [least, median, most] =
                    spread(samples(&all)?).with_context(|| format!("no {name}"))?;
                println!(
                    "{:<5} {name:<30} {of_two:>12} {least:>8} {median:>8} {most:>8}",
                    column.name()
                );
                sound &= column != Column::Janus || least <= of_two;
            }
        }
        println!(
            "\nCalls of one core that take more with {cores} cores in the machine, SPMC at {}\n",
            level.name()
        );
        for &column in args.columns() {
            let grown = grown(bench, &bench.system(column, level)?, cores)?;
            if grown.is_empty() {
                println!("{:<5} none", column.name());
            }
            for line in &grown {
                let why = GROWS.iter().find(|(row, _)| line.starts_with(row));
                let why = why.map_or(String::new(), |(_, why)| format!(" ({why})"));
                println!("{:<5} {line}{why}", column.name());
                sound &= column != Column::Janus || !why.is_empty();
            }
        }
    }
    if !sound {
        println!("\nJanus takes more for a call because there are more cores");
    }
    Ok(sound)
}

/// The instructions of each execution of a row.
fn of(report: &PluginReport, row: &str) -> Result<Vec<u64>> {
    let (row, _) = report.find(row)?;
    let samples = report.samples.iter().filter(|s| s.0 == row);
    Ok(samples.map(|s| s.2.el3).collect())
}

/// Least, median and most.
fn spread(mut sorted: Vec<u64>) -> Option<[u64; 3]> {
    sorted.sort_unstable();
    Some([*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?])
}

/// The rows that take more instructions with `cores` cores, a line each.
fn grown(bench: &Bench, system: &System, cores: u32) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for workload in [Workload::Table, Workload::Power] {
        let few = bench.run(system, workload)?.rows()?;
        let many = bench.run_with(system, workload, cores)?.rows()?;
        lines.extend(few.iter().zip(&many).filter_map(more));
    }
    Ok(lines)
}

fn more(((name, few), (_, many)): (&(String, Counts), &(String, Counts))) -> Option<String> {
    let instructions =
        (many.el3 > few.el3).then(|| format!("{} to {} instructions", few.el3, many.el3));
    let lines = (many.data_lines > few.data_lines)
        .then(|| format!("{} to {} lines of data", few.data_lines, many.data_lines));
    let what: Vec<_> = instructions.into_iter().chain(lines).collect();
    (!what.is_empty()).then(|| format!("{name}: {}", what.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_names_the_row_and_what_grew() {
        let row = |el3, data_lines| {
            let counts = Counts {
                el3,
                data_lines,
                ..Counts::default()
            };
            ("CPU_OFF".to_owned(), counts)
        };
        assert_eq!(more((&row(100, 5), &row(100, 5))), None);
        assert_eq!(more((&row(100, 5), &row(90, 4))), None);
        let line = more((&row(100, 5), &row(130, 6))).unwrap();
        assert_eq!(
            line,
            "CPU_OFF: 100 to 130 instructions, 5 to 6 lines of data"
        );
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(spread(vec![100, 5, 9, 1]), Some([1, 9, 100]));
        assert_eq!(spread(vec![]), None);
    }
}
