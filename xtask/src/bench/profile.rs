//! `--profile CALL`: shows in which functions or lines of BL31 the instructions of one row are, and which lines of
//! memory it reads and writes.

use super::BenchArgs;
use super::measure::{Bench, Column, PluginReport, System, Workload, listed};
use crate::proc;
use anyhow::{Context, Result, bail};
use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints a row's instructions by function, or by source line.
///
/// # Errors
/// No row has that name; or see [`Bench::run`].
pub fn run(bench: &Bench, column: Column, args: &BenchArgs, call: &str) -> Result<bool> {
    let run = |system: &System, workload| match args.cores {
        Some(cores) => bench.run_with(system, workload, cores),
        None => bench.run(system, workload),
    };
    for &level in args.levels() {
        let mut names = Vec::new();
        let mut found = None;
        for part in Workload::parts(bench.plat, column, level) {
            let system = bench.system_of(column, level, part)?;
            let report = run(&system, part)?;
            if report.has(call) {
                found = Some((system, report));
                break;
            }
            names.extend(report.names.into_values());
        }
        let Some((system, report)) = found else {
            bail!(
                "no row is called `{call}`; there are: {}",
                listed(names.iter())
            );
        };
        let (row, name) = report.find(call)?;
        let samples = report.samples.iter().filter(|s| s.0 == row).count() as u64;
        println!("\n{name}, {system}: instructions per call\n");
        let pcs: Vec<_> = report
            .pcs
            .iter()
            .filter(|p| p.0 == row)
            .map(|p| (p.1, p.2))
            .collect();
        let places = if args.lines {
            source_lines(&system.elf, &pcs)?
        } else {
            functions(&system.elf, &pcs)?
        };
        let mut by_place: BTreeMap<String, u64> = BTreeMap::new();
        let mut total = 0;
        for ((_, times), place) in pcs.iter().zip(places) {
            *by_place.entry(place).or_default() += times;
            total += times;
        }
        let mut sorted: Vec<_> = by_place.into_iter().collect();
        sorted.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        for (place, times) in sorted {
            println!("{:>9}  {place}", per_call(times, samples));
        }
        println!("{:>9}  in all", per_call(total, samples));
        print_data(&system.elf, &report, row, samples)?;
    }
    Ok(true)
}

/// Prints the lines of memory that a row touches, by variable and offset in it.
fn print_data(elf: &Path, report: &PluginReport, row: u16, samples: u64) -> Result<()> {
    let mut lines: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for line in report.lines.iter().filter(|line| line.row == row) {
        let (reads, writes) = lines.entry(line.address).or_default();
        *(if line.written { writes } else { reads }) += line.times;
    }
    let variables = variables(elf)?;
    println!("\n{:>9} {:>9}  line of data", "loads", "stores");
    for (address, (reads, writes)) in lines {
        let place = match variables.range(..=address + 63).next_back() {
            Some((base, (size, name))) if address < base + size => {
                format!("{name} + {:#x}", address.saturating_sub(*base))
            }
            _ => "?".to_owned(),
        };
        println!(
            "{:>9} {:>9}  {address:#x} {place}",
            per_call(reads, samples),
            per_call(writes, samples)
        );
    }
    Ok(())
}

/// The variables of an image: size and name, by address.
fn variables(elf: &Path) -> Result<BTreeMap<u64, (u64, String)>> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    Ok(file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.size() > 0)
        .map(|symbol| {
            let name = rustc_demangle::demangle(symbol.name().unwrap_or("?"));
            (symbol.address(), (symbol.size(), format!("{name:#}")))
        })
        .collect())
}

/// The mean over all samples. The first one, which is not warm, counts too.
fn per_call(times: u64, samples: u64) -> String {
    format!("{:.1}", times as f64 / samples.max(1) as f64)
}

/// The function of each address.
fn functions(elf: &Path, pcs: &[(u64, u64)]) -> Result<Vec<String>> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    let mut symbols: BTreeMap<u64, &str> = BTreeMap::new();
    for symbol in file.symbols() {
        let name = symbol.name().unwrap_or_default();
        // Mapping symbols ($x) and local labels name no function.
        let named = !name.is_empty() && !name.starts_with(['$', '.']);
        if named
            && matches!(
                symbol.kind(),
                SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown
            )
        {
            symbols.insert(symbol.address(), name);
        }
    }
    let of = |pc| match symbols.range(..=pc).next_back() {
        Some((_, name)) => format!("{:#}", rustc_demangle::demangle(name)),
        None => "?".to_owned(),
    };
    Ok(pcs.iter().map(|(pc, _)| of(*pc)).collect())
}

/// The innermost source line of each address, by binutils' addr2line.
fn source_lines(elf: &Path, pcs: &[(u64, u64)]) -> Result<Vec<String>> {
    let mut command = Command::new("aarch64-linux-gnu-addr2line");
    command.args(["-C", "-f", "-s", "-e"]).arg(elf);
    command.args(pcs.iter().map(|(pc, _)| format!("{pc:#x}")));
    let text = proc::output(&mut command)?;
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines
        .chunks(2)
        .map(|pair| format!("{} ({})", pair.last().unwrap_or(&"?"), pair[0]))
        .collect())
}
