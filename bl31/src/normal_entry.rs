//! The start of the normal world on a core: its entry point, the check of it, and the set-up.

use crate::boot_params::EntryPoint;
use crate::core_data::CoreData;
use crate::hw::cpu;
use crate::messages::warning;
use crate::system::System;
use janus_context::Features;
use janus_context::spsr::{self, Unfit};
use janus_plat::{Plat, Platform};

/// Makes PSCI's entry point into the normal world: at the exception level at which BL33 was entered, with all
/// interrupts masked and the caller's context ID in x0.
///
/// The level is not that of the caller: a kernel that dropped from EL2 to EL1 calls from EL1, but expects
/// the other cores at EL2.
pub fn normal_entry(system: &System, pc: u64, context_id: u64) -> EntryPoint {
    let mut entry = EntryPoint {
        pc,
        spsr: spsr::entry(system.normal_el2) as u32,
        ..EntryPoint::default()
    };
    entry.args[0] = context_id;
    entry
}

/// Checks that EL3 can return to BL2's entry point of BL33.
///
/// # Errors
/// What is wrong with it.
pub fn check(entry: &EntryPoint) -> Result<(), Unfit> {
    spsr::check(
        entry.pc,
        entry.spsr.into(),
        cpu::has_el2(),
        Plat::NORMAL_RAM,
    )
}

/// Sets this core up for an entry into the normal world at `entry`: nothing of an earlier run is left, and EL3's
/// controls open to both worlds what EL3 opens. The normal world becomes current. Its registers are lost; those of
/// the secure world must be parked if they are still needed.
pub fn set_up(core: &mut CoreData, entry: &EntryPoint) {
    let system = core.system;
    let (normal, secure) = (&mut core.normal, &mut core.secure);
    let lacks = system.policy.init_el3(
        Some(&system.boot_core),
        &mut core.live,
        &mut normal.el3,
        &mut secure.el3,
        &mut core.parked,
        starts_at_el1(entry),
    );
    if lacks != Features::NONE {
        warning!(
            of: core.index, "it does without {lacks} (not there, or no room for its vectors)",
        );
    }
    begin(core, entry);
}

/// Sets this core up for an entry into the normal world at `entry` after a power-down state: nothing is left of the
/// normal world, and nothing of the secure world is lost. The normal world is current before and after.
pub fn come_back(core: &mut CoreData, entry: &EntryPoint) {
    let system = core.system;
    let el1 = starts_at_el1(entry);
    system.policy.come_back(
        Some(&system.boot_core),
        &mut core.live,
        &core.normal.el3,
        el1,
    );
    begin(core, entry);
}

/// Returns whether the normal world starts at EL1. Then no software sets EL2 up, even if the CPU has it.
fn starts_at_el1(entry: &EntryPoint) -> bool {
    spsr::el(u64::from(entry.spsr)) == 1
}

/// Makes the normal world current, at `entry`. Its system registers are in the CPU.
fn begin(core: &mut CoreData, entry: &EntryPoint) {
    let context = &mut core.normal;
    context.gpr = [0; 31];
    context.gpr[..8].copy_from_slice(&entry.args);
    context.elr_el3 = entry.pc;
    context.spsr_el3 = u64::from(entry.spsr);
    context.black_box.starts(entry.pc);
    core.begin_normal();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sgis::Owners;
    use janus_context::{BootCore, Policy};
    use janus_spmd::Spmd;

    /// Cores come on and wake up at the level at which BL33 was entered, with and without EL2.
    #[test]
    fn psci_enters_at_the_level_of_bl33() {
        for (normal_el2, spsr) in [(true, 0x3c9), (false, 0x3c5)] {
            let system = System {
                spmd: Spmd::new(),
                spmc: None,
                sgis: Owners::new(None),
                policy: Policy::NONE,
                boot_core: BootCore::default(),
                bl33: EntryPoint::default(),
                normal_el2,
            };
            let entry = normal_entry(&system, 0x4000_0000, 7);
            assert_eq!(
                (entry.pc, entry.spsr, entry.args[0]),
                (0x4000_0000, spsr, 7)
            );
        }
    }
}
