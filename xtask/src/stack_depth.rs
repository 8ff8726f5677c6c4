//! How deep the stack of a core can get: the longest path through the linked image.
//!
//! Each function's frame is read from its instructions, and so is whom it calls. A call through a
//! pointer can reach every function whose address the image holds somewhere; in `core::fmt` only those
//! that display something or write text. Two circles are inherent, and each has a bound that is said
//! here: the run loop, which EL3 enters again while it waits for the SPMC, and displaying something that
//! displays something else. Any other circle is refused: nobody could say how deep it gets.

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The stack has to hold the deepest path and a quarter of that.
const MARGIN: (u64, u64) = (5, 4);

/// A function that may be on the stack more than once, by the end of its name, and how often.
struct Circle {
    name: &'static str,
    most: u8,
}

/// The run loop: the normal world's call, in it a request of EL3's to the SPMC, in that at most one more (a
/// logical partition's, in a Group 0 interrupt). While it waits the normal world does not run, and only that
/// one's PSCI calls are carried out. And messages: a line, in it an error, in it the error's
/// reason, in it a number.
const CIRCLES: [Circle; 3] = [
    Circle {
        name: "janus_bl31::run::turns",
        most: 3,
    },
    Circle {
        name: "janus_bl31::services::psci::answer_late",
        most: 1,
    },
    Circle {
        name: "core::fmt::write",
        most: 4,
    },
];

/// The functions that run on the stack for crash reports: nobody's callees on another stack.
const REPORTS: [&str; 2] = [
    "janus_bl31::hw::crash::report_panic",
    "report_el3_exception",
];
/// Where a core enters Rust, with its stack empty.
const ENTRIES: [&str; 2] = ["cold_main", "warm_main"];

/// A function of the image.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Function {
    name: String,
    /// Bytes that it takes off the stack pointer.
    frame: u64,
    /// Addresses of the functions that it calls, or jumps to at its end.
    calls: BTreeSet<u64>,
    /// Whether it calls through a pointer.
    indirect: bool,
}

/// The deepest path: its bytes, and the functions on it with their frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Deepest {
    /// Bytes from the stack's top.
    bytes: u64,
    /// Names and frames, outermost first.
    path: Vec<(String, u64)>,
}

/// The sizes of the stacks that an image has, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Stacks {
    /// Each core's.
    pub core: u64,
    /// The one for crash reports.
    pub crash: u64,
}

/// Fails if the stacks do not hold the deepest paths with their margin.
///
/// # Errors
/// The image lacks an entry, has a circle without a bound, or a stack is too small: the message has the path.
pub fn check(file: &object::File, stacks: Stacks) -> Result<()> {
    let graph = Graph::read(file)?;
    for (whose, entries, size) in [
        ("a core's stack", &ENTRIES, stacks.core),
        ("the stack for crash reports", &REPORTS, stacks.crash),
    ] {
        let deepest = graph.deepest(entries)?;
        let needed = deepest.bytes * MARGIN.0 / MARGIN.1;
        if needed > size {
            let lines = deepest.path.iter();
            let path: Vec<_> = lines
                .map(|(name, frame)| format!("{frame:6}  {name}"))
                .collect();
            bail!(
                "{whose} has {size} bytes, and the deepest path takes {} of them (with its margin {needed}): give the large frames to functions that have returned by then, or make the stack larger\n{}",
                deepest.bytes,
                path.join("\n")
            );
        }
    }
    Ok(())
}

struct Graph {
    functions: BTreeMap<u64, Function>,
    /// Functions whose address the image holds.
    taken: BTreeSet<u64>,
}

impl Graph {
    fn read(file: &object::File) -> Result<Graph> {
        let mut functions = BTreeMap::new();
        let texts: Vec<_> = file
            .sections()
            .filter(|s| s.kind() == SectionKind::Text)
            .collect();
        for symbol in file.symbols() {
            if symbol.kind() == SymbolKind::Text && symbol.size() > 0 {
                let name = symbol.name().unwrap_or_default();
                let name = format!("{:#}", rustc_demangle::demangle(name));
                functions.insert(symbol.address(), (symbol.size(), name));
            }
        }
        ensure!(!functions.is_empty(), "the image has no symbols");
        let starts: BTreeSet<u64> = functions.keys().copied().collect();
        let mut taken = BTreeSet::new();
        let mut read = BTreeMap::new();
        for section in &texts {
            let data = section.data()?;
            for (&start, (size, name)) in &functions {
                let Some(offset) = start.checked_sub(section.address()) else {
                    continue;
                };
                let Some(bytes) = data.get(offset as usize..(offset + size) as usize) else {
                    continue;
                };
                let words = bytes
                    .chunks_exact(4)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                let function = function(name, start, words, &starts, &mut taken);
                read.insert(start, function);
            }
        }
        // Tables of functions: vtables, and constants that are pointers.
        for section in file.sections() {
            if !matches!(
                section.kind(),
                SectionKind::Data | SectionKind::ReadOnlyData
            ) {
                continue;
            }
            for word in section.data()?.chunks_exact(8) {
                let value = u64::from_le_bytes(word.try_into().expect("8 bytes"));
                if starts.contains(&value) {
                    taken.insert(value);
                }
            }
        }
        Ok(Graph {
            functions: read,
            taken,
        })
    }

    fn deepest(&self, entries: &[&str]) -> Result<Deepest> {
        let mut deepest = Deepest::default();
        for entry in entries {
            let found = self.functions.iter().find(|(_, f)| f.name == *entry);
            let (&address, _) =
                found.with_context(|| format!("the image has no function {entry}"))?;
            let found = self.deepest_from(address)?;
            if found.bytes > deepest.bytes {
                deepest = found;
            }
        }
        Ok(deepest)
    }

    fn deepest_from(&self, entry: u64) -> Result<Deepest> {
        let mut search = Search {
            graph: self,
            known: HashMap::new(),
            open: Vec::new(),
        };
        let bytes = search.depth(entry, [0; CIRCLES.len()])?;
        let mut path = Vec::new();
        let mut at = Some((entry, [0; CIRCLES.len()]));
        while let Some((address, counts)) = at {
            let function = &self.functions[&address];
            path.push((function.name.clone(), function.frame));
            at = search.known[&(address, search.counted(function, counts))].1;
        }
        Ok(Deepest { bytes, path })
    }

    /// Whom a function can call.
    fn callees<'a>(&'a self, function: &'a Function) -> impl Iterator<Item = u64> + 'a {
        let through = Pointers::of(&function.name);
        let pointed = self
            .taken
            .iter()
            .copied()
            .filter(move |address| function.indirect && through.may_be(self.name(*address)));
        let all = function.calls.iter().copied().chain(pointed);
        all.filter(|address| !REPORTS.contains(&self.name(*address)))
    }

    fn name(&self, address: u64) -> &str {
        self.functions.get(&address).map_or("", |f| &f.name)
    }
}

/// What the pointers can be through which a function calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pointers {
    /// Anything: the image's own.
    Any,
    /// `Display::fmt` and its like of an argument, or a `fmt::Write`.
    Arguments,
    /// A `fmt::Write`.
    Writer,
}

impl Pointers {
    /// By the caller's name: `core::fmt` knows no other kinds of pointers.
    fn of(caller: &str) -> Pointers {
        let shows_arguments = ["core::fmt::write", "core::fmt::builders"];
        if shows_arguments.iter().any(|name| caller.contains(name)) {
            Pointers::Arguments
        } else if caller.contains("core::fmt::") {
            Pointers::Writer
        } else {
            Pointers::Any
        }
    }

    fn may_be(self, callee: &str) -> bool {
        let writes = ["::write_str", "::write_char", "::write_fmt"]
            .iter()
            .any(|end| callee.ends_with(end));
        match self {
            Pointers::Any => true,
            Pointers::Arguments => writes || callee.ends_with("::fmt"),
            Pointers::Writer => writes,
        }
    }
}

/// How often each of [`CIRCLES`] is on the stack.
type Counts = [u8; CIRCLES.len()];

/// A function and the counts when it is called.
type Call = (u64, Counts);

struct Search<'a> {
    graph: &'a Graph,
    /// By function and the counts with it: its depth, and the next call on the deepest path.
    known: HashMap<Call, (u64, Option<Call>)>,
    /// What is being computed, to find circles.
    open: Vec<Call>,
}

impl Search<'_> {
    fn counted(&self, function: &Function, mut counts: Counts) -> Counts {
        for (circle, count) in CIRCLES.iter().zip(&mut counts) {
            *count += u8::from(function.name == circle.name);
        }
        counts
    }

    fn depth(&mut self, address: u64, counts: Counts) -> Result<u64> {
        let graph = self.graph;
        let Some(function) = graph.functions.get(&address) else {
            return Ok(0);
        };
        let counts = self.counted(function, counts);
        if CIRCLES.iter().zip(counts).any(|(c, n)| n > c.most) {
            return Ok(0);
        }
        let key = (address, counts);
        if let Some((depth, _)) = self.known.get(&key) {
            return Ok(*depth);
        }
        if let Some(from) = self.open.iter().position(|open| *open == key) {
            let names: Vec<&str> = self.open[from..]
                .iter()
                .map(|(address, _)| graph.functions[address].name.as_str())
                .collect();
            bail!(
                "functions that call each other without a bound: {}",
                names.join(" -> ")
            );
        }
        self.open.push(key);
        let (mut below, mut next) = (0, None);
        for callee in graph.callees(function) {
            let depth = self.depth(callee, counts)?;
            if depth > below {
                (below, next) = (depth, Some((callee, counts)));
            }
        }
        self.open.pop();
        let depth = function.frame + below;
        self.known.insert(key, (depth, next));
        Ok(depth)
    }
}

/// Reads a function's frame and calls from its instructions.
fn function(
    name: &str,
    start: u64,
    words: impl Iterator<Item = u32>,
    starts: &BTreeSet<u64>,
    taken: &mut BTreeSet<u64>,
) -> Function {
    let mut function = Function {
        name: name.to_owned(),
        ..Function::default()
    };
    for (index, word) in words.enumerate() {
        let pc = start + 4 * index as u64;
        function.frame += taken_from_stack(word);
        match word >> 26 {
            // B and BL: a jump out of the function is a call at its end.
            0b000101 | 0b100101 => {
                let offset = i64::from((word << 6) as i32 >> 6) * 4;
                let target = pc.wrapping_add_signed(offset);
                if word >> 31 == 1 || (starts.contains(&target) && target != start) {
                    function.calls.insert(target);
                }
            }
            _ => {}
        }
        // BLR, and BR, by which a function ends that calls through a pointer.
        function.indirect |= matches!(word & 0xffff_fc1f, 0xd63f_0000 | 0xd61f_0000);
        // ADR of a function.
        if word & 0x9f00_0000 == 0x1000_0000 {
            let high = (word >> 5 & 0x7_ffff) as i64;
            let offset = (high << 2 | i64::from(word >> 29 & 3)) << 43 >> 43;
            let target = pc.wrapping_add_signed(offset);
            if starts.contains(&target) {
                taken.insert(target);
            }
        }
    }
    function
}

/// The bytes that an instruction takes off SP: `sub sp, sp, #n`, and stores with a pre-index.
fn taken_from_stack(word: u32) -> u64 {
    const SP: u32 = 31;
    if word & 0xff80_03ff == 0xd100_0000 | SP << 5 | SP {
        let shift = word >> 22 & 1;
        return u64::from(word >> 10 & 0xfff) << (12 * shift);
    }
    // STP Xt, Xt2, [SP, #imm]!
    if word & 0xffc0_0000 == 0xa980_0000 && word >> 5 & 31 == SP {
        let offset = (word << 10) as i32 >> 25;
        return u64::from((-8 * offset).max(0) as u32);
    }
    // STR Xt, [SP, #imm]!
    if word & 0xffe0_0c00 == 0xf800_0c00 && word >> 5 & 31 == SP {
        let offset = (word << 11) as i32 >> 23;
        return u64::from((-offset).max(0) as u32);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        // sub sp, sp, #0x40; sub sp, sp, #1, lsl #12; stp x29, x30, [sp, #-16]!; str x30, [sp, #-16]!
        for (word, bytes) in [
            (0xd101_03ff, 0x40),
            (0xd140_07ff, 0x1000),
            (0xa9bf_7bfd, 16),
            (0xf81f_0ffe, 16),
            // stp x29, x30, [sp, #16]; add sp, sp, #0x40; ldp x29, x30, [sp], #16; sub x0, sp, #16
            (0xa901_7bfd, 0),
            (0x9101_03ff, 0),
            (0xa8c1_7bfd, 0),
            (0xd100_43e0, 0),
        ] {
            assert_eq!(taken_from_stack(word), bytes, "{word:#x}");
        }
    }

    #[test]
    fn calls() {
        let starts = BTreeSet::from([0x1000, 0x2000, 0x3000]);
        let mut taken = BTreeSet::new();
        // bl 0x2000; b +8; blr x8; adr x0, 0x3000; b 0x2000
        let words = [
            0x9400_0400,
            0x1400_0002,
            0xd63f_0100,
            0x1000_ffa0,
            0x1400_03fc,
        ];
        let found = function("f", 0x1000, words.into_iter(), &starts, &mut taken);
        assert_eq!(found.calls, BTreeSet::from([0x2000]));
        assert!(found.indirect && found.frame == 0);
        assert_eq!(taken, BTreeSet::from([0x3000]));
    }

    fn graph(functions: &[(u64, &str, u64, &[u64], bool)], taken: &[u64]) -> Graph {
        let functions = functions.iter().map(|(at, name, frame, calls, indirect)| {
            let function = Function {
                name: (*name).to_owned(),
                frame: *frame,
                calls: calls.iter().copied().collect(),
                indirect: *indirect,
            };
            (*at, function)
        });
        Graph {
            functions: functions.collect(),
            taken: taken.iter().copied().collect(),
        }
    }

    #[test]
    fn the_deepest_path_counts_circles_and_pointers() {
        let run = CIRCLES[0].name;
        let graph = graph(
            &[
                (1, "main", 16, &[2], false),
                (2, run, 100, &[3], false),
                (3, "psci", 50, &[2, 4], false),
                (4, "say", 10, &[], true),
                (5, "log", 30, &[], false),
            ],
            &[5],
        );
        let deepest = graph.deepest_from(1).unwrap();
        assert_eq!(deepest.bytes, 16 + 3 * 150 + 40);
        assert_eq!(deepest.path.len(), 1 + 2 * 3 + 2);
    }

    #[test]
    fn a_circle_without_a_bound_is_refused() {
        let graph = graph(&[(1, "a", 16, &[2], false), (2, "b", 16, &[1], false)], &[]);
        let error = graph.deepest_from(1).unwrap_err().to_string();
        assert!(error.contains("a -> b"), "{error}");
    }
}
