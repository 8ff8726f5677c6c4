//! The fields of the EL3 registers in an event (Arm ARM, DDI0487, D24).

use crate::event::{Event, Way};

/// A security state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum World {
    /// Non-secure.
    Normal,
    /// Secure.
    Secure,
    /// Realm, or Root: of the Realm Management Extension.
    Realm,
}

/// Why a core came to EL3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SMC with this immediate.
    Smc {
        /// Its immediate.
        immediate: u16,
        /// From AArch32.
        aarch32: bool,
    },
    /// Another synchronous exception, of this exception class.
    Trap(u8),
    /// An IRQ.
    Irq,
    /// An FIQ.
    Fiq,
    /// An SError.
    SError,
}

/// Exception class of an SMC in AArch32.
const EC_SMC32: u8 = 0x13;
/// Exception class of an SMC in AArch64.
const EC_SMC64: u8 = 0x17;

impl Event {
    /// The world that was left, or that is entered.
    pub fn world(&self) -> World {
        const NS: u64 = 1;
        const NSE: u64 = 1 << 62;
        match (self.scr & NS != 0, self.scr & NSE != 0) {
            (true, false) => World::Normal,
            (false, false) => World::Secure,
            (_, true) => World::Realm,
        }
    }

    /// The exception level that was left, or that is entered, encoded as in SPSR_EL3.M.
    pub fn el(&self) -> u8 {
        const AARCH32: u64 = 1 << 4;
        if self.spsr & AARCH32 == 0 {
            return (self.spsr >> 2 & 3) as u8;
        }
        match self.spsr & 0xf {
            0 => 0,   // User
            0xa => 2, // Hyp
            6 => 3,   // Monitor
            _ => 1,
        }
    }

    /// Why the core came to EL3; `None` at an exit.
    pub fn cause(&self) -> Option<Cause> {
        let Way::Entry { vector, esr } = self.way else {
            return None;
        };
        Some(match vector >> 7 & 3 {
            1 => Cause::Irq,
            2 => Cause::Fiq,
            3 => Cause::SError,
            _ => {
                let immediate = esr as u16;
                match (esr >> 26 & 0x3f) as u8 {
                    EC_SMC64 => Cause::Smc {
                        immediate,
                        aarch32: false,
                    },
                    EC_SMC32 => Cause::Smc {
                        immediate: 0,
                        aarch32: true,
                    },
                    class => Cause::Trap(class),
                }
            }
        })
    }

    /// Returns whether EL3 itself took the exception: a fault of the firmware.
    pub fn is_from_el3(&self) -> bool {
        matches!(
            self.way,
            Way::Entry {
                vector: ..0x400,
                ..
            }
        )
    }
}

/// The name of an exception class (ESR_ELx.EC), for those that can come to EL3.
pub fn class_name(class: u8) -> &'static str {
    match class {
        0x00 => "unknown reason",
        0x01 => "WFI, WFE",
        0x03 | 0x05 => "AArch32 system register",
        0x04 | 0x06 | 0x0c | 0x0d => "AArch32 coprocessor access",
        0x07 => "SVE, SIMD, FP",
        0x09 => "pointer authentication",
        0x0a => "LD64B, ST64B",
        0x14 => "128-bit system register",
        0x18 => "system register",
        0x19 => "SVE",
        0x1a => "ERET",
        0x1c => "pointer authentication failure",
        0x1d => "SME",
        0x1e => "granule protection check",
        0x1f => "implementation defined",
        0x20 | 0x21 => "instruction abort",
        0x22 => "PC alignment",
        0x24 | 0x25 => "data abort",
        0x26 => "SP alignment",
        0x2c => "floating-point exception",
        0x2f => "SError",
        _ => "another class",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::LONGEST;

    #[test]
    fn worlds_levels_and_causes() {
        let at = |scr, spsr| Event {
            scr,
            spsr,
            way: Way::Exit,
            ..LONGEST
        };
        assert_eq!(
            (at(1, 0x3c9).world(), at(1, 0x3c9).el()),
            (World::Normal, 2)
        );
        assert_eq!(
            (at(0x430, 0x3c5).world(), at(0, 0x3c5).el()),
            (World::Secure, 1)
        );
        assert_eq!(
            (at(1, 0x1da).el(), at(1, 0x1d3).el(), at(1, 0x1d0).el()),
            (2, 1, 0)
        );
        assert_eq!(at(1 << 62 | 1, 0).world(), World::Realm);
        let entry = |vector, esr| Event {
            way: Way::Entry { vector, esr },
            ..LONGEST
        };
        let smc = Cause::Smc {
            immediate: 0,
            aarch32: false,
        };
        assert_eq!(entry(0x400, 0x5e00_0000).cause(), Some(smc));
        let smc32 = Cause::Smc {
            immediate: 0,
            aarch32: true,
        };
        assert_eq!(entry(0x600, 0x4e00_0000).cause(), Some(smc32));
        assert_eq!(entry(0x400, 0x6232_e801).cause(), Some(Cause::Trap(0x18)));
        assert_eq!(entry(0x480, 0).cause(), Some(Cause::Irq));
        assert_eq!(entry(0x700, 0).cause(), Some(Cause::Fiq));
        assert_eq!(entry(0x580, 0).cause(), Some(Cause::SError));
        assert!(entry(0x200, 0).is_from_el3() && !entry(0x400, 0).is_from_el3());
    }
}
