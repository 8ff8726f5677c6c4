//! What a CPU model needs when it comes on and before it loses its power: by MIDR_EL1, at BL31's entries, before its
//! caches are cleaned and before the platform's `power_down`.
//!
//! All of it runs bare: MMU and data cache off. The facts are those of the cores' technical reference manuals, in
//! their order: Cortex-A35 (100236), A53 (DDI 0500), A57 (DDI 0488), A72 (100095), A73 (100048), and the newer ones,
//! sections on powering down a core.

use crate::context::sysreg::{MIDR_EL1, dsb, isb, sysregs};
use crate::cpu_model;
use crate::speculation::CPUACTLR_A57;
use janus_plat::{Plat, Platform};

sysregs! {
    // CPUECTLR_EL1 of the cores that have SMPEN.
    CPUECTLR_EL1 = "S3_1_C15_C2_1": read unsafe write;
    // CPUPWRCTLR_EL1 of the cores with a DynamIQ Shared Unit.
    CPUPWRCTLR_EL1 = "S3_0_C15_C2_7": read unsafe write;
    // The double lock: whether an external debugger is kept out.
    OSDLR_EL1 = "OSDLR_EL1": read write;
}

/// CPUECTLR_EL1.SMPEN: the core takes part in coherency. Set before the MMU is on, clear before power is lost.
const SMPEN: u64 = 1 << 6;
/// CPUECTLR_EL1 of A57 and A72: how far they fetch into the L2 cache in advance; all ones after a reset.
const L2_PREFETCH: u64 = 0b11 << 35 | 0b11 << 32;
/// CPUECTLR_EL1 of A57 and A72: a table walk fetches nothing in advance.
const NO_WALK_PREFETCH: u64 = 1 << 38;
/// CPUACTLR_EL1 of A72: loads and stores fetch nothing in advance.
const NO_LOAD_PREFETCH: u64 = 1 << 56;
/// CPUPWRCTLR_EL1.CORE_PWRDN_EN: the next WFI asks for the core's power to be taken. The unit sees to the caches.
const CORE_PWRDN_EN: u64 = 1 << 0;

/// What a model needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// SMPEN is software's.
    Smpen,
    /// SMPEN, and what it fetches into the L2 cache is to be stopped before the caches are cleaned.
    L2Prefetch,
    /// SMPEN, and what it fetches into the L2 cache and its own is to be stopped before they are cleaned.
    LoadPrefetch,
    /// WFI has to be told to ask for power-down.
    PowerDownEnable,
    /// Nothing that is known here.
    Nothing,
}

impl Needs {
    /// What this core needs.
    fn here() -> Self {
        needs(MIDR_EL1::read())
    }

    /// CPUECTLR_EL1 of a core that comes: its part in coherency, and what [`Needs::quiet`] took from it.
    fn joined(self, cpuectlr: u64) -> u64 {
        if cpuectlr & NO_WALK_PREFETCH != 0 && self.prefetches() {
            (cpuectlr & !NO_WALK_PREFETCH) | L2_PREFETCH | SMPEN
        } else {
            cpuectlr | SMPEN
        }
    }

    /// CPUECTLR_EL1 of a core that fetches nothing in advance.
    fn quiet(cpuectlr: u64) -> u64 {
        (cpuectlr & !L2_PREFETCH) | NO_WALK_PREFETCH
    }

    fn prefetches(self) -> bool {
        matches!(self, Needs::L2Prefetch | Needs::LoadPrefetch)
    }

    fn has_smpen(self) -> bool {
        matches!(self, Needs::Smpen) || self.prefetches()
    }
}

/// The models, by MIDR_EL1's part number; all are Arm's.
const MODELS: &[(u16, Needs)] = &[
    (0xd04, Needs::Smpen),           // Cortex-A35
    (0xd03, Needs::Smpen),           // Cortex-A53
    (0xd07, Needs::L2Prefetch),      // Cortex-A57
    (0xd08, Needs::LoadPrefetch),    // Cortex-A72
    (0xd09, Needs::Smpen),           // Cortex-A73
    (0xd05, Needs::PowerDownEnable), // Cortex-A55
    (0xd0a, Needs::PowerDownEnable), // Cortex-A75
    (0xd0b, Needs::PowerDownEnable), // Cortex-A76
    (0xd0c, Needs::PowerDownEnable), // Neoverse N1
    (0xd0d, Needs::PowerDownEnable), // Cortex-A77
    (0xd40, Needs::PowerDownEnable), // Neoverse V1
    (0xd41, Needs::PowerDownEnable), // Cortex-A78
    (0xd44, Needs::PowerDownEnable), // Cortex-X1
    (0xd46, Needs::PowerDownEnable), // Cortex-A510
    (0xd47, Needs::PowerDownEnable), // Cortex-A710
    (0xd48, Needs::PowerDownEnable), // Cortex-X2
    (0xd49, Needs::PowerDownEnable), // Neoverse N2
    (0xd4f, Needs::PowerDownEnable), // Neoverse V2
];

/// What the model with this MIDR_EL1 needs.
fn needs(midr: u64) -> Needs {
    cpu_model::find(MODELS, midr).unwrap_or(Needs::Nothing)
}

/// Prepares this core, which comes on or back, or whose power-down did not happen.
pub fn reset() {
    let needs = Needs::here();
    if needs.has_smpen() {
        // SAFETY: what these models want before their MMU is on.
        unsafe { CPUECTLR_EL1::write(needs.joined(CPUECTLR_EL1::read())) };
        // Only for a power-down that did not happen: a reset clears both.
        if Plat::POWER.ever_lost() && needs.prefetches() {
            if needs == Needs::LoadPrefetch {
                // SAFETY: changes no instruction's result. Platforms set what is theirs in their `reset`, later.
                unsafe { CPUACTLR_A57::write(CPUACTLR_A57::read() & !NO_LOAD_PREFETCH) };
            }
            OSDLR_EL1::write(0);
        }
    } else if needs == Needs::PowerDownEnable {
        // SAFETY: WFI is a standby again, as at reset.
        unsafe { CPUPWRCTLR_EL1::write(CPUPWRCTLR_EL1::read() & !CORE_PWRDN_EN) };
    } else {
        return;
    }
    isb();
}

/// Stops what would bring lines into caches that are about to be cleaned. The data cache is off.
pub fn stop_prefetch() {
    let needs = Needs::here();
    if !needs.prefetches() {
        return;
    }
    // SAFETY: changes no instruction's result.
    unsafe { CPUECTLR_EL1::write(Needs::quiet(CPUECTLR_EL1::read())) };
    if needs == Needs::LoadPrefetch {
        // SAFETY: as above.
        unsafe { CPUACTLR_A57::write(CPUACTLR_A57::read() | NO_LOAD_PREFETCH) };
    }
    isb();
    // What is on its way has come.
    dsb();
}

/// Prepares this core for the loss of its power. Its caches are clean and off.
pub fn power_down() {
    let needs = Needs::here();
    if needs.has_smpen() {
        // SAFETY: nothing is in its caches that another core could miss, and it does not use them any more.
        unsafe { CPUECTLR_EL1::write(CPUECTLR_EL1::read() & !SMPEN) };
        isb();
        // What other cores asked of its caches and TLBs before it left is done.
        dsb();
        if needs.prefetches() {
            OSDLR_EL1::write(1);
        }
    } else if needs == Needs::PowerDownEnable {
        // SAFETY: the core has saved what it needs; the next WFI may take its power.
        unsafe { CPUPWRCTLR_EL1::write(CPUPWRCTLR_EL1::read() | CORE_PWRDN_EN) };
    } else {
        return;
    }
    isb();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_implementer_and_part() {
        for (midr, what) in [
            (0x410f_d034, Needs::Smpen),           // Cortex-A53 r0p4
            (0x410f_d083, Needs::LoadPrefetch),    // Cortex-A72 r0p3
            (0x411f_d070, Needs::L2Prefetch),      // Cortex-A57 r1p0
            (0x414f_d0c1, Needs::PowerDownEnable), // Neoverse N1 r4p1
            (0x410f_d490, Needs::PowerDownEnable), // Neoverse N2
            (0x000f_0510, Needs::Nothing),         // QEMU's max
            (0x420f_d083, Needs::Nothing),         // another implementer's
        ] {
            assert_eq!(needs(midr), what, "{midr:#x}");
        }
    }

    #[test]
    fn each_model_has_one_line() {
        for (n, (part, _)) in MODELS.iter().enumerate() {
            assert!(
                MODELS[..n].iter().all(|(other, _)| other != part),
                "{part:#x}"
            );
        }
    }

    #[test]
    fn who_kept_its_power_prefetches_again() {
        let reset = L2_PREFETCH;
        for needs in [Needs::L2Prefetch, Needs::LoadPrefetch] {
            assert_eq!(needs.joined(reset), reset | SMPEN);
            let left = Needs::quiet(reset | SMPEN) & !SMPEN;
            assert_eq!(left, NO_WALK_PREFETCH);
            assert_eq!(needs.joined(left), reset | SMPEN);
            // Distances that boot firmware has chosen stay.
            assert_eq!(needs.joined(1 << 35), 1 << 35 | SMPEN);
        }
        // Bits of the same place in other models are not touched.
        assert_eq!(Needs::Smpen.joined(1 << 38), 1 << 38 | SMPEN);
    }
}
