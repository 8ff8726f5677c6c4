//! Makes the normal world, whose registers are in the CPU, go on at another address, for code of the platform that
//! interrupts it.
//!
//! EL3 does not check the address: it is a virtual one, and if nothing is there the normal world takes an exception.
//! EL3 checks the state, because an ERET to a state that the CPU does not have at present causes an exception at EL3.

use crate::hw::cpu;
use janus_context::spsr::AARCH32;
use janus_context::sysreg::{ELR_EL1, ELR_EL2, HCR_EL2, ID_AA64PFR0_EL1, SPSR_EL1, SPSR_EL2};
use janus_context::undefined::{Controls, new_pstate};
use janus_context::{Feature, Features, field};

/// The controls that decide which states the normal world can be in.
#[derive(Clone, Copy, Debug, Default)]
struct Levels {
    /// The CPU has EL2.
    el2: bool,
    /// HCR_EL2; zero without EL2.
    hcr: u64,
    /// Whether EL0 and EL1 can be in AArch32. (SCR_EL3.RW keeps EL2 in AArch64.)
    aarch32: [bool; 2],
}

/// Returns whether an ERET of EL3 to this state of the normal world is legal (DDI0487, "Illegal exception returns from
/// AArch64 state").
fn is_legal(spsr: u64, levels: Levels) -> bool {
    const TGE: u64 = 1 << 27;
    const RW: u64 = 1 << 31;
    const E2H: u64 = 1 << 34;
    let Levels { el2, hcr, aarch32 } = levels;
    let el1 = !(el2 && hcr & TGE != 0);
    // With E2H and TGE set, RW counts as set.
    let aarch32_el1 = el2 && aarch32[1] && hcr & RW == 0 && hcr & (E2H | TGE) != E2H | TGE;
    match (spsr & AARCH32 != 0, spsr & 0xf) {
        // EL0t; EL1t, EL1h; EL2t, EL2h.
        (false, 0) => !aarch32_el1,
        (false, 4 | 5) => el1 && !aarch32_el1,
        (false, 8 | 9) => el2,
        // User; FIQ, IRQ, Supervisor, Abort, Undefined, System.
        (true, 0) => aarch32[0],
        (true, 1 | 2 | 3 | 7 | 0xb | 0xf) => el1 && aarch32_el1,
        _ => false,
    }
}

/// Reads what [`is_legal`] needs.
fn levels(features: Features) -> Levels {
    let el2 = features.has(Feature::EL2);
    let pfr0 = ID_AA64PFR0_EL1::read();
    Levels {
        el2,
        hcr: read_hcr(features),
        aarch32: [field(pfr0, 0) == 2, field(pfr0, 4) == 2],
    }
}

/// Reads HCR_EL2; zero without EL2.
fn read_hcr(features: Features) -> u64 {
    if features.has(Feature::EL2) {
        HCR_EL2::read()
    } else {
        0
    }
}

/// Returns the highest exception level of the normal world, 1 or 2.
pub fn highest_level(features: Features) -> u8 {
    if features.has(Feature::EL2) { 2 } else { 1 }
}

/// Makes the normal world go on at `pc` in the state `spsr`. If it cannot be in that state, does nothing and returns
/// None.
pub fn go_on_at(features: Features, pc: u64, spsr: u64) -> Option<()> {
    is_legal(spsr, levels(features)).then(|| {
        // SAFETY: an ERET to this state is legal.
        unsafe { cpu::set_return_state(pc, spsr) }
    })
}

/// Makes the normal world go on at `pc` at its highest level, as after an exception. ELR and SPSR of that level only
/// change if it is `linked`. Returns where it would have gone on.
pub fn take_exception(features: Features, pc: u64, linked: bool) -> (u64, u64) {
    let (elr, spsr) = cpu::return_state();
    let target = highest_level(features);
    match (linked, target) {
        (false, _) => {}
        (true, 2) => {
            ELR_EL2::write(elr);
            SPSR_EL2::write(spsr);
        }
        (true, _) => {
            ELR_EL1::write(elr);
            SPSR_EL1::write(spsr);
        }
    }
    let controls = Controls::read(features, target, read_hcr(features));
    let pstate = new_pstate(features, spsr, target, controls);
    // SAFETY: EL2, or EL1 where there is no EL2, is always there, in AArch64, with its own stack pointer.
    unsafe { cpu::set_return_state(pc, pstate) };
    (elr, spsr)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TGE: u64 = 1 << 27;
    const RW: u64 = 1 << 31;
    const E2H: u64 = 1 << 34;

    /// The exception levels and states that exist, one row for each value of the controls, written from the
    /// architecture's text. The columns: AArch64 EL0t, EL1t and EL1h, EL2t and EL2h; AArch32 User, the modes of EL1.
    #[test]
    fn the_states_that_exist() {
        let both = [true; 2];
        let user = [true, false];
        let none = [false; 2];
        #[rustfmt::skip]
        let rows: [(bool, u64, [bool; 2], [bool; 5]); 12] = [
            // No EL2: SCR_EL3.RW says that EL1 is AArch64.
            (false, 0, none, [true, true, false, false, false]),
            (false, 0, both, [true, true, false, true, false]),
            // A CPU without AArch32, where RW is RES1, whatever is read.
            (true, RW, none, [true, true, true, false, false]),
            (true, 0, none, [true, true, true, false, false]),
            // AArch32 at EL0 only.
            (true, RW, user, [true, true, true, true, false]),
            (true, 0, user, [true, true, true, true, false]),
            // AArch32 at EL1, too.
            (true, RW, both, [true, true, true, true, false]),
            (true, 0, both, [false, false, true, true, true]),
            // EL1 does not exist while EL2 hosts EL0.
            (true, RW | TGE, both, [true, false, true, true, false]),
            (true, RW | E2H | TGE, both, [true, false, true, true, false]),
            (true, E2H | TGE, both, [true, false, true, true, false]),
            (true, TGE, both, [false, false, true, true, false]),
        ];
        for (el2, hcr, aarch32, want) in rows {
            let levels = Levels { el2, hcr, aarch32 };
            for mode in 0..32 {
                let column = match mode {
                    0 => Some(0),
                    4 | 5 => Some(1),
                    8 | 9 => Some(2),
                    0x10 => Some(3),
                    0x11 | 0x12 | 0x13 | 0x17 | 0x1b | 0x1f => Some(4),
                    // EL3, Monitor, Hyp, and what is no mode.
                    _ => None,
                };
                let want = column.is_some_and(|column| want[column]);
                for others in [0, 0xf << 6, 0xffff_ffe0] {
                    assert_eq!(
                        is_legal(mode | others, levels),
                        want,
                        "{mode:#x}, {levels:x?}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_exception_goes_to_the_highest_level_and_says_from_where() {
        for (features, spsr, want) in [
            (Features::of(&[Feature::EL2]), 0x6000_0005, 0x6000_03c9),
            (Features::of(&[Feature::EL2]), 0x6000_0000, 0x6000_03c9),
            (Features::NONE, 0x6000_0000, 0x6000_03c5),
        ] {
            crate::hw::machine().return_state = (0x1000, spsr);
            assert_eq!(take_exception(features, 0xffff_8000, true), (0x1000, spsr));
            assert_eq!(cpu::return_state(), (0xffff_8000, want));
            assert_eq!(go_on_at(features, 2, 0x3cd), None, "EL3");
            assert_eq!(cpu::return_state(), (0xffff_8000, want));
            assert_eq!(go_on_at(features, 0x1002, spsr), Some(()));
            assert_eq!(cpu::return_state(), (0x1002, spsr));
        }
    }
}
