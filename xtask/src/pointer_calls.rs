//! Where a function's calls through pointers take the pointer from, read from its instructions.
//!
//! From each BLR or BR the search goes back along all paths through the function to what wrote the register. What it
//! cannot follow (an argument, a value from the stack, arithmetic) it calls unknown, and so errs on the side of more
//! callees. A method of a trait object is loaded at a constant offset of the object's vtable, so the offset tells the
//! method.

use crate::a64;
use std::collections::BTreeSet;
use std::ops::Range;

/// Where the pointer of a call comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// It is loaded this many bytes after an address that is in a register.
    Slot(u64),
    /// It is the address of this function.
    Is(u64),
    /// It is the function's argument in this register.
    Argument(u32),
    /// The instructions do not tell.
    Unknown,
}

/// The registers that arguments are passed in.
const ARGUMENTS: u32 = 8;

/// A function's instructions.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// Where it begins.
    pub start: u64,
    /// The instructions.
    pub words: &'a [u32],
}

impl Code<'_> {
    /// The sources of the pointers of all calls through pointers.
    pub fn pointers(self) -> BTreeSet<Source> {
        let calls = |(index, word): (usize, &u32)| {
            through_register(*word).then(|| (index, register(*word, 5)))
        };
        self.sources(self.words.iter().enumerate().filter_map(calls).collect())
    }

    /// The sources of the argument in register `number` of all calls of the function at `callee`.
    pub fn arguments(self, callee: u64, number: u32) -> BTreeSet<Source> {
        let calls = |(index, word): (usize, &u32)| {
            let pc = self.start + 4 * index as u64;
            (a64::branch(*word, pc) == Some(callee)).then_some((index, number))
        };
        self.sources(self.words.iter().enumerate().filter_map(calls).collect())
    }

    /// The sources of what is in these registers before the instructions at these places.
    fn sources(self, wanted: Vec<(usize, u32)>) -> BTreeSet<Source> {
        let mut found = BTreeSet::new();
        if wanted.is_empty() {
            return found;
        }
        let body = Body::new(self);
        for (index, number) in wanted {
            if !body.is_local(index) {
                found.extend(body.follow(index, number));
            }
        }
        found
    }
}

/// BLR and BR, also those that authenticate the pointer.
fn through_register(word: u32) -> bool {
    word & 0xfe9f_f000 == 0xd61f_0000 && word & 0x0040_0000 == 0
}

/// BR: it does not come back.
fn is_jump(word: u32) -> bool {
    through_register(word) && word & 0x0020_0000 == 0
}

/// The register whose number begins at bit `at`.
fn register(word: u32, at: u32) -> u32 {
    word >> at & 31
}

/// The number that is SP as a base, and the zero register elsewhere.
const SP: u32 = 31;

/// A function's instructions, with what may come before each.
struct Body<'a> {
    words: &'a [u32],
    start: u64,
    before: Vec<Vec<usize>>,
}

impl<'a> Body<'a> {
    fn new(Code { start, words }: Code<'a>) -> Self {
        let mut body = Body {
            words,
            start,
            before: vec![Vec::new(); words.len()],
        };
        let mut blocks = BTreeSet::new();
        for (index, &word) in words.iter().enumerate() {
            let target = a64::branch(word, start + 4 * index as u64).and_then(|to| body.index(to));
            if let Some(target) = target {
                body.before[target].push(index);
                blocks.insert(target);
            }
            if goes_on(word) {
                if let Some(before) = body.before.get_mut(index + 1) {
                    before.push(index);
                }
            } else {
                blocks.insert(index + 1);
            }
        }
        // A jump by a table may go to any block.
        for index in 0..words.len() {
            if !body.is_local(index) {
                continue;
            }
            for &block in blocks.iter().filter(|block| **block < words.len()) {
                body.before[block].push(index);
            }
        }
        body
    }

    fn range(&self) -> Range<u64> {
        self.start..self.start + 4 * self.words.len() as u64
    }

    fn index(&self, address: u64) -> Option<usize> {
        let inside = self.range().contains(&address);
        inside.then(|| ((address - self.start) / 4) as usize)
    }

    /// Whether the branch at `index` is a jump by a table within the function: to an address in it plus an offset.
    fn is_local(&self, index: usize) -> bool {
        let jump = self.words[index];
        if !is_jump(jump) {
            return false;
        }
        let before = &self.words[..index];
        let wrote = |number| {
            before
                .iter()
                .rposition(|w| effect(*w, 0, number) != Effect::None)
        };
        let Some(sum) = wrote(register(jump, 5)) else {
            return false;
        };
        let word = self.words[sum];
        // ADD Xd, Xn, Xm, LSL #amount; or with the offset as a sign-extended word.
        let adds = word & 0xff20_0000 == 0x8b00_0000 || word & 0xffe0_0000 == 0x8b20_0000;
        let base = register(word, 5);
        let base = before[..sum]
            .iter()
            .rposition(|w| effect(*w, 0, base) != Effect::None);
        let inside = |at: usize| {
            let to = a64::address(self.words[at], self.start + 4 * at as u64);
            to.is_some_and(|to| self.range().contains(&to))
        };
        adds && base.is_some_and(inside)
    }

    /// Goes back from `index` to what wrote register `number`.
    fn follow(&self, index: usize, number: u32) -> BTreeSet<Source> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([(index, number)]);
        let mut next = vec![(index, number)];
        while let Some((at, number)) = next.pop() {
            if at == 0 {
                let argument = number < ARGUMENTS;
                found.insert(if argument {
                    Source::Argument(number)
                } else {
                    Source::Unknown
                });
            }
            for &before in &self.before[at] {
                let pc = self.start + 4 * before as u64;
                let mut go = |number: u32| {
                    if number != SP && seen.insert((before, number)) {
                        next.push((before, number));
                    }
                };
                match effect(self.words[before], pc, number) {
                    Effect::None => go(number),
                    Effect::Copies(from) => from.into_iter().for_each(go),
                    Effect::Is(source) => {
                        found.insert(source);
                    }
                }
            }
        }
        // No way leads here that the search knows.
        if found.is_empty() {
            found.insert(Source::Unknown);
        }
        found
    }
}

/// What an instruction does to a register.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    None,
    /// It gets the value of one of these registers.
    Copies([u32; 2]),
    /// It gets a new value.
    Is(Source),
}

/// What the instruction `word` at `pc` does to register `number`, which is not SP.
fn effect(word: u32, pc: u64, number: u32) -> Effect {
    const UNKNOWN: Effect = Effect::Is(Source::Unknown);
    let [rd, rn, rt2, rm] = [0, 5, 10, 16].map(|at| register(word, at));
    let writes = |does: bool| if does { UNKNOWN } else { Effect::None };
    let slot = |offset: i64| match u64::try_from(offset) {
        Ok(offset) if rn != SP => Effect::Is(Source::Slot(offset)),
        _ => UNKNOWN,
    };
    let calls = through_register(word) && !is_jump(word) || word >> 26 == 0b100101;
    if calls {
        // What the procedure call standard lets a function change.
        return writes(number <= 18 || number == 30);
    }
    match word >> 25 & 0xf {
        // Branches and system instructions: MRS and SYSL write a register.
        0b1010 | 0b1011 => writes(word & 0xffe0_0000 == 0xd520_0000 && rd == number),
        // Loads and stores.
        0b0100 | 0b0110 | 0b1100 | 0b1110 => {
            let vectors = word >> 26 & 1 == 1;
            let indexed_pair = word & 0x3a80_0000 == 0x2880_0000;
            let indexed = word & 0x3b20_0400 == 0x3800_0400;
            if (indexed_pair || indexed) && rn == number {
                return UNKNOWN;
            }
            // Any number of bytes: with an unsigned offset, a signed one, or a register.
            let single = word & 0x3b00_0000 == 0x3900_0000
                || word & 0x3b20_0000 == 0x3800_0000
                || word & 0x3b20_0c00 == 0x3820_0800;
            let pair = word & 0x3a00_0000 == 0x2800_0000;
            let loads = if pair {
                word >> 22 & 1 == 1
            } else {
                word >> 22 & 3 != 0
            };
            if vectors {
                return writes(!single && !pair && rn == number);
            }
            if single {
                return match word & 0xffc0_0000 {
                    _ if !loads || rd != number => Effect::None,
                    0xf940_0000 => slot(8 * i64::from(word >> 10 & 0xfff)),
                    0xf840_0000 if word & 0x0020_0c00 == 0 => {
                        slot(i64::from((word << 11) as i32 >> 23))
                    }
                    _ => UNKNOWN,
                };
            }
            if pair {
                let offset = 8 * i64::from((word << 10) as i32 >> 25);
                let offset = offset + 8 * i64::from(rd != number);
                return match word & 0xffc0_0000 {
                    _ if !loads || rd != number && rt2 != number => Effect::None,
                    0xa940_0000 => slot(offset),
                    _ => UNKNOWN,
                };
            }
            // LDR of a literal.
            if word & 0x3b00_0000 == 0x1800_0000 {
                return writes(rd == number);
            }
            // Exclusive and atomic accesses.
            writes([rd, rn, rt2, rm].contains(&number))
        }
        _ if rd != number => Effect::None,
        _ if word & 0xffe0_ffe0 == 0xaa00_03e0 => Effect::Copies([rm, SP]),
        _ if word & 0xffe0_0c00 == 0x9a80_0000 => Effect::Copies([rn, rm]),
        _ => match a64::address(word, pc) {
            Some(address) => Effect::Is(Source::Is(address)),
            None => UNKNOWN,
        },
    }
}

/// Whether the next instruction may run after this one.
fn goes_on(word: u32) -> bool {
    let jumps = word >> 26 == 0b000101 || is_jump(word);
    // RET, ERET, BRK, UDF.
    let returns =
        word & 0xffdf_f000 == 0xd65f_0000 & 0xffdf_f000 || word & 0xffff_f000 == 0xd69f_0000;
    let stops = word & 0xffe0_001f == 0xd420_0000 || word >> 16 == 0;
    !(jumps || returns || stops)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLR_X8: u32 = 0xd63f_0100;

    fn pointers(words: &[u32]) -> Vec<Source> {
        let start = 0x1000;
        Code { start, words }.pointers().into_iter().collect()
    }

    #[test]
    fn what_is_loaded_is_told_by_its_offset() {
        // ldr x8, [x1, #24]
        assert_eq!(pointers(&[0xf940_0c28, BLR_X8]), [Source::Slot(24)]);
        // ldp x0, x8, [x9]; ldp x8, x0, [x9, #16]
        assert_eq!(pointers(&[0xa940_2120, BLR_X8]), [Source::Slot(8)]);
        assert_eq!(pointers(&[0xa941_0128, BLR_X8]), [Source::Slot(16)]);
        // ldr x24, [x1, #32]; bl +4; mov x8, x24: a call keeps x24.
        let kept = [0xf940_1038, 0x9400_0001, 0xaa18_03e8, BLR_X8];
        assert_eq!(pointers(&kept), [Source::Slot(32)]);
        // ldr x8, [x1, #24]; bl +4: a call does not keep x8. ldr x8, [sp, #8]; ldr x8, [x9, x10]; ldr w8, [x1, #24]
        for lost in [
            &[0xf940_0c28, 0x9400_0001, BLR_X8][..],
            &[0xf940_07e8, BLR_X8],
            &[0xf86a_6928, BLR_X8],
            &[0xb940_1828, BLR_X8],
        ] {
            assert_eq!(pointers(lost), [Source::Unknown], "{lost:x?}");
        }
        // ldr x24, [x1, #24]; ldr x8, the word behind (whose bits look like x24's number); mov x8, x24
        let literal = [0xf940_0c38, 0x5818_0308, 0xaa18_03e8, BLR_X8];
        assert_eq!(pointers(&literal), [Source::Slot(24)]);
        // adr x8, +0x100
        assert_eq!(pointers(&[0x1000_0808, BLR_X8]), [Source::Is(0x1100)]);
    }

    #[test]
    fn all_paths_count() {
        // cbz x0, +12; ldr x8, [x1, #24]; b +8; ldr x8, [x1, #40]
        let both = [0xb400_0060, 0xf940_0c28, 0x1400_0002, 0xf940_1428, BLR_X8];
        assert_eq!(pointers(&both), [Source::Slot(24), Source::Slot(40)]);
        // Without the second load, the register may be what the caller left in it.
        let one = [0xb400_0060, 0xf940_0c28, 0x1400_0002, 0xd503_201f, BLR_X8];
        assert_eq!(pointers(&one), [Source::Slot(24), Source::Unknown]);
    }

    #[test]
    fn an_argument_is_asked_of_the_callers() {
        // br x2
        assert_eq!(pointers(&[0xd61f_0040]), [Source::Argument(2)]);
        // ldr x2, [x8, #24]; bl 0x2000
        let words = [0xf940_0d02, 0x9400_03ff];
        let caller = Code {
            start: 0x1000,
            words: &words,
        };
        assert_eq!(
            caller.arguments(0x2000, 2),
            BTreeSet::from([Source::Slot(24)])
        );
        assert_eq!(caller.arguments(0x3000, 2), BTreeSet::new());
    }

    #[test]
    fn a_jump_by_a_table_stays_in_the_function() {
        // adr x11, +16; ldrb w12, [x9, x10]; add x11, x11, x12, lsl #2; br x11; ret
        let table = [
            0x1000_008b,
            0x386a_692c,
            0x8b0c_096b,
            0xd61f_0160,
            0xd65f_03c0,
        ];
        assert_eq!(pointers(&table), []);
        // It may go to any block: a pointer that is loaded before it is known behind it.
        let [a, b, c, d, _] = table;
        let behind = [0xf940_0c28, a, b, c, d, BLR_X8];
        assert_eq!(pointers(&behind), [Source::Slot(24)]);
        // adr x11, +0x1000: to another function.
        let other = [0x1000_800b, b, c, d];
        assert_eq!(pointers(&other), [Source::Unknown]);
    }
}
