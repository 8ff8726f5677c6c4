//! The linked image as a graph of its functions and the calls between them.
//!
//! A function's frame and its calls are read from its instructions. A call through a pointer may reach every function
//! whose address the image holds; in `core::fmt` only functions that display something or write text, in EL3's messages
//! only the logger.

use crate::a64;
use anyhow::{Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::collections::{BTreeMap, BTreeSet};

/// The functions that run on the stack for crash reports, and so take nothing of their caller's stack.
pub const REPORTS: [&str; 2] = [
    "janus_bl31::hw::crash::report_panic",
    "report_el3_exception",
];
/// A function of the image.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name, without hash.
    pub name: String,
    /// Bytes that it takes off the stack pointer.
    pub frame: u64,
    /// Addresses of the functions that it calls or ends with a jump to.
    pub calls: BTreeSet<u64>,
    /// Whether it calls through a pointer.
    pub indirect: bool,
}

/// The linked image.
pub struct Graph {
    /// By address.
    pub functions: BTreeMap<u64, Function>,
    /// Functions whose address the image holds: a pointer may lead to them.
    pub taken: BTreeSet<u64>,
}

impl Graph {
    /// Reads the image.
    ///
    /// # Errors
    /// It has no symbols, or is broken.
    pub fn read(file: &object::File) -> Result<Graph> {
        let mut functions = BTreeMap::new();
        let texts: Vec<_> = file
            .sections()
            .filter(|s| s.kind() == SectionKind::Text)
            .collect();
        for (name, address, size) in symbols(file) {
            functions.insert(address, (size, name));
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

    /// The functions that a function can call.
    pub fn callees<'a>(&'a self, function: &'a Function) -> impl Iterator<Item = u64> + 'a {
        let through = Pointers::of(&function.name);
        let pointed = self
            .taken
            .iter()
            .copied()
            .filter(move |address| function.indirect && through.may_be(self.name(*address)));
        let all = function.calls.iter().copied().chain(pointed);
        all.filter(|address| !REPORTS.contains(&self.name(*address)))
    }

    /// The name of the function at `address`; empty where there is none.
    pub fn name(&self, address: u64) -> &str {
        self.functions.get(&address).map_or("", |f| &f.name)
    }
}

/// Name, address and size of each function.
pub fn symbols(file: &object::File) -> Vec<(String, u64, u64)> {
    let symbols = file.symbols();
    symbols
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| {
            let name = symbol.name().unwrap_or_default();
            let name = format!("{:#}", rustc_demangle::demangle(name));
            (name, symbol.address(), symbol.size())
        })
        .collect()
}

/// The functions that a caller's pointers can lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pointers {
    /// Every function whose address the image holds.
    Any,
    /// `Display::fmt` and its like of an argument, or a `fmt::Write`.
    Arguments,
    /// A `fmt::Write`.
    Writer,
    /// The logger.
    Logger,
    /// What an EL3 partition says about itself, or a `fmt::Write`.
    Partition,
}

impl Pointers {
    /// By the caller's name: `core::fmt` knows no other kinds of pointers, messages go to the logger alone, and the
    /// dispatcher starts no partition.
    fn of(caller: &str) -> Pointers {
        if caller.ends_with("janus_bl31::messages::say") {
            return Pointers::Logger;
        }
        if ["janus_spmd::", "janus_manifest::"]
            .iter()
            .any(|name| caller.contains(name))
        {
            return Pointers::Partition;
        }
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
            Pointers::Partition => {
                let acts = callee.ends_with("::start") || callee.ends_with("::event");
                writes || callee.contains("LogicalPartition>::") && !acts
            }
            Pointers::Logger => callee.ends_with("as log::Log>::log"),
        }
    }
}

/// Reads a function's frame and calls from its instructions.
pub fn function(
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
        let (jump, call) = (word >> 26 == 0b000101, word >> 26 == 0b100101);
        if let Some(target) = a64::target(word, pc) {
            let other = starts.contains(&target) && target != start;
            // A jump out of the function is a call at its end.
            if call || jump && other {
                function.calls.insert(target);
            } else if !jump && starts.contains(&target) {
                // ADR of a function.
                taken.insert(target);
            }
        }
        // BLR, or BR, with which a function ends that calls through a pointer.
        function.indirect |= matches!(word & 0xffff_fc1f, 0xd63f_0000 | 0xd61f_0000);
    }
    function
}

/// The bytes that an instruction takes off SP: `sub sp, sp, #n`, and stores with a pre-index.
pub fn taken_from_stack(word: u32) -> u64 {
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
}
