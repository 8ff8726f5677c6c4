//! `--cores N`: direct requests of N cores at once, each core in a thread of QEMU's.
//!
//! The interleaving of the threads differs from run to run; the instructions that Janus executes must not. A BL31 that
//! takes a lock, or writes a line of memory that another core touches, is seen here: its instructions depend on the
//! other cores, and the shared lines are listed.

use super::BenchArgs;
use super::measure::{Bench, Column, PluginReport, Workload};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

const ROW: &str = "direct request, 32-bit, all cores at once";
const ALONE: &str = "direct request, 32-bit";

/// Runs both BL31s and prints what their cores share; returns `false` if Janus' cores disturb each other.
///
/// # Errors
/// See [`Bench::run`].
pub fn run(bench: &Bench, args: &BenchArgs, cores: u32) -> Result<bool> {
    let mut sound = true;
    for &level in args.levels() {
        println!(
            "\nDirect requests (32-bit) of {cores} cores at once, SPMC at {}\n",
            level.name()
        );
        for &column in args.columns() {
            let system = bench.system(column, level)?;
            let alone = bench.run(&system, Workload::Table)?.rows()?;
            let alone = alone
                .iter()
                .find(|(name, _)| name == ALONE)
                .context("the row alone")?
                .1
                .el3;
            let report = bench.run(&system, Workload::Crowd(cores))?;
            let (row, _) = report.find(ROW)?;
            let mut each: Vec<u64> = report
                .samples
                .iter()
                .filter(|s| s.0 == row)
                .map(|s| s.2.el3)
                .collect();
            each.sort_unstable();
            let (least, most) = (
                *each.first().context("no request")?,
                *each.last().context("no request")?,
            );
            let shared = shared_lines(&report, row);
            println!(
                "{:>5}: {alone} instructions alone; {} requests at once: least {least}, median {}, most {most}",
                column.name(),
                each.len(),
                each[each.len() / 2]
            );
            println!(
                "       lines written by one core and touched by another: {}",
                shared.len()
            );
            for (line, writers, others) in &shared {
                println!("         {line:#x}: written by cores {writers:?}, touched by {others:?}");
            }
            if column == Column::Janus {
                sound &= (least, most) == (alone, alone) && shared.is_empty();
            }
        }
    }
    if !sound {
        println!("\nJanus' cores disturb each other on the forwarding path");
    }
    Ok(sound)
}

type Cores = BTreeSet<u32>;

/// The lines of memory that EL3 writes on one core and touches on another, with the cores of both.
fn shared_lines(report: &PluginReport, row: u16) -> Vec<(u64, Cores, Cores)> {
    let mut lines: BTreeMap<u64, (Cores, Cores)> = BTreeMap::new();
    for line in report.lines.iter().filter(|line| line.row == row) {
        let (writers, all) = lines.entry(line.address).or_default();
        all.insert(line.core);
        if line.written {
            writers.insert(line.core);
        }
    }
    lines.retain(|_, (writers, all)| !writers.is_empty() && all.len() > 1);
    lines
        .into_iter()
        .map(|(line, (writers, all))| (line, writers, all))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::measure::Line;
    use super::*;

    #[test]
    fn a_line_is_shared_when_one_core_writes_it_and_another_touches_it() {
        let line = |row, core, written, address| Line {
            row,
            core,
            written,
            address,
            times: 1,
        };
        let l = |core, written, address| line(7, core, written, address);
        let report = PluginReport::of_lines(vec![
            l(0, true, 0x40),
            l(0, false, 0x40),
            l(0, false, 0x80),
            l(1, false, 0x80),
            l(0, true, 0xc0),
            l(1, false, 0xc0),
            line(8, 1, true, 0x40),
        ]);
        let shared = shared_lines(&report, 7);
        assert_eq!(shared, [(0xc0, Cores::from([0]), Cores::from([0, 1]))]);
    }
}
