//! Reproducible random numbers, and random calls made from them.

use crate::arch::cpu;
use crate::framework::cores;
use crate::framework::ffa;
use crate::framework::regs::Regs;
use crate::machine::HERE;

/// A generator of random numbers (splitmix64).
pub struct Random(u64);

impl Random {
    /// Makes the generator for this seed, round and core.
    pub fn new(seed: u64, round: u64, core: usize) -> Self {
        let mut random = Self(seed);
        for salt in [round, core as u64] {
            random.0 = random.next() ^ salt;
        }
        random
    }

    /// Returns the next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Returns a number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Returns true once in `times` calls, on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Returns one of `all`.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// Returns an argument: a value that has a meaning in some call, or any number.
    pub fn value(&mut self) -> u64 {
        const SPECIAL: [u64; 24] = [
            0,
            1,
            2,
            3,
            4,
            7,
            8,
            0xff,
            0x1000,
            0x7fff,
            0x8000,
            0xffff,
            0x1_0000,
            HERE.core_off as u64,
            HERE.cluster_off as u64,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x1_0000_0000,
            0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000,
            u64::MAX,
            // Memory of the secure world, and of EL3.
            HERE.not_normal[0],
            HERE.not_normal[1],
        ];
        match self.below(8) {
            0..4 => self.one_of(&SPECIAL),
            4 => cpu::mpidr_of(self.below(cores::count().max(1) as u64) as usize),
            5 => ffa::route(
                self.one_of(&[0, 1, 0x8000, 0x8001, 0xffff]),
                self.one_of(&[0, 1, 0x8000, 0xffff]),
            ),
            6 => 1 << self.below(64),
            _ => self.next(),
        }
    }

    /// Returns a function ID, most often a known one.
    pub fn function(&mut self) -> u64 {
        let n = self.next();
        let known = match self.below(16) {
            0..6 => 0x8400_0060 + n % 0x40,
            6..9 => 0x8400_0000 + n % 0x20,
            9 => 0x8000_0000 + n % 0x20,
            10 => self.one_of(&[
                0x8000_3fff,
                0x8000_7fff,
                0x8000_8000,
                0x8400_ff00,
                0x8400_ff01,
                0x8400_ff03,
            ]),
            11 => self.one_of(&[
                0x8400_0050,
                0x8400_0051,
                0x8400_0053,
                0x8400_00f0,
                0x8400_00f1,
            ]),
            12 => (n & 0x3f) << 24 | 1 << 31 | self.below(0x20),
            13 => 0x8400_0060 ^ 1 << self.below(32),
            14 => 0x8700_0010 + n % 0x20,
            _ => n & 0xffff_ffff,
        };
        // Add the 64-bit convention, the SVE hint, and an upper half, which has no meaning.
        let known = known | (self.below(2) << 30) | (u64::from(self.once_in(8)) << 16);
        known
            | if self.once_in(8) {
                self.next() << 32
            } else {
                0
            }
    }

    /// Returns a call.
    pub fn call(&mut self) -> Regs {
        let mut regs = Regs::default();
        regs.0[0] = self.function();
        for x in &mut regs.0[1..8] {
            *x = self.value();
        }
        for x in &mut regs.0[8..] {
            *x = self.next();
        }
        regs
    }
}
