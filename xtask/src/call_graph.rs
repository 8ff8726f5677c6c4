//! The linked image as a graph of its functions and the calls between them.
//!
//! A function's frame and its calls are read from its instructions. A call through a pointer may reach every function
//! whose address the image holds; in `core::fmt` only functions that display something or write text, in EL3's messages
//! only the logger.

use crate::a64;
use crate::pointer_calls::{Code, Source};
use crate::pointers::{self, Place, Pointer};
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
    /// Where its calls through pointers take the pointer from.
    pub through: BTreeSet<Source>,
    /// The addresses that it computes.
    pub computes: BTreeSet<u64>,
}

/// A function that another one can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Callee {
    /// Where it is.
    pub address: u64,
    /// Whether it is called to display an argument that a function on the stack has made.
    pub shown: bool,
}

/// The linked image.
pub struct Graph {
    /// By address.
    pub functions: BTreeMap<u64, Function>,
    /// The places that hold functions' addresses.
    pub pointers: Vec<Pointer>,
}

impl Graph {
    /// Reads the image.
    ///
    /// # Errors
    /// It has no symbols, or is broken.
    pub fn read(file: &object::File) -> Result<Graph> {
        let symbols = symbols(file);
        ensure!(!symbols.is_empty(), "the image has no symbols");
        let names: BTreeMap<u64, &str> = symbols.iter().map(|(n, at, _)| (*at, &**n)).collect();
        let (mut codes, mut functions) = (BTreeMap::new(), BTreeMap::new());
        for section in file.sections().filter(|s| s.kind() == SectionKind::Text) {
            let data = section.data()?;
            for (name, start, size) in &symbols {
                let Some(offset) = start.checked_sub(section.address()) else {
                    continue;
                };
                let Some(bytes) = data.get(offset as usize..(offset + size) as usize) else {
                    continue;
                };
                let words: Vec<u32> = bytes
                    .chunks_exact(4)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect();
                let function = function(name, *start, &words, &names);
                functions.insert(*start, function);
                codes.insert(*start, words);
            }
        }
        let computed = functions.values().flat_map(|f: &Function| &f.computes);
        let computed = computed.copied().collect();
        let pointers = pointers::held(&pointers::data(file)?, &names, &computed);
        let mut graph = Graph {
            functions,
            pointers,
        };
        graph.follow_arguments(&codes);
        Ok(graph)
    }

    /// Follows pointers that are arguments to the callers. A function that is called through a pointer itself has
    /// callers that are not known.
    fn follow_arguments(&mut self, codes: &BTreeMap<u64, Vec<u32>>) {
        let code = |at: u64| Code {
            start: at,
            words: &codes[&at],
        };
        let pointed: BTreeSet<u64> = self.pointers.iter().map(|pointer| pointer.to).collect();
        let mut callers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (at, function) in &self.functions {
            for callee in &function.calls {
                callers.entry(*callee).or_default().push(*at);
            }
        }
        for at in codes.keys() {
            let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
            let through = self.functions[at].through.iter();
            let mut next: Vec<(u64, Source)> = through.map(|source| (*at, *source)).collect();
            while let Some((at, source)) = next.pop() {
                let Source::Argument(number) = source else {
                    found.insert(source);
                    continue;
                };
                if !seen.insert((at, number)) {
                    continue;
                }
                if pointed.contains(&at) || !callers.contains_key(&at) {
                    found.insert(Source::Unknown);
                    continue;
                }
                for caller in &callers[&at] {
                    let sources = code(*caller).arguments(at, number);
                    next.extend(sources.into_iter().map(|source| (*caller, source)));
                }
            }
            let function = self.functions.get_mut(at).expect("it has code");
            function.through.clear();
            for source in found {
                match source {
                    Source::Is(address) => function.calls.insert(address),
                    _ => function.through.insert(source),
                };
            }
        }
    }

    /// The functions that a function can call.
    pub fn callees<'a>(&'a self, function: &'a Function) -> impl Iterator<Item = Callee> + 'a {
        let pointed = function.through.iter().flat_map(move |source| {
            let fits = move |pointer: &&Pointer| {
                pointer.may_be(*source, &function.name, self.name(pointer.to))
            };
            self.pointers.iter().filter(fits).map(|pointer| Callee {
                address: pointer.to,
                shown: pointer.place == Place::Code && pointers::displays(self.name(pointer.to)),
            })
        });
        let direct = function.calls.iter().map(|address| Callee {
            address: *address,
            shown: false,
        });
        let all = direct.chain(pointed);
        all.filter(|callee| !REPORTS.contains(&self.name(callee.address)))
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

/// Reads a function's frame and calls from its instructions.
fn function(name: &str, start: u64, words: &[u32], names: &BTreeMap<u64, &str>) -> Function {
    let mut function = Function {
        name: name.to_owned(),
        ..Function::default()
    };
    for (index, &word) in words.iter().enumerate() {
        let pc = start + 4 * index as u64;
        function.frame += taken_from_stack(word);
        if let Some(target) = a64::branch(word, pc) {
            let call = word >> 26 == 0b100101;
            // A jump out of the function is a call at its end.
            if call || names.contains_key(&target) && target != start {
                function.calls.insert(target);
            }
        }
        function.computes.extend(a64::address(word, pc));
        // Any function in the page: what is added to its address may be in any later instruction.
        if let Some(page) = a64::page(word, pc) {
            let functions = names.range(page..page + 0x1000).map(|(at, _)| at);
            function.computes.extend(functions);
        }
    }
    function.through = Code { start, words }.pointers();
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
pub mod tests {
    use super::*;

    /// Makes a graph of functions: address, name, frame, direct calls, and whether it calls through a pointer, which may be
    /// any. The addresses in `taken` are in data.
    pub fn graph(functions: &[(u64, &str, u64, &[u64], bool)], taken: &[u64]) -> Graph {
        let functions = functions.iter().map(|(at, name, frame, calls, indirect)| {
            let function = Function {
                name: (*name).to_owned(),
                frame: *frame,
                calls: calls.iter().copied().collect(),
                computes: BTreeSet::new(),
                through: indirect.then_some(Source::Unknown).into_iter().collect(),
            };
            (*at, function)
        });
        Graph {
            functions: functions.collect(),
            pointers: taken
                .iter()
                .map(|to| Pointer {
                    to: *to,
                    place: Place::Data,
                })
                .collect(),
        }
    }

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
        let names = BTreeMap::from([(0x1000, "f"), (0x2000, "g"), (0x3000, "h")]);
        // bl 0x2000; b +8; blr x8; adr x0, 0x3000; b 0x2000
        let words = [
            0x9400_0400,
            0x1400_0002,
            0xd63f_0100,
            0x1000_ffa0,
            0x1400_03fc,
        ];
        let found = function("f", 0x1000, &words, &names);
        assert_eq!(found.calls, BTreeSet::from([0x2000]));
        assert_eq!(found.through, BTreeSet::from([Source::Unknown]));
        assert_eq!((found.frame, found.computes), (0, BTreeSet::from([0x3000])));
    }

    /// A section's type, flags, address, contents, link and size of an entry.
    type Section<'a> = (u32, u64, u64, &'a [u8], u32, u64);

    /// An ELF file with these functions from 0x1000 on, 16 bytes each, and with this data at 0x8000, whose section has
    /// `flags` beside SHF_ALLOC.
    pub fn image(functions: &[(&str, [u32; 4])], data: &[u64], flags: u64) -> Vec<u8> {
        let (mut text, mut names, mut symbols) = (Vec::new(), vec![0], vec![0; 24]);
        for (number, (name, words)) in functions.iter().enumerate() {
            symbols.extend((names.len() as u32).to_le_bytes());
            // STT_FUNC, in section 1.
            symbols.extend([2, 0, 1, 0]);
            symbols.extend((0x1000 + 16 * number as u64).to_le_bytes());
            symbols.extend(16_u64.to_le_bytes());
            names.extend(name.bytes().chain([0]));
            text.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        let data: Vec<u8> = data.iter().flat_map(|word| word.to_le_bytes()).collect();
        let sections: [Section; 5] = [
            (0, 0, 0, &[], 0, 0),
            (1, 6, 0x1000, &text, 0, 0),
            (1, 2 | flags, 0x8000, &data, 0, 8),
            (2, 0, 0, &symbols, 4, 24),
            (3, 0, 0, &names, 0, 0),
        ];
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let body: usize = sections.iter().map(|section| section.3.len()).sum();
        file.extend([2, 0, 183, 0, 1, 0, 0, 0]);
        for word in [0x1000, 0, 64 + body as u64] {
            file.extend(word.to_le_bytes());
        }
        for half in [0, 0, 64, 0, 0, 64, 5, 4_u16] {
            file.extend(half.to_le_bytes());
        }
        let mut headers = Vec::new();
        for (kind, flags, address, contents, link, entry) in sections {
            let offset = file.len() as u64;
            headers.extend(0_u32.to_le_bytes());
            headers.extend(kind.to_le_bytes());
            for word in [flags, address, offset, contents.len() as u64] {
                headers.extend(word.to_le_bytes());
            }
            headers.extend(link.to_le_bytes());
            headers.extend(0_u32.to_le_bytes());
            headers.extend(8_u64.to_le_bytes());
            headers.extend(entry.to_le_bytes());
            file.extend(contents);
        }
        file.extend(headers);
        file
    }

    /// `ldr x8, [x1, #24]; blr x8; ret`, and room.
    pub const CALLS_METHOD: [u32; 4] = [0xf940_0c28, 0xd63f_0100, 0xd65f_03c0, 0xd503_201f];
    /// `ret`, and room.
    pub const RETURNS: [u32; 4] = [0xd65f_03c0, 0xd503_201f, 0xd503_201f, 0xd503_201f];

    #[test]
    fn tables_of_functions_are_seen_in_all_data() {
        // adr x1, 0x8000; b to the second function; room.
        let main = [0x1003_8001, 0x1400_0003, 0xd503_201f, 0xd503_201f];
        let functions = [("main", main), ("calls", CALLS_METHOD), ("method", RETURNS)];
        let vtable = [0, 0, 1, 0x1020];
        // Alone; SHF_WRITE; SHF_MERGE; SHF_MERGE and SHF_STRINGS, as the linker makes it of mixed constants.
        for flags in [0, 1, 0x10, 0x30] {
            let bytes = image(&functions, &vtable, flags);
            let graph = Graph::read(&object::File::parse(&*bytes).unwrap()).unwrap();
            let callees = |at| {
                let callees = graph.callees(&graph.functions[&at]);
                callees.map(|callee| callee.address).collect::<Vec<_>>()
            };
            assert_eq!(callees(0x1000), [0x1010]);
            assert_eq!(callees(0x1010), [0x1020], "flags {flags:#x}");
            assert!(callees(0x1020).is_empty());
        }
    }
}
