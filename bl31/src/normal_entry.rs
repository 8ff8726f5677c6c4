//! Where and how the normal world starts on a core: its entry point, the check of it, the set-up.

use crate::boot_params::EntryPoint;
use crate::context::Features;
use crate::core_data::CoreData;
use crate::hw::cpu;
use crate::messages::warning;
use janus_plat::{Plat, Platform};

/// SPSR_EL3 for an entry at EL2 with its own stack pointer and everything masked.
pub const SPSR_EL2H: u64 = 0x3c9;
/// The same at EL1.
pub const SPSR_EL1H: u64 = 0x3c5;

/// An entry into the normal world as PSCI has it: at its highest EL, everything masked, x0 the
/// caller's context ID.
pub fn normal_entry(pc: u64, context_id: u64) -> EntryPoint {
    let mut entry = EntryPoint {
        pc,
        spsr: if cpu::has_el2() { SPSR_EL2H } else { SPSR_EL1H } as u32,
        ..EntryPoint::default()
    };
    entry.args[0] = context_id;
    entry
}

/// Whether an entry point of BL2's can be ERETed to: an instruction in the normal world's memory, at
/// EL1 or EL2 in AArch64, or in AArch32.
pub fn fits_normal_world(entry: &EntryPoint) -> bool {
    const AARCH32: u32 = 1 << 4;
    let el = entry.spsr >> 2 & 3;
    let mode_fits = entry.spsr & AARCH32 != 0 || el == 1 || el == 2;
    mode_fits && Plat::NORMAL_RAM.iter().any(|ram| ram.contains(&entry.pc))
}

/// Sets this core up for an entry into the normal world at `entry`, with nothing left from before, and
/// opens for both worlds what EL3 opens. The normal world becomes current; its registers must not be
/// needed any more, the secure world's be parked, if they are.
pub fn set_up(core: &mut CoreData, entry: &EntryPoint) {
    let policy = &core.system.policy;
    let (normal, secure) = (&mut core.normal, &mut core.secure);
    let lacks = policy.init_el3(
        &mut core.live,
        &mut normal.el3,
        &mut secure.el3,
        &mut core.parked,
    );
    if lacks != Features::NONE {
        warning!(
            "core {}: it does without {lacks}, which the boot core has",
            core.index
        );
    }
    let context = normal;
    context.gpr = [0; 31];
    context.gpr[..8].copy_from_slice(&entry.args);
    context.elr_el3 = entry.pc;
    context.spsr_el3 = u64::from(entry.spsr);
    core.begin_normal();
}
