//! Steps that a CPU model needs when it comes on and before it loses its power. The model is read from MIDR_EL1.
//! [`reset`] runs at each entry of BL31, [`stop_prefetch`] before the caches are cleaned, [`power_down`] before the
//! platform's `power_down`.
//!
//! All of it runs with MMU and data cache off. The steps and their order are those of the technical reference manuals,
//! in the sections on powering down a core: Cortex-A35 (100236), A53 (DDI 0500), A57 (DDI 0488), A72 (100095), A73
//! (100048), and those of the newer cores.

use janus_arm::cpu_model;
use janus_context::sysreg::{
    CPUACTLR_A57, CPUECTLR_EL1, CPUPWRCTLR_EL1, MIDR_EL1, OSDLR_EL1, dsb, isb,
};
use janus_plat::{Plat, Platform};

/// CPUECTLR_EL1.SMPEN: the core takes part in coherency. Set before the MMU is on, clear before power is lost.
const SMPEN: u64 = 1 << 6;
/// CPUECTLR_EL1 of A57 and A72: the distances of the prefetch into the L2 cache; all ones after a reset.
const L2_PREFETCH: u64 = 0b11 << 35 | 0b11 << 32;
/// CPUECTLR_EL1 of A57 and A72: turns the prefetch by table walks off.
const NO_WALK_PREFETCH: u64 = 1 << 38;
/// CPUACTLR_EL1 of A72: turns the prefetch by loads and stores off.
const NO_LOAD_PREFETCH: u64 = 1 << 56;
/// CPUPWRCTLR_EL1.CORE_PWRDN_EN: the next WFI asks for a power-down. The DynamIQ Shared Unit cleans the caches.
const CORE_PWRDN_EN: u64 = 1 << 0;

/// The steps that a model needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Software sets and clears SMPEN.
    Smpen,
    /// As [`Needs::Smpen`]; and the L2 prefetch is turned off before the caches are cleaned.
    L2Prefetch,
    /// As [`Needs::L2Prefetch`]; and the prefetch of loads and stores is turned off, too.
    LoadPrefetch,
    /// Software sets CORE_PWRDN_EN, so that WFI asks for a power-down.
    PowerDownEnable,
    /// No steps are known.
    Nothing,
}

impl Needs {
    /// Returns what this core needs.
    fn here() -> Self {
        needs(MIDR_EL1::read())
    }

    /// Returns CPUECTLR_EL1 for a core that comes on: with SMPEN, and with the prefetch that [`Needs::quiet`] turned
    /// off.
    fn joined(self, cpuectlr: u64) -> u64 {
        if cpuectlr & NO_WALK_PREFETCH != 0 && self.prefetches() {
            (cpuectlr & !NO_WALK_PREFETCH) | L2_PREFETCH | SMPEN
        } else {
            cpuectlr | SMPEN
        }
    }

    /// Returns CPUECTLR_EL1 with the prefetch turned off.
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

/// Arm's models, by MIDR_EL1.PartNum.
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

/// Returns what the model with this MIDR_EL1 needs.
fn needs(midr: u64) -> Needs {
    cpu_model::find(MODELS, midr).unwrap_or(Needs::Nothing)
}

/// Prepares this core when it comes on, wakes up, or its power-down did not happen.
pub fn reset() {
    let needs = Needs::here();
    if needs.has_smpen() {
        // SAFETY: the MMU is off, and these models want SMPEN set before it is turned on.
        unsafe { CPUECTLR_EL1::write(needs.joined(CPUECTLR_EL1::read())) };
        // For a power-down that did not happen. A reset clears both.
        if Plat::POWER.ever_lost() && needs.prefetches() {
            if needs == Needs::LoadPrefetch {
                // SAFETY: the bit changes no instruction's result. A platform that wants it set does so in its
                // `reset`, which runs later.
                unsafe { CPUACTLR_A57::write(CPUACTLR_A57::read() & !NO_LOAD_PREFETCH) };
            }
            OSDLR_EL1::write(0);
        }
    } else if needs == Needs::PowerDownEnable {
        // SAFETY: this makes WFI a standby again, as after a reset.
        unsafe { CPUPWRCTLR_EL1::write(CPUPWRCTLR_EL1::read() & !CORE_PWRDN_EN) };
    } else {
        return;
    }
    isb();
}

/// Turns the prefetch off, which would bring lines into caches that are about to be cleaned. The data cache is off.
pub fn stop_prefetch() {
    let needs = Needs::here();
    if !needs.prefetches() {
        return;
    }
    // SAFETY: the bits change no instruction's result.
    unsafe { CPUECTLR_EL1::write(Needs::quiet(CPUECTLR_EL1::read())) };
    if needs == Needs::LoadPrefetch {
        // SAFETY: as above.
        unsafe { CPUACTLR_A57::write(CPUACTLR_A57::read() | NO_LOAD_PREFETCH) };
    }
    isb();
    // Wait for prefetches that are on their way.
    dsb();
}

/// Prepares this core for the loss of its power. Its caches are clean and off.
pub fn power_down() {
    let needs = Needs::here();
    if needs.has_smpen() {
        // SAFETY: the caches are clean, and this core does not use them any more.
        unsafe { CPUECTLR_EL1::write(CPUECTLR_EL1::read() & !SMPEN) };
        isb();
        // Wait until this core has done the cache and TLB maintenance that other cores asked for before it left.
        dsb();
        if needs.prefetches() {
            OSDLR_EL1::write(1);
        }
    } else if needs == Needs::PowerDownEnable {
        // SAFETY: the core has saved what it needs, so that the next WFI may take its power.
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
        // These bits have another meaning in other models, and are not touched there.
        assert_eq!(Needs::Smpen.joined(1 << 38), 1 << 38 | SMPEN);
    }
}
