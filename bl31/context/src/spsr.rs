//! The meaning of SPSR_EL3: the exception level that it names, and whether EL3 can return to it.
//!
//! An ERET to a state that the CPU does not have causes an exception at EL3 itself. So each entry point that
//! comes from outside (BL2's for BL33, the manifest's for the SPMC, PSCI's for a core) is checked by
//! [`check`] before it is used.

use core::fmt;
use core::ops::Range;

/// `M[4]`: AArch32. `M[3:0]` is then a mode and not an EL.
pub const AARCH32: u64 = 1 << 4;
/// `M[3:0]` of EL1 with its own stack pointer.
pub const EL1H: u64 = 5;
/// `M[3:0]` of EL2 with its own stack pointer.
pub const EL2H: u64 = 9;
/// D, A, I and F: everything masked.
pub const DAIF: u64 = 0xf << 6;
/// IL: the next instruction causes an Illegal Execution state exception.
const IL: u64 = 1 << 20;
/// `M[1]`, which is clear in every AArch64 state.
const M1: u64 = 1 << 1;

/// Returns the exception level of a core with this SPSR, 0 to 3, in AArch64 and in AArch32.
pub const fn el(spsr: u64) -> u8 {
    match (spsr & AARCH32 != 0, spsr & 0xf) {
        (false, mode) => (mode >> 2) as u8,
        // User, Hyp, Monitor. All others are modes of EL1.
        (true, 0x0) => 0,
        (true, 0xa) => 2,
        (true, 0x6) => 3,
        (true, _) => 1,
    }
}

/// Returns the SPSR of a first entry at EL2, or else at EL1: with its own stack pointer and all interrupts masked.
pub const fn entry(el2: bool) -> u64 {
    DAIF | if el2 { EL2H } else { EL1H }
}

/// Why EL3 cannot start a world at an entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// AArch32: SCR_EL3.RW says that the level below is AArch64.
    AArch32,
    /// EL0 or EL3, or `M[1]` set: no level at which a world starts.
    NoLevel,
    /// EL2, which the CPU does not have in that world.
    NoEl2,
    /// SPSR.IL: the world's first instruction would be an exception.
    Illegal,
    /// The address is not aligned to 4, or not in the world's memory.
    Address,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AArch32 => "that is AArch32; use 0x3c9 (EL2) or 0x3c5 (EL1)",
            Self::NoLevel => "that is neither EL1 nor EL2; use 0x3c9 (EL2) or 0x3c5 (EL1)",
            Self::NoEl2 => "this CPU has no EL2 there; use 0x3c5 (EL1)",
            Self::Illegal => "its IL bit is set; use 0x3c9 (EL2) or 0x3c5 (EL1)",
            Self::Address => "the address is not a multiple of 4 in that world's memory",
        })
    }
}

/// Checks that a world can be started at address `pc` with `spsr`. `el2` says whether the CPU has EL2 in that world,
/// and `memory` is where that world's code may be.
///
/// # Errors
/// The reason why it cannot.
pub fn check(pc: u64, spsr: u64, el2: bool, memory: &[Range<u64>]) -> Result<(), Unfit> {
    match el(spsr) {
        _ if spsr & AARCH32 != 0 => Err(Unfit::AArch32),
        _ if spsr & M1 != 0 => Err(Unfit::NoLevel),
        2 if !el2 => Err(Unfit::NoEl2),
        1 | 2 if spsr & IL != 0 => Err(Unfit::Illegal),
        1 | 2 if pc.is_multiple_of(4) && memory.iter().any(|range| range.contains(&pc)) => Ok(()),
        1 | 2 => Err(Unfit::Address),
        _ => Err(Unfit::NoLevel),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    const MEMORY: [Range<u64>; 1] = [0x4000_0000..0x8000_0000];

    /// Returns the exception level to which an ERET of EL3 goes with SCR_EL3.RW = 1, or None if the return is illegal
    /// (DDI0487, "Illegal return events from AArch64 state"). Written from `M[4:0]`, independently of the code under
    /// test.
    fn returns_to(spsr: u64, el2: bool) -> Option<u8> {
        match spsr & 0x1f {
            0b00100 | 0b00101 => Some(1),
            0b01000 | 0b01001 if el2 => Some(2),
            _ => None,
        }
    }

    /// Tries every value of the bits that name a state, combined with each other bit of `SPSR_EL3[31:0]` alone and with
    /// all of them.
    #[test]
    fn every_spsr() {
        let others = (5..32).map(|bit| 1 << bit).chain([0, DAIF, 0xffff_ffe0]);
        for (rest, mode) in others.flat_map(|rest| (0..32).map(move |mode| (rest, mode))) {
            for el2 in [false, true] {
                let spsr = rest | mode;
                let fit = check(0x4000_0000, spsr, el2, &MEMORY).is_ok();
                let legal = returns_to(spsr, el2).is_some() && spsr & 1 << 20 == 0;
                assert_eq!(fit, legal, "{spsr:#x}, EL2 {el2}");
            }
        }
    }

    /// SPSRs that once stopped EL3, and why each is refused.
    #[test]
    fn each_refusal_has_its_reason() {
        for (spsr, el2, why) in [
            (0x1d3, true, Unfit::AArch32),
            (0x1da, true, Unfit::AArch32),
            (0x3c7, true, Unfit::NoLevel),
            (0x3cd, true, Unfit::NoLevel), // EL3h
            (0x3c0, true, Unfit::NoLevel), // EL0t
            (0x3c9, false, Unfit::NoEl2),
            (0x10_03c9, true, Unfit::Illegal),
        ] {
            assert_eq!(
                check(0x4000_0000, spsr, el2, &MEMORY),
                Err(why),
                "{spsr:#x}"
            );
            assert!(!why.to_string().is_empty());
        }
        for pc in [
            0,
            0x3fff_fffc,
            0x8000_0000,
            0x4000_0001,
            0x4000_0002,
            u64::MAX,
        ] {
            assert_eq!(
                check(pc, 0x3c9, true, &MEMORY),
                Err(Unfit::Address),
                "{pc:#x}"
            );
        }
        assert_eq!(check(0x7fff_fffc, 0x3c9, true, &MEMORY), Ok(()));
    }

    #[test]
    fn levels() {
        // AArch64: EL0t, EL1t, EL1h, EL2t, EL2h, EL3h, with flags and masks.
        for (spsr, level) in [(0, 0), (4, 1), (5, 1), (8, 2), (9, 2), (0xd, 3)] {
            assert_eq!(el(spsr), level);
            assert_eq!(el(spsr | 0xf000_03c0), level);
        }
        // User, FIQ, IRQ, Supervisor, Monitor, Abort, Hyp, Undefined, System (DDI0487, G1).
        for (mode, level) in [
            (0x10, 0),
            (0x11, 1),
            (0x12, 1),
            (0x13, 1),
            (0x16, 3),
            (0x17, 1),
            (0x1a, 2),
            (0x1b, 1),
            (0x1f, 1),
        ] {
            assert_eq!(el(mode), level, "{mode:#x}");
            assert_eq!(el(mode | 0x6000_01e0), level);
        }
        assert_eq!((el(entry(false)), el(entry(true))), (1, 2));
    }
}
