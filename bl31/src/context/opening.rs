//! What EL3 opens for whom: the architecture's base, and what each extension's file in [`crate::cpu_ext`] says.
//!
//! SMCCC_ARCH_FEATURE_AVAILABILITY tells the same controls ([`available`]), so that it cannot tell of what is
//! closed, nor forget what is open.

use super::el3::{Control, El3Regs, Register, cptr, mdcr, scr};
use super::{Feature, Features, World};
use crate::cpu_ext;

/// What every CPU has and EL3 traps from nobody: FP (CPTR_EL3.TFP, but for first uses), CPACR_EL1 and
/// CPTR_EL2 (TCPAC), the debug registers (MDCR_EL3.TDA) and those of the OS lock (TDOSA).
const BASE: &[Control] = &[
    Control::trap(Register::Cptr, cptr::TFP),
    Control::trap(Register::Cptr, 1 << 31),
    Control::trap(Register::Mdcr, 1 << 9),
    Control::trap(Register::Mdcr, 1 << 10),
];

/// The bits that tell what `world` may use of what `register` controls. `sel2`: the SPMC runs at S-EL2.
pub fn available(register: Register, features: Features, sel2: bool, world: World) -> u64 {
    let present = cpu_ext::CONTROLS
        .iter()
        .filter(|(feature, _)| features.has(*feature));
    BASE.iter()
        .chain(present.map(|(_, control)| control))
        .fold(0, |told, control| {
            told | control.told(register, sel2, world)
        })
}

/// What `world` starts with on a CPU with these features. `sel2`: the SPMC runs at S-EL2.
pub fn start(features: Features, sel2: bool, world: World) -> El3Regs {
    let mut el3 = cpu_ext::TRAPS;
    el3.scr_el3 |= scr::RES1 | scr::SIF | scr::RW;
    el3.mdcr_el3 |= mdcr::SDD | mdcr::SPD32_DISABLED;
    if sel2 {
        el3.scr_el3 |= scr::EEL2;
    }
    match world {
        // Group 0 and secure Group 1 interrupts are FIQs while the normal world runs: EL3's to
        // take. Non-secure Group 1 are IRQs and stay in the normal world.
        World::Normal => el3.scr_el3 |= scr::NS | scr::FIQ,
        // Both stay in the secure world: secure Group 1 as IRQ, everything else as FIQ.
        World::Secure => el3.scr_el3 |= scr::ST,
    }
    if features.has(Feature::EL2) && (sel2 || world == World::Normal) {
        el3.scr_el3 |= scr::HCE;
    }
    for (feature, control) in cpu_ext::CONTROLS {
        if features.has(*feature) {
            control.open(world, &mut el3);
        }
    }
    el3
}
