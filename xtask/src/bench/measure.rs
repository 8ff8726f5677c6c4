//! Builds payload, plugin and FIP, runs them, and reads what the plugin counted.

use crate::cli::{BuildArgs, Plat, Runtime};
use crate::console::{self, Limits};
use crate::fip::{self, Images};
use crate::qemu::{self, Machine, Qemu};
use crate::stacks::test;
use crate::tfa::{self, Dispatcher};
use crate::toolchain::{self, Binary};
use crate::{bl31, image, paths};
use anyhow::{Context, Result, bail};
use object::{Object, ObjectSymbol};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A run takes a second. A silent system hangs.
const LIMITS: Limits = Limits::secs(60, 300);
/// The plugin's package.
const PLUGIN: &str = "janus-bench-plugin";
/// The row without marks, whose name is not in the payload: see the plugin's `count.rs`.
const BOOT: &str = "boot, BL31's entry to BL33's first instruction";

/// The beginning of the names of rows that were measured on the FVP.
pub const ON_FVP: &str = "FVP, ";

/// The exception level of the SPMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// S-EL1
    El1,
    /// S-EL2
    El2,
}

impl Level {
    /// Returns its name, as the architecture writes it.
    pub fn name(self) -> &'static str {
        match self {
            Level::El1 => "S-EL1",
            Level::El2 => "S-EL2",
        }
    }
}

/// Which BL31 a column of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The BL31 of TF-A, as its platform has it.
    C,
    /// The BL31 of TF-A with what Janus has: [`tfa::Options::featured`].
    FeaturedC,
    /// The BL31 of this repository.
    Janus,
}

impl Column {
    /// All of them, in the table's order.
    pub const ALL: [Column; 3] = [Column::C, Column::FeaturedC, Column::Janus];

    /// The column's title.
    pub fn name(self) -> &'static str {
        match self {
            Column::C => "C",
            Column::FeaturedC => "C+",
            Column::Janus => "Janus",
        }
    }

    /// Its name in the names of files.
    fn file(self) -> &'static str {
        match self {
            Column::C => "c",
            Column::FeaturedC => "c-featured",
            Column::Janus => "janus",
        }
    }
}

impl From<Runtime> for Column {
    fn from(runtime: Runtime) -> Column {
        match runtime {
            Runtime::C => Column::C,
            Runtime::Janus | Runtime::File(_) => Column::Janus,
        }
    }
}

/// What the payload does in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// The calls, on one core.
    Table,
    /// Calls when the SPMC has used every extension that EL3 may lend it on first use. TF-A 2.12's
    /// C BL31 does not open all of them.
    Extensions,
    /// A call during which an SPMC at S-EL1 uses FP: TF-A 2.12's C BL31 hangs there.
    Fp,
    /// Calls of a platform's own, with an image that has them.
    Calls,
    /// CPU_ON and CPU_OFF, on two cores; on the FVP power-down suspends too.
    Power,
    /// Direct requests of that many cores at once; each core has a thread of its own.
    Crowd(u32),
    /// CPU_ON and CPU_OFF of that many cores at once; each core has a thread of its own.
    Storm(u32),
}

impl Workload {
    /// Returns what makes the rows of one system, in the order of the table.
    pub fn parts(plat: Plat, column: Column, level: Level) -> Vec<Self> {
        let mut parts = vec![
            Self::Table,
            Self::Extensions,
            Self::Fp,
            Self::Power,
            Self::Calls,
        ];
        parts.retain(|part| match part {
            Self::Extensions | Self::Calls => column == Column::Janus,
            Self::Fp => column == Column::Janus && level == Level::El1,
            _ => true,
        });
        parts.retain(|part| plat == Plat::Qemu || *part == Self::Power);
        parts
    }

    /// Returns whether the row of this name is made in [`Workload::Power`].
    pub fn has(self, row: &str) -> bool {
        let power = ["CPU_ON", "CPU_OFF", "CPU_SUSPEND, power-down"];
        let row = row.strip_prefix(ON_FVP).unwrap_or(row);
        self == Workload::Power && power.iter().any(|name| row.starts_with(name))
    }
}

/// The cost of one execution of a row. All counts but the first three are of EL3 alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Instructions at EL3.
    pub el3: u64,
    /// Instructions of the SPMC, as a control.
    pub spmc: u64,
    /// Instructions of the payload, as a control.
    pub normal: u64,
    /// MRS and MSR.
    pub system_registers: u64,
    /// ISB, DSB, DMB, SB, ESB.
    pub barriers: u64,
    /// Exclusive and atomic accesses.
    pub exclusives: u64,
    /// Cache maintenance.
    pub cache: u64,
    /// TLB maintenance.
    pub tlb: u64,
    /// Entries to EL3.
    pub entries: u64,
    /// Loads from memory.
    pub loads: u64,
    /// Stores to memory.
    pub stores: u64,
    /// Accesses to device registers.
    pub device: u64,
    /// Writes of registers that take effect in program order: the plugin's `insn.rs` lists them.
    pub in_order: u64,
    /// Lines of 64 bytes that instructions came from.
    pub code_lines: u64,
    /// Lines of 64 bytes that were read or written, devices apart.
    pub data_lines: u64,
    /// Pages of 4 KiB that instructions came from.
    pub code_pages: u64,
    /// Pages of 4 KiB that were read or written, devices apart.
    pub data_pages: u64,
}

/// What the measurements of all systems share.
pub struct Bench {
    /// The machine's platform.
    pub plat: Plat,
    qemu: Qemu,
    plugin: PathBuf,
    normal: PathBuf,
    spmc: PathBuf,
}

/// A system that is ready to run.
pub struct System {
    flash: PathBuf,
    dir: PathBuf,
    /// Its BL31, with symbols.
    pub elf: PathBuf,
    column: Column,
    level: Level,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} with the SPMC at {}",
            self.column.name(),
            self.level.name()
        )
    }
}

/// What the plugin has counted in one run, with the names of the rows from the payload.
pub struct PluginReport {
    pub names: BTreeMap<u16, String>,
    /// The counts of each execution: number of its row, core, counts. In the order of time.
    pub samples: Vec<(u16, u32, Counts)>,
    /// Row, address of an instruction of BL31, and its executions in all samples.
    pub pcs: Vec<(u16, u64, u64)>,
    /// The lines of memory that EL3 touched.
    pub lines: Vec<Line>,
}

/// A line of 64 bytes that one core read, or wrote, in all samples of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The row's number.
    pub row: u16,
    /// The core.
    pub core: u32,
    /// Whether it was written; reads are a record of their own.
    pub written: bool,
    /// Its address.
    pub address: u64,
    /// How often.
    pub times: u64,
}

impl Bench {
    /// Builds the payload and the plugin, and finds QEMU.
    ///
    /// # Errors
    /// One of them is not available.
    pub fn prepare(plat: Plat, qemu: Option<&Path>) -> Result<Bench> {
        tfa::ensure_tools()?;
        let qemu = Qemu::find(plat, qemu)?;
        qemu::announce(&qemu);
        let normal = payload(plat, "bench-normal")?;
        let spmc = payload(plat, "bench-spmc")?;
        Ok(Bench {
            plat,
            qemu,
            plugin: plugin()?,
            normal,
            spmc,
        })
    }

    /// Builds a BL31 and packs it with the payload.
    ///
    /// # Errors
    /// It does not build or does not fit.
    pub fn system(&self, column: Column, level: Level) -> Result<System> {
        self.system_with(column, level, &[])
    }

    /// As [`Bench::system`], with what this part of the table needs.
    ///
    /// # Errors
    /// As for [`Bench::system`].
    pub fn system_of(&self, column: Column, level: Level, part: Workload) -> Result<System> {
        // The product's image has no such calls.
        let features: &[&str] = match part {
            Workload::Calls => &["calls"],
            _ => &[],
        };
        self.system_with(column, level, features)
    }

    /// Builds a BL31, Janus' with these cargo features, and packs it with the payload.
    ///
    /// # Errors
    /// It does not build or does not fit.
    pub fn system_with(&self, column: Column, level: Level, features: &[&str]) -> Result<System> {
        let (dispatcher, manifest) = match level {
            Level::El1 => (Dispatcher::SpmdEl1, "test-spmc-el1.dts"),
            Level::El2 => (Dispatcher::SpmdEl2, "test-spmc-el2.dts"),
        };
        let options = tfa::Options {
            plat: self.plat,
            dispatcher,
            featured: column == Column::FeaturedC,
            ..tfa::Options::default()
        };
        let built = tfa::build(&options, None)?;
        let build = BuildArgs {
            plat: self.plat,
            bl31: match column {
                Column::C | Column::FeaturedC => Runtime::C,
                Column::Janus => Runtime::Janus,
            },
            release: true,
            features: features.iter().map(ToString::to_string).collect(),
            ..BuildArgs::default()
        };
        let bl31 = bl31::image(&build, || tfa::build(&options, None))?;
        let elf = match column {
            Column::C | Column::FeaturedC => built.bl31_elf.clone(),
            Column::Janus => bl31::elf(&build)?,
        };
        let images = Images {
            bl31,
            bl32: Some(self.spmc.clone()),
            manifest: Some(test::manifest(self.plat, manifest)?),
            tb_fw_config: (level == Level::El2).then(|| paths::fiptool_cfg("no-partitions.dts")),
            bl33: Some(self.normal.clone()),
            ..Images::default()
        };
        let (plat, file) = (self.plat.name(), column.file());
        let with: String = features.iter().map(|name| format!("-{name}")).collect();
        let dir = fip::out_dir(&format!("bench/{plat}-{file}{with}-{}", level.name()));
        let flash = fip::pack(&built, &images, &dir)?;
        Ok(System {
            flash,
            dir,
            elf,
            column,
            level,
        })
    }

    /// Runs one part of the payload to its end, on a machine with the cores that it uses.
    ///
    /// # Errors
    /// The system hangs, or an answer is wrong: the message has what the consoles said.
    pub fn run(&self, system: &System, part: Workload) -> Result<PluginReport> {
        let cores = match part {
            Workload::Table | Workload::Extensions | Workload::Fp | Workload::Calls => 1,
            Workload::Power => 2,
            Workload::Crowd(cores) | Workload::Storm(cores) => cores,
        };
        self.run_with(system, part, cores)
    }

    /// Runs one part of the payload to its end, on a machine with `smp` cores.
    ///
    /// # Errors
    /// As [`Bench::run`].
    pub fn run_with(&self, system: &System, part: Workload, smp: u32) -> Result<PluginReport> {
        let (text, threads) = match part {
            Workload::Table => ("table".to_owned(), "off"),
            Workload::Extensions => ("extensions".to_owned(), "off"),
            Workload::Fp => ("fp".to_owned(), "off"),
            Workload::Calls => ("calls".to_owned(), "off"),
            Workload::Power => ("power".to_owned(), "off"),
            Workload::Crowd(cores) => (format!("crowd={cores}"), "on"),
            Workload::Storm(cores) => (format!("storm={cores}"), "on"),
        };
        let configuration = system.dir.join("part");
        fs::write(&configuration, format!("{text}\0"))?;
        let out = system.dir.join("counts");
        let _ = fs::remove_file(&out);
        let mut plugin = format!(
            "{},out={},threads={threads},fvp={}",
            self.plugin.display(),
            out.display(),
            if self.plat == Plat::Fvp { "on" } else { "off" },
        );
        if let Workload::Storm(_) = part {
            let park = park(system)?;
            plugin += &format!(",park={},park_end={}", park.start, park.end);
        }
        let mut extra = vec!["-plugin".to_owned(), plugin];
        match part {
            // One thread, and a time that depends on instructions alone: every run is the same.
            Workload::Crowd(_) | Workload::Storm(_) => {
                extra.extend(["-accel".into(), "tcg,thread=multi".into()])
            }
            _ => extra.extend(["-icount".into(), "shift=0,sleep=off".into()]),
        }
        let loaded = vec![(configuration, test::config_address(self.plat))];
        let machine = Machine {
            smp,
            loaded,
            extra,
            ..Machine::new(self.plat, system.flash.clone())
        };
        let log = system.dir.join(format!("{text}.log"));
        let what = |problem: &str, tail: &str| {
            format!(
                "{system}, {text}: {problem}\nlog: {}\n{tail}",
                log.display()
            )
        };
        let mut running = console::start(&self.qemu, &machine, &log, false, LIMITS)?;
        if let Err(error) = running.finish() {
            return Err(error.context(what("no end", &running.last_lines())));
        }
        let said = &running.normal;
        if let Some(failure) = said.lines().find(|line| line.starts_with("@fail ")) {
            bail!(what(&format!("wrong answer: {failure}"), ""));
        }
        if !said.lines().any(|line| line == "@done") {
            bail!(what("ended before its end", &running.last_lines()));
        }
        let counts = fs::read_to_string(&out).with_context(|| {
            what(
                "QEMU ran without the plugin: has it been built with plugins?",
                "",
            )
        })?;
        PluginReport::parse(said, &counts).context("the plugin's report")
    }
}

/// The function in which a core of QEMU's virt machine waits to be turned on.
fn park(system: &System) -> Result<Range<u64>> {
    let name = match system.column {
        Column::Janus => "sleep_until_interrupt",
        Column::C | Column::FeaturedC => "plat_secondary_cold_boot_setup",
    };
    let elf = &system.elf;
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    let symbol = file
        .symbol_by_name(name)
        .filter(|symbol| symbol.size() > 0)
        .with_context(|| format!("{} has no function {name}", elf.display()))?;
    Ok(symbol.address()..symbol.address() + symbol.size())
}

/// Builds one of the bench's payloads as a raw image.
pub fn payload(plat: Plat, bin: &str) -> Result<PathBuf> {
    let dir = fip::out_dir("bench");
    fs::create_dir_all(&dir)?;
    let feature = match plat {
        Plat::Qemu => "",
        Plat::Fvp => "fvp",
    };
    let elf = toolchain::build(Binary::Payload, "janus-bench-payload", bin, feature, false)?;
    image::flatten(&elf, &dir.join(format!("{bin}-{}.bin", plat.name())))
}

/// The log of cargo's output for the plugin's build.
pub fn plugin_log() -> PathBuf {
    toolchain::plugin_log(PLUGIN)
}

/// Builds the plugin with the host's Rust.
pub fn plugin() -> Result<PathBuf> {
    toolchain::plugin(PLUGIN)
}

impl PluginReport {
    fn parse(said: &str, counts: &str) -> Result<PluginReport> {
        let mut names = BTreeMap::from([(0, BOOT.to_owned())]);
        for line in said.lines().filter_map(|line| line.strip_prefix("@row ")) {
            let (row, name) = line
                .split_once(' ')
                .with_context(|| format!("no name: {line}"))?;
            names.insert(row.parse()?, name.to_owned());
        }
        let (mut samples, mut pcs, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for line in counts.lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().with_context(|| format!("cut short: {line}"));
            let (kind, row, core) = (word()?, word()?.parse()?, word()?.parse()?);
            match kind {
                "window" => {
                    let mut n = || -> Result<u64> { Ok(word()?.parse()?) };
                    let counts = Counts {
                        el3: n()?,
                        spmc: n()?,
                        normal: n()?,
                        system_registers: n()?,
                        barriers: n()?,
                        exclusives: n()?,
                        cache: n()?,
                        tlb: n()?,
                        entries: n()?,
                        loads: n()?,
                        stores: n()?,
                        device: n()?,
                        in_order: n()?,
                        code_lines: n()?,
                        data_lines: n()?,
                        code_pages: n()?,
                        data_pages: n()?,
                    };
                    samples.push((row, core, counts));
                }
                "pc" => pcs.push((row, u64::from_str_radix(word()?, 16)?, word()?.parse()?)),
                "line" => lines.push(Line {
                    row,
                    core,
                    written: word()? == "w",
                    address: u64::from_str_radix(word()?, 16)?,
                    times: word()?.parse()?,
                }),
                other => bail!("unknown record {other}"),
            }
        }
        Ok(PluginReport {
            names,
            samples,
            pcs,
            lines,
        })
    }

    /// A report that has lines only.
    #[cfg(test)]
    pub fn of_lines(lines: Vec<Line>) -> PluginReport {
        PluginReport {
            names: BTreeMap::new(),
            samples: Vec::new(),
            pcs: Vec::new(),
            lines,
        }
    }

    /// The rows in the payload's order, with the cost of their last execution; of lines and pages, the most of the last
    /// two: EL3's ring of events does not always begin a line. Only the table has a row for the boot.
    ///
    /// # Errors
    /// A row was never executed, or its last two executions differ otherwise: it was not warm after the first.
    pub fn rows(&self) -> Result<Vec<(String, Counts)>> {
        let table = self.has("PSCI_VERSION");
        let mut rows = Vec::new();
        for (&row, name) in self.names.iter().filter(|(row, _)| **row != 0 || table) {
            let mut last = self
                .samples
                .iter()
                .rev()
                .filter(|s| s.0 == row)
                .map(|s| s.2);
            let counts = last
                .next()
                .with_context(|| format!("`{name}` was not counted"))?;
            let before = last.next().filter(|_| row != 0).unwrap_or(counts);
            let most = Counts {
                code_lines: counts.code_lines.max(before.code_lines),
                data_lines: counts.data_lines.max(before.data_lines),
                code_pages: counts.code_pages.max(before.code_pages),
                data_pages: counts.data_pages.max(before.data_pages),
                ..counts
            };
            let apart_from_lines = Counts {
                code_lines: before.code_lines,
                data_lines: before.data_lines,
                code_pages: before.code_pages,
                data_pages: before.data_pages,
                ..counts
            };
            if before != apart_from_lines {
                bail!("`{name}` takes a different number of instructions each time");
            }
            rows.push((name.clone(), most));
        }
        Ok(rows)
    }

    /// The number of the row that has `part` in its name.
    ///
    /// # Errors
    /// No row has, or several have: the message names the candidates.
    pub fn find(&self, part: &str) -> Result<(u16, &str)> {
        let wanted = part.to_lowercase();
        if let Some((row, name)) = self
            .names
            .iter()
            .find(|(_, name)| name.to_lowercase() == wanted)
        {
            return Ok((*row, name));
        }
        let found: Vec<_> = self
            .names
            .iter()
            .filter(|(_, n)| n.to_lowercase().contains(&wanted))
            .collect();
        match found[..] {
            [(row, name)] => Ok((*row, name)),
            [] => bail!(
                "no row is called `{part}`; there are: {}",
                listed(self.names.values())
            ),
            _ => bail!(
                "`{part}` fits several rows: {}",
                listed(found.iter().map(|(_, name)| *name))
            ),
        }
    }

    /// Returns whether a row has `part` in its name.
    pub fn has(&self, part: &str) -> bool {
        let wanted = part.to_lowercase();
        self.names
            .values()
            .any(|name| name.to_lowercase().contains(&wanted))
    }
}

/// Lists names, each in a line of its own.
pub fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("\n    {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "NOTICE: x\n@row 3 PSCI_VERSION\n@row 4 PSCI_FEATURES\n@done\n";

    fn window(row: u16, el3: u64) -> String {
        format!("window {row} 0 {el3} 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n")
    }

    #[test]
    fn a_row_is_its_last_execution() {
        let counts =
            window(0, 5000) + &window(3, 99) + &window(3, 80) + &window(3, 80) + &window(4, 7);
        let rows = PluginReport::parse(SAID, &counts).unwrap().rows().unwrap();
        let short: Vec<_> = rows
            .iter()
            .map(|(name, c)| (name.as_str(), c.el3))
            .collect();
        assert_eq!(
            short,
            [(BOOT, 5000), ("PSCI_VERSION", 80), ("PSCI_FEATURES", 7)]
        );
        let counts = rows[1].1;
        assert_eq!((counts.normal, counts.device), (1, 10));
        assert_eq!((counts.in_order, counts.data_pages), (11, 15));
    }

    #[test]
    fn of_lines_a_row_has_the_most() {
        let window =
            |data_lines| format!("window 3 0 80 0 0 0 0 0 0 0 0 0 0 0 0 5 {data_lines} 2 2\n");
        let text = window(30) + &window(9) + &window(8);
        let said = "@row 3 PSCI_VERSION\n";
        let report = PluginReport::parse(
            said,
            &(text + "window 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"),
        )
        .unwrap();
        let (_, counts) = report.rows().unwrap()[1].clone();
        assert_eq!((counts.code_lines, counts.data_lines), (5, 9));
    }

    #[test]
    fn which_rows_are_of_power() {
        for name in [
            "CPU_ON to x",
            "FVP, CPU_OFF",
            "FVP, CPU_SUSPEND, power-down, and back",
        ] {
            assert!(
                Workload::Power.has(name) && !Workload::Table.has(name),
                "{name}"
            );
        }
        assert!(!Workload::Power.has("CPU_SUSPEND, standby"));
    }

    #[test]
    fn a_row_that_does_not_settle_or_is_missing_is_an_error() {
        let counts = window(0, 1) + &window(3, 80) + &window(3, 81) + &window(4, 7);
        let error = PluginReport::parse(SAID, &counts)
            .unwrap()
            .rows()
            .unwrap_err()
            .to_string();
        assert!(error.contains("PSCI_VERSION"), "{error}");
        let error = PluginReport::parse(SAID, &window(0, 1))
            .unwrap()
            .rows()
            .unwrap_err()
            .to_string();
        assert!(error.contains("not counted"), "{error}");
    }

    #[test]
    fn a_row_is_found_by_part_of_its_name() {
        let report = PluginReport::parse(SAID, "pc 3 0 e090000 4\nline 3 0 w e0a0000 4\n").unwrap();
        assert_eq!(report.find("psci_v").unwrap(), (3, "PSCI_VERSION"));
        assert!(
            report
                .find("psci")
                .unwrap_err()
                .to_string()
                .contains("several")
        );
        assert!(
            report
                .find("nothing")
                .unwrap_err()
                .to_string()
                .contains("PSCI_FEATURES")
        );
        assert_eq!(report.pcs[0], (3, 0xe09_0000, 4));
        let line = Line {
            row: 3,
            core: 0,
            written: true,
            address: 0xe0a_0000,
            times: 4,
        };
        assert_eq!(report.lines[0], line);
    }
}
