//! `cargo xtask bench`: what each call costs at EL3, in instructions, on Janus and on the C BL31.
//!
//! One payload runs above both, on one QEMU. A TCG plugin counts from outside, so that neither BL31 is changed for it.
//! [`measure`] runs it and reads its report, this module joins the table, and [`baseline`] keeps the results. The SPMC
//! and the payload are the control: unless they execute the same instructions on both, the comparison is worth nothing.

// The plugin is a library that only QEMU can load. Its pure half is tested here.
#[cfg(test)]
#[allow(dead_code, reason = "only its tests are wanted")]
#[path = "../../../tests/bench/plugin/src/count.rs"]
mod count;
#[cfg(test)]
#[path = "../../../tests/bench/plugin/src/insn.rs"]
mod insn;

mod baseline;
mod crowd;
pub mod measure;
mod phases;
mod profile;
mod scaling;
mod table;

use crate::cli::{Plat, Runtime};
use crate::figures;
use anyhow::{Context, Result, bail};
pub use baseline::grown_functions;
use clap::Args;
use measure::{Bench, Column, Counts, Level, ON_FVP, Workload};
use serde::Serialize;
use std::path::PathBuf;

/// What to measure.
#[derive(Args)]
pub struct BenchArgs {
    /// Measure one BL31 only.
    #[arg(long, value_enum, value_name = "WHOSE")]
    pub bl31: Option<Runtime>,
    /// Write the table to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep this table as the base line, docs/bench.json, and write its figures into the documents.
    #[arg(long, conflicts_with = "bl31")]
    pub save: bool,
    /// Fail when a row has over 2 % more instructions than in docs/bench.json, or clearly more lines or pages.
    #[arg(long, conflicts_with_all = ["bl31", "save"])]
    pub check: bool,
    /// Show the system register accesses, barriers and so on of each call.
    #[arg(long, short)]
    pub verbose: bool,
    /// Measure what N cores do at once instead, and what takes more on a machine with N cores. With --profile: on such a
    /// machine.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=16))]
    pub cores: Option<u32>,
    /// Show where the instructions of one row go instead; a part of its name will do.
    #[arg(long, value_name = "CALL")]
    pub profile: Option<String>,
    /// With --profile: show each instruction's source line, not only its function.
    #[arg(long, requires = "profile")]
    pub lines: bool,
    /// Draw where the instructions of a forwarded call go instead (SVG file).
    #[arg(long, value_name = "FILE")]
    pub drawing: Option<PathBuf>,
    /// Measure on this platform only; the FVP has the power rows.
    #[arg(long, value_enum, value_name = "PLATFORM", conflicts_with_all = ["check", "save"])]
    pub plat: Option<Plat>,
    /// The exception level of the SPMC; by default, both.
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub spmc_el: Option<u8>,
    /// The qemu-system-aarch64 to use (10.0 or later, with plugins).
    #[arg(long, value_name = "PATH")]
    pub qemu: Option<PathBuf>,
}

impl BenchArgs {
    fn levels(&self) -> &'static [Level] {
        match self.spmc_el {
            Some(1) => &[Level::El1],
            Some(_) => &[Level::El2],
            None => &[Level::El2, Level::El1],
        }
    }

    fn columns(&self) -> &'static [Column] {
        match self.bl31 {
            Some(Runtime::Janus | Runtime::File(_)) => &[Column::Janus],
            Some(Runtime::C) => &[Column::C, Column::FeaturedC],
            // The base line is of Janus; the usual C BL31 is the control.
            None if self.check => &[Column::C, Column::Janus],
            None => &Column::ALL,
        }
    }
}

/// One row of the table: what one call costs in Janus and in the C BL31s.
#[derive(Clone, Debug, Serialize)]
struct Comparison {
    /// The call.
    name: String,
    /// The exception level of the SPMC: `S-EL2` or `S-EL1`.
    spmc: &'static str,
    /// Instructions that Janus executes at EL3.
    janus: Option<u64>,
    /// Instructions that the C BL31 executes at EL3.
    c: Option<u64>,
    /// Instructions that the C BL31 with Janus' features executes at EL3.
    c_featured: Option<u64>,
    /// `janus / c`.
    ratio: Option<f64>,
    /// The counts behind Janus' number.
    janus_counts: Option<Counts>,
    /// The counts behind the C BL31's number.
    c_counts: Option<Counts>,
    /// The counts behind the number of the C BL31 with Janus' features.
    c_featured_counts: Option<Counts>,
}

impl Comparison {
    fn new(name: String, spmc: &'static str) -> Comparison {
        Comparison {
            name,
            spmc,
            janus: None,
            c: None,
            c_featured: None,
            ratio: None,
            janus_counts: None,
            c_counts: None,
            c_featured_counts: None,
        }
    }

    fn put(&mut self, column: Column, counts: Counts) {
        let (instructions, all) = match column {
            Column::C => (&mut self.c, &mut self.c_counts),
            Column::FeaturedC => (&mut self.c_featured, &mut self.c_featured_counts),
            Column::Janus => (&mut self.janus, &mut self.janus_counts),
        };
        *instructions = Some(counts.el3);
        *all = Some(counts);
    }

    fn counts(&self, column: Column) -> Option<&Counts> {
        match column {
            Column::C => self.c_counts.as_ref(),
            Column::FeaturedC => self.c_featured_counts.as_ref(),
            Column::Janus => self.janus_counts.as_ref(),
        }
    }
}

/// Runs what was asked for; returns `false` if it ran and the result is bad.
///
/// # Errors
/// Something cannot be built, a system does not come to its end, or its answers are wrong.
pub fn run(args: &BenchArgs) -> Result<bool> {
    // The other views are of one machine.
    let one = args.plat.unwrap_or(Plat::Qemu);
    let bench = Bench::prepare(one, args.qemu.as_deref())?;
    if let Some(call) = &args.profile {
        let column = args.bl31.unwrap_or_default().into();
        return profile::run(&bench, column, args, call);
    }
    if let Some(cores) = args.cores {
        if one != Plat::Qemu {
            bail!("the payload knows the cores of QEMU's virt machine only: leave out --plat");
        }
        let alone = crowd::run(&bench, args, cores)?;
        return Ok(scaling::run(&bench, args, cores)? && alone);
    }
    if let Some(file) = &args.drawing {
        return phases::run(&bench, file);
    }
    let mut rows = Vec::new();
    let mut sound = true;
    let mut benches = vec![bench];
    if args.plat.is_none() {
        benches.push(Bench::prepare(Plat::Fvp, None)?);
    }
    for &level in args.levels() {
        for bench in &benches {
            let more = rows_of(bench, args.columns(), level)?;
            sound &= controls_agree(&more);
            rows.extend(more);
        }
    }
    table::print(&rows, args.verbose);
    if let Some(file) = &args.json {
        baseline::write(file, &rows)?;
    }
    if args.check {
        sound &= baseline::check(&rows)?;
    }
    if args.save {
        if !sound {
            bail!("docs/bench.json is left as it was: the controls differ");
        }
        baseline::write(&baseline::path(), &rows)?;
        figures::write()?;
    }
    Ok(sound)
}

/// Measures all rows with the SPMC at one level. Each system runs twice, because the numbers must repeat.
fn rows_of(bench: &Bench, columns: &[Column], level: Level) -> Result<Vec<Comparison>> {
    let mut rows: Vec<Comparison> = Vec::new();
    for &column in columns {
        for part in Workload::parts(bench.plat, column, level) {
            let system = &bench.system_of(column, level, part)?;
            let first = bench.run(system, part)?.rows()?;
            let second = bench.run(system, part)?.rows()?;
            // The time that the other core waits in the normal world is not part of the row.
            let waits = |counts: &Counts| match part {
                Workload::Power => Counts {
                    normal: 0,
                    ..*counts
                },
                _ => *counts,
            };
            for ((name, first), (_, second)) in first.iter().zip(&second) {
                if waits(first) != waits(second) {
                    bail!(
                        "two runs of {system} differ in `{name}`: the numbers are worth nothing\n{first:?}\n{second:?}"
                    );
                }
            }
            for (name, counts) in first {
                let name = match bench.plat {
                    Plat::Qemu => name,
                    Plat::Fvp => format!("{ON_FVP}{name}"),
                };
                let row = match rows.iter_mut().find(|row| row.name == name) {
                    Some(row) => row,
                    None => {
                        rows.push(Comparison::new(name, level.name()));
                        rows.last_mut().context("just pushed")?
                    }
                };
                row.put(column, counts);
            }
        }
    }
    for row in &mut rows {
        if let (Some(janus), Some(c)) = (row.janus, row.c) {
            row.ratio = Some((janus as f64 / c as f64 * 1000.0).round() / 1000.0);
        }
    }
    Ok(rows)
}

/// Returns whether SPMC and payload executed the same instructions on both BL31s; prints where they did not.
fn controls_agree(rows: &[Comparison]) -> bool {
    let mut agree = true;
    for row in rows {
        let Some(janus) = row.counts(Column::Janus) else {
            continue;
        };
        for column in [Column::C, Column::FeaturedC] {
            let Some(c) = row.counts(column) else {
                continue;
            };
            // While a core comes or goes, the waiting of another core counts as the normal world's.
            let power = Workload::Power.has(&row.name);
            // The C BL31 of 2.12 does not tell the SPMC about a suspend.
            let told = !row.name.contains("CPU_SUSPEND, power-down");
            if (told && janus.spmc != c.spmc) || (janus.normal != c.normal && !power) {
                println!(
                    "control differs in `{}` ({}): SPMC {} on Janus, {} on {}; payload {}, {}",
                    row.name,
                    row.spmc,
                    janus.spmc,
                    c.spmc,
                    column.name(),
                    janus.normal,
                    c.normal
                );
                agree = false;
            }
        }
    }
    agree
}
