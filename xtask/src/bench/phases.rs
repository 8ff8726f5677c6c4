//! `--drawing FILE`: where the instructions of a forwarded call go, next to the lower bound.
//!
//! A call that is forwarded crosses EL3 twice. Each instruction belongs to one of five phases. Its source file decides
//! which; inside the world switch, its kind does:
//!
//! * *entry*: the vector stores x0 to x30;
//! * *decide*: the run loop, the services, the dispatcher;
//! * *save*: MRS, and stores of the world switch;
//! * *restore*: loads of the world switch, MSR, and the rest of it (tests of features);
//! * *exit*: loads x0 to x30, ERET.
//!
//! The lower bound is the cost that no EL3 with this contract can avoid: see [`Phases::bound`].

use super::measure::{Bench, Column, Level, Workload};
use crate::{proc, ui};
use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROW: &str = "direct request, 32-bit";

/// Instructions of one call in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Phases {
    entry: u64,
    save: u64,
    decide: u64,
    restore: u64,
    exit: u64,
}

/// What a world switch does, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Switched {
    /// Registers that are read, to be saved.
    read: u64,
    /// Registers that are written: those, and EL3's own controls, which are the same at each switch.
    written: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Entry,
    Decide,
    Switch,
    Exit,
}

impl Phases {
    fn parts(&self) -> [(&'static str, u64); 5] {
        [
            ("entry", self.entry),
            ("save", self.save),
            ("decide", self.decide),
            ("restore", self.restore),
            ("exit", self.exit),
        ]
    }

    fn total(&self) -> u64 {
        self.parts().iter().map(|(_, n)| n).sum()
    }

    /// The least that two crossings take. Each stores and loads x0 to x30 (16 instructions, in pairs) and ends in ERET.
    /// A register that both worlds use takes MRS and half an STP, half an LDP and MSR; a control of EL3's own takes
    /// half an LDP and MSR. The decision counts nothing: any EL3 has to look at ESR_EL3 and the function ID, but the
    /// contract does not say how.
    fn bound(switched: Switched) -> Self {
        Self {
            entry: 2 * 16,
            save: switched.read + switched.read.div_ceil(2),
            decide: 0,
            restore: switched.written + switched.written.div_ceil(2),
            exit: 2 * 17,
        }
    }
}

/// Measures Janus and the C BL31 and draws both next to the bound.
///
/// # Errors
/// See [`Bench::run`]; the file cannot be written.
pub fn run(bench: &Bench, file: &Path) -> Result<bool> {
    let mut bars = Vec::new();
    for level in [Level::El2, Level::El1] {
        let c = bench.system(Column::C, level)?;
        let c = bench.run(&c, Workload::Table)?;
        let (row, _) = c.find(ROW)?;
        let c = c
            .samples
            .iter()
            .rfind(|s| s.0 == row)
            .context("the row")?
            .2
            .el3;

        let system = bench.system(Column::Janus, level)?;
        let report = bench.run(&system, Workload::Table)?;
        let (row, _) = report.find(ROW)?;
        let samples = report.samples.iter().filter(|s| s.0 == row).count() as u64;
        let pcs: Vec<_> = report
            .pcs
            .iter()
            .filter(|p| p.0 == row)
            .map(|p| (p.1, p.2))
            .collect();
        let words = words(&system.elf, &pcs)?;
        let places = phases(&system.elf, &pcs)?;
        let (mut janus, mut switched) = (Phases::default(), Switched::default());
        for (((_, times), word), phase) in pcs.iter().zip(words).zip(places) {
            let to = match phase {
                Phase::Entry => &mut janus.entry,
                Phase::Decide => &mut janus.decide,
                Phase::Exit => &mut janus.exit,
                Phase::Switch if is_read(word) => {
                    switched.read += times;
                    &mut janus.save
                }
                Phase::Switch if is_store(word) => &mut janus.save,
                Phase::Switch => {
                    switched.written += if is_write(word) { *times } else { 0 };
                    &mut janus.restore
                }
            };
            *to += times;
        }
        // All executions of the row are alike: see [`PluginReport::rows`].
        for n in [
            &mut janus.entry,
            &mut janus.save,
            &mut janus.decide,
            &mut janus.restore,
            &mut janus.exit,
        ] {
            *n /= samples;
        }
        let switched = Switched {
            read: switched.read / samples,
            written: switched.written / samples,
        };
        let bound = Phases::bound(switched);
        println!(
            "SPMC at {}: C {c}; Janus {} {:?}; bound {} {:?}; {} registers read and {} written",
            level.name(),
            janus.total(),
            janus.parts(),
            bound.total(),
            bound.parts(),
            switched.read,
            switched.written
        );
        bars.push((format!("SPMC at {}: C BL31", level.name()), None, c));
        bars.push(("Janus".to_owned(), Some(janus), janus.total()));
        bars.push(("lower bound".to_owned(), Some(bound), bound.total()));
    }
    fs::write(file, draw(&bars)).with_context(|| format!("cannot write {}", file.display()))?;
    ui::say(format!("wrote {}", file.display()));
    Ok(true)
}

/// The instruction at each address.
fn words(elf: &Path, pcs: &[(u64, u64)]) -> Result<Vec<u32>> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)?;
    let word = |pc| {
        let data = file
            .sections()
            .find_map(|section| section.data_range(pc, 4).ok().flatten());
        let data = data.with_context(|| format!("{pc:#x} is not in {}", elf.display()))?;
        Ok(u32::from_le_bytes(data.try_into()?))
    };
    pcs.iter().map(|(pc, _)| word(*pc)).collect()
}

/// The phase of each address, by the source files of its inlined calls, innermost first.
fn phases(elf: &Path, pcs: &[(u64, u64)]) -> Result<Vec<Phase>> {
    let mut command = Command::new("aarch64-linux-gnu-addr2line");
    command.args(["-a", "-i", "-f", "-e"]).arg(elf);
    command.args(pcs.iter().map(|(pc, _)| format!("{pc:#x}")));
    let text = proc::output(&mut command)?;
    let mut phases: Vec<Option<Phase>> = Vec::new();
    let mut function = "";
    for text in text.lines() {
        if text.starts_with("0x") {
            phases.push(None);
        } else if text.contains(':') || text.starts_with('?') {
            if let Some(phase @ None) = phases.last_mut() {
                *phase = phase_of(function, text);
            }
        } else {
            function = text;
        }
    }
    Ok(phases
        .into_iter()
        .map(|phase| phase.unwrap_or(Phase::Decide))
        .collect())
}

/// The phase by the function's name; assembly has symbols, but no lines.
fn phase_of(function: &str, place: &str) -> Option<Phase> {
    match function {
        "vectors" | "lower_el_sync" => Some(Phase::Entry),
        // A mark of the section before it has the address of `world_enter`, too.
        "world_enter" | "normal_enter" | "__text_simd_end" => Some(Phase::Exit),
        _ if place.contains("/bl31/context/src/") => Some(Phase::Switch),
        _ => None,
    }
}

/// Returns whether this is an MRS.
fn is_read(word: u32) -> bool {
    word & 0xfff0_0000 == 0xd530_0000
}

/// Returns whether this is an MSR (register).
fn is_write(word: u32) -> bool {
    word & 0xfff0_0000 == 0xd510_0000
}

/// Returns whether this is an STR or STP of X registers.
fn is_store(word: u32) -> bool {
    word & 0xfe40_0000 == 0xa800_0000
        || word & 0xff60_0000 == 0xf900_0000
        || word & 0xffe0_0000 == 0xf800_0000
}

const COLOURS: [(&str, &str); 5] = [
    ("entry", "#4e79a7"),
    ("save", "#59a14f"),
    ("decide", "#f28e2b"),
    ("restore", "#8cd17d"),
    ("exit", "#a0cbe8"),
];

/// Draws horizontal bars, all to one scale.
fn draw(bars: &[(String, Option<Phases>, u64)]) -> String {
    let longest = bars.iter().map(|bar| bar.2).max().unwrap_or(1) as f64;
    let (left, width, step) = (190.0, 660.0, 38.0);
    let height = 90.0 + step * bars.len() as f64;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 920 {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"920\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"20\" y=\"28\" font-size=\"16\">Instructions at EL3 for a direct request, there and back</text>"
    );
    for (index, (name, colour)) in COLOURS.iter().enumerate() {
        let x = left + 120.0 * index as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"42\" width=\"13\" height=\"13\" fill=\"{colour}\"/><text x=\"{}\" y=\"53\">{name}</text>",
            x + 18.0
        );
    }
    for (index, (name, phases, total)) in bars.iter().enumerate() {
        let y = 72.0 + step * index as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>",
            left - 8.0,
            y + 18.0
        );
        let scale = width / longest;
        let mut x = left;
        let parts = phases.map_or(vec![("", *total)], |phases| phases.parts().to_vec());
        for (part, n) in parts {
            let colour = COLOURS
                .iter()
                .find(|(name, _)| *name == part)
                .map_or("#bab0ac", |(_, colour)| colour);
            let w = n as f64 * scale;
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{w:.1}\" height=\"26\" fill=\"{colour}\"/>"
            );
            if w > 30.0 {
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{n}</text>",
                    x + w / 2.0,
                    y + 18.0
                );
            }
            x += w;
        }
        if phases.is_some() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\">= {total}</text>",
                x + 6.0,
                y + 18.0
            );
        }
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_the_switch() {
        assert!(is_read(0xd53c_1100) && is_write(0xd51c_1100)); // hcr_el2
        assert!(is_store(0xa900_0c02) && is_store(0xf900_0002)); // stp x2, x3, [x0]; str x2, [x0]
        assert!(!is_store(0xa940_0c02) && !is_store(0xf940_0002)); // ldp, ldr
        assert!(!is_read(0xd503_3fdf) && !is_write(0xd503_3fdf)); // isb
    }

    #[test]
    fn the_bound_counts_pairs() {
        let bound = Phases::bound(Switched {
            read: 3,
            written: 4,
        });
        assert_eq!((bound.save, bound.restore, bound.decide), (5, 6, 0));
        assert_eq!(bound.total(), 32 + 5 + 6 + 34);
    }

    #[test]
    fn files_tell_the_phase() {
        assert_eq!(phase_of("world_enter", "??:?"), Some(Phase::Exit));
        assert_eq!(phase_of("vectors", "??:?"), Some(Phase::Entry));
        assert_eq!(
            phase_of("swap", "/x/bl31/context/src/cpu_ext/vhe.rs:9"),
            Some(Phase::Switch)
        );
        assert_eq!(phase_of("call", "/x/spmd/src/dispatch.rs:9"), None);
    }
}
