//! Reads Tarmac traces, which Arm's Fast Models and FVPs write (plug-in TarmacTrace; "TarmacTrace file
//! format" in the Fast Models Reference Guide).
//!
//! A record is a line of words: time, unit, core, kind, and what the kind has. Three kinds matter:
//!
//! * `IT (n) address opcode A|T|O mode_security : disassembly`: an instruction that was executed;
//! * `R name value`: a register that was written;
//! * `E value … number CoreEvent_…`: an exception.
//!
//! An entry to EL3 is the first instruction at EL3 behind one below it, an exit the reverse. What EL3's
//! registers hold is known from there, whether they are traced or not. Registers that were not written
//! since the trace began are zero.

use crate::file::Trace;
use anyhow::{Result, bail};
use janus_trace_format::{Event, Header, Way};
use std::collections::BTreeMap;

/// Lines that are looked at to tell what a file is.
const LOOK: usize = 32;

/// SMC, without its immediate.
const SMC: (u32, u32) = (0xd400_0003, 0xffe0_001f);

/// Returns whether a file looks like a Tarmac trace.
pub fn is_tarmac(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(8192)]).into_owned();
    head.lines()
        .take(LOOK)
        .any(|line| Line::parse(line).is_some())
}

/// Reads the entries and exits out of a Tarmac trace.
///
/// # Errors
/// The file has no entry to EL3 and no exit from it.
pub fn read(bytes: &[u8]) -> Result<Trace> {
    let text = String::from_utf8_lossy(bytes);
    let mut cores: BTreeMap<u64, Core> = BTreeMap::new();
    let mut events = Vec::new();
    let mut instructions = 0_u64;
    for line in text.lines().filter_map(Line::parse) {
        let affinity = affinity(line.core);
        let core = cores.entry(affinity).or_default();
        match line.kind {
            Kind::Register { name, value } => core.write(name, value),
            Kind::Exception(number) => core.exception = Some(number),
            Kind::Instruction(instruction) => {
                instructions += 1;
                if let Some(way) = core.step(&instruction) {
                    let (at, level) = match way {
                        Way::Entry { .. } => (core.resume(), core.level),
                        Way::Exit => (instruction.address, instruction.level),
                    };
                    events.push(Event {
                        way,
                        core: affinity,
                        own: instruction.number,
                        all: line.time,
                        scr: u64::from(level.normal),
                        spsr: level.spsr,
                        elr: at,
                        regs: core.regs,
                    });
                }
                core.last = Some(instruction);
                if instruction.level.el() != 3 {
                    core.level = instruction.level;
                }
            }
        }
    }
    if events.is_empty() {
        bail!(
            "a Tarmac trace of {instructions} instructions in which no core comes to EL3 or leaves it: trace instructions, \
             registers and exceptions of all levels"
        );
    }
    let mut header = Header::default();
    header.add("format", "Tarmac");
    Ok(Trace::of(header, events.into_iter()))
}

/// A processor mode and security state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Level {
    /// The mode, encoded as in SPSR_EL3.M.
    spsr: u64,
    /// Non-secure.
    normal: bool,
}

impl Level {
    /// `EL2h_n`, `EL3h_s`, `svc_ns`, …
    fn parse(word: &str) -> Option<Level> {
        let (mode, security) = word.rsplit_once('_')?;
        let normal = match security {
            "n" | "ns" => true,
            "s" => false,
            _ => return None,
        };
        let spsr = match mode.strip_prefix("EL") {
            Some(level) => {
                let (el, stack) = level.split_at_checked(1)?;
                let el: u64 = el.parse().ok().filter(|el| *el < 4)?;
                el << 2 | u64::from(stack == "h")
            }
            None => {
                let number = match mode {
                    "usr" => 0,
                    "fiq" => 1,
                    "irq" => 2,
                    "svc" => 3,
                    "mon" => 6,
                    "abt" => 7,
                    "hyp" => 0xa,
                    "und" => 0xb,
                    "sys" => 0xf,
                    _ => return None,
                };
                1 << 4 | number
            }
        };
        Some(Level { spsr, normal })
    }

    fn el(self) -> u64 {
        match self.spsr {
            0x16 => 3,
            0x1a => 2,
            0x10 => 0,
            spsr if spsr & 1 << 4 != 0 => 1,
            spsr => spsr >> 2,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Instruction {
    number: u64,
    address: u64,
    opcode: u32,
    level: Level,
}

enum Kind<'a> {
    Instruction(Instruction),
    Register { name: &'a str, value: u64 },
    Exception(u32),
}

struct Line<'a> {
    time: u64,
    core: &'a str,
    kind: Kind<'a>,
}

impl<'a> Line<'a> {
    /// A line of one of the kinds that matter.
    fn parse(line: &'a str) -> Option<Line<'a>> {
        let mut words = line.split_whitespace();
        let time = words.next()?.parse().ok()?;
        let _unit = words
            .next()
            .filter(|unit| unit.chars().all(char::is_alphabetic))?;
        let mut core = "";
        let mut word = words.next()?;
        if !matches!(word, "IT" | "IS" | "R" | "E") {
            core = word;
            word = words.next()?;
        }
        let kind = match word {
            "IT" => {
                let number = words
                    .next()?
                    .strip_prefix('(')?
                    .strip_suffix(')')?
                    .parse()
                    .ok()?;
                // Behind the virtual address may stand the physical one.
                let address = hex(words.next()?.split(':').next()?)?;
                let opcode = hex(words.next()?)? as u32;
                let _state = words.next()?;
                let level = Level::parse(words.next()?)?;
                Kind::Instruction(Instruction {
                    number,
                    address,
                    opcode,
                    level,
                })
            }
            "R" => Kind::Register {
                name: words.next()?,
                value: hex(words.next()?)?,
            },
            "E" => {
                let mut number = "";
                let mut named = false;
                for word in words {
                    if word.starts_with("CoreEvent_") {
                        named = true;
                        break;
                    }
                    number = word;
                }
                Kind::Exception(named.then(|| hex(number)).flatten()? as u32)
            }
            _ => return None,
        };
        Some(Line { time, core, kind })
    }
}

/// A hexadecimal number, in groups or not.
fn hex(word: &str) -> Option<u64> {
    let digits: String = word.chars().filter(|c| !matches!(c, ':' | '_')).collect();
    u64::from_str_radix(&digits, 16).ok()
}

/// The affinity of a core by its name: `cluster1.cpu2` is 1.2, `cpu3` is 3.
fn affinity(name: &str) -> u64 {
    let numbers = name
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse::<u64>().ok());
    numbers.fold(0, |affinity, number| affinity << 8 | number & 0xff) & 0xff_ffff
}

#[derive(Default)]
struct Core {
    regs: [u64; 18],
    elr: Option<u64>,
    esr: Option<u64>,
    exception: Option<u32>,
    last: Option<Instruction>,
    /// The level below EL3 that ran last.
    level: Level,
}

impl Core {
    fn write(&mut self, name: &str, value: u64) {
        match name.to_ascii_uppercase().as_str() {
            "ELR_EL3" => self.elr = Some(value),
            "ESR_EL3" => self.esr = Some(value),
            name => {
                let number = name
                    .strip_prefix(['X', 'W'])
                    .and_then(|digits| digits.parse::<usize>().ok());
                if let Some(reg) = number.and_then(|number| self.regs.get_mut(number)) {
                    *reg = value;
                }
            }
        }
    }

    /// Whether the next instruction is one on the other side of EL3's border.
    fn step(&mut self, next: &Instruction) -> Option<Way> {
        let last = self.last?;
        match (last.level.el() == 3, next.level.el() == 3) {
            (false, true) => {
                let number = self.exception.take();
                let smc = last.opcode & SMC.1 == SMC.0;
                let written = self.esr.take();
                let immediate = u64::from(last.opcode >> 5 & 0xffff);
                let esr = written.unwrap_or(if smc {
                    0x17 << 26 | 1 << 25 | immediate
                } else {
                    0
                });
                let vector = match number {
                    Some(number @ 0x80..=0x8f) => (number - 0x80) as u16 * 0x80,
                    _ => 0x400,
                };
                Some(Way::Entry { vector, esr })
            }
            (true, false) => {
                self.exception = None;
                // They are EL3's own, for its next return.
                (self.elr, self.esr) = (None, None);
                Some(Way::Exit)
            }
            _ => None,
        }
    }

    /// Returns the address at which the level that was left goes on.
    fn resume(&mut self) -> u64 {
        let last = self
            .last
            .map_or(0, |last| match last.opcode & SMC.1 == SMC.0 {
                true => last.address + 4,
                false => last.address,
            });
        self.elr.take().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Flow;
    use crate::show;

    /// Written for this test: a boot, a version, a direct request, an interrupt.
    const EXAMPLE: &str = include_str!("../../example.tarmac");

    fn shown(text: &str) -> Vec<String> {
        let trace = read(text.as_bytes()).unwrap();
        let flow = Flow::of(&trace);
        let steps = flow.steps.iter().map(|step| {
            let shown = show::step(&trace, step);
            let answer = shown
                .answer
                .map(|answer| format!(" ⇒ {answer}"))
                .unwrap_or_default();
            format!(
                "{} {} {} → {} {}{answer}",
                show::core(&flow, step),
                step.depth,
                shown.from,
                shown.to,
                shown.what
            )
        });
        steps.collect()
    }

    #[test]
    fn the_example() {
        assert!(is_tarmac(EXAMPLE.as_bytes()));
        assert_eq!(
            shown(EXAMPLE),
            [
                "0 0 EL3 → SPMC starts at S-EL2 pc=0x6284000 x0=0x0 ⇒ FFA_MSG_WAIT",
                "0 0 EL3 → NS starts at NS-EL2 pc=0x88000000 x0=0x0",
                "0 0 NS → EL3 PSCI_VERSION ⇒ 1.1",
                "0 0 NS → SPMC FFA_MSG_SEND_DIRECT_REQ 0x0001 → 0x8001 w3=0x2a ⇒ FFA_MSG_SEND_DIRECT_RESP 0x8001 → 0x0001 \
                 w3=0x2b",
                "1.2 0 NS → EL3 interrupt ⇒ goes on",
            ]
        );
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_left_out() {
        for end in [EXAMPLE.len() / 2, EXAMPLE.len() - 7] {
            assert!(!shown(&EXAMPLE[..end]).is_empty());
        }
        assert!(!is_tarmac(b"NOTICE:  Booting Trusted Firmware\n"));
        let error = read(b"1 clk cpu0 IT (1) 0 d503201f O EL1h_n : NOP\n")
            .err()
            .unwrap();
        assert!(error.to_string().contains("1 instructions"), "{error}");
    }
}
