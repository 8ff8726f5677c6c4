//! What EL3 opens to which world: the architecture's base, and the controls in each extension's file in
//! [`crate::cpu_ext`].
//!
//! SMCCC_ARCH_FEATURE_AVAILABILITY is answered from these controls ([`available`]). So it reports what is open, and
//! nothing else.

use super::el3::{Control, El3Regs, Register, cptr, mdcr, scr};
use super::{Feature, Features, World};
use crate::cpu_ext;

/// Controls of what every CPU has and EL3 traps from no world: FP (CPTR_EL3.TFP, except before the first use),
/// CPACR_EL1 and CPTR_EL2 (TCPAC), the debug registers (MDCR_EL3.TDA) and those of the OS lock (TDOSA).
const BASE: &[Control] = &[
    Control::trap(Register::Cptr, cptr::TFP),
    Control::trap(Register::Cptr, 1 << 31),
    Control::trap(Register::Mdcr, 1 << 9),
    Control::trap(Register::Mdcr, 1 << 10),
];

/// Returns the bits of `register` by which SMCCC_ARCH_FEATURE_AVAILABILITY reports what `world` may use. `sel2` says
/// whether the SPMC runs at S-EL2.
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

/// Returns the registers with which `world` starts on a CPU with these features. `sel2` says whether the SPMC runs at
/// S-EL2.
pub fn start(features: Features, sel2: bool, world: World) -> El3Regs {
    let mut el3 = cpu_ext::TRAPS;
    el3.scr_el3 |= scr::RES1 | scr::SIF | scr::RW;
    el3.mdcr_el3 |= mdcr::SDD | mdcr::SPD32_DISABLED;
    if sel2 {
        el3.scr_el3 |= scr::EEL2;
    }
    match world {
        // While the normal world runs, Group 0 and Secure Group 1 interrupts are FIQs and come to EL3.
        // Those of Non-secure Group 1 are IRQs and stay in the normal world.
        World::Normal => el3.scr_el3 |= scr::NS | scr::FIQ,
        // While the secure world runs, all interrupts stay there: Secure Group 1 as IRQ, the others as FIQ.
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
