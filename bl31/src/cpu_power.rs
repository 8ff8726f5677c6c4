//! What a CPU model needs when it comes on and before it loses its power: by MIDR_EL1, at BL31's entries and before
//! the platform's `power_down`.
//!
//! Both run bare: MMU and data cache off. The facts are those of the cores' technical reference manuals.

use crate::context::sysreg::{MIDR_EL1, isb, sysregs};

sysregs! {
    // CPUECTLR_EL1 of the cores that have SMPEN.
    CPUECTLR_EL1 = "S3_1_C15_C2_1": read unsafe write;
    // CPUPWRCTLR_EL1 of the cores with a DynamIQ Shared Unit.
    CPUPWRCTLR_EL1 = "S3_0_C15_C2_7": read unsafe write;
}

/// CPUECTLR_EL1.SMPEN: the core takes part in coherency. Set before the MMU is on, clear before power is lost.
const SMPEN: u64 = 1 << 6;
/// CPUPWRCTLR_EL1.CORE_PWRDN_EN: the next WFI asks for the core's power to be taken. The unit sees to the caches.
const CORE_PWRDN_EN: u64 = 1 << 0;

/// What a model needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// SMPEN is software's.
    Smpen,
    /// WFI has to be told to ask for power-down.
    PowerDownEnable,
    /// Nothing that is known here.
    Nothing,
}

/// The models, by MIDR_EL1's part number; all are Arm's.
const MODELS: &[(u16, Needs)] = &[
    (0xd04, Needs::Smpen),           // Cortex-A35
    (0xd03, Needs::Smpen),           // Cortex-A53
    (0xd07, Needs::Smpen),           // Cortex-A57
    (0xd08, Needs::Smpen),           // Cortex-A72
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
    const ARM: u64 = 0x41;
    if midr >> 24 & 0xff != ARM {
        return Needs::Nothing;
    }
    let part = (midr >> 4 & 0xfff) as u16;
    let model = MODELS.iter().find(|(of, _)| *of == part);
    model.map_or(Needs::Nothing, |(_, needs)| *needs)
}

/// Prepares this core, which comes on or back, or whose power-down did not happen.
pub fn reset() {
    match needs(MIDR_EL1::read()) {
        // SAFETY: what these models want before their MMU is on.
        Needs::Smpen => unsafe { CPUECTLR_EL1::write(CPUECTLR_EL1::read() | SMPEN) },
        // SAFETY: WFI is a standby again, as at reset.
        Needs::PowerDownEnable => unsafe {
            CPUPWRCTLR_EL1::write(CPUPWRCTLR_EL1::read() & !CORE_PWRDN_EN)
        },
        Needs::Nothing => return,
    }
    isb();
}

/// Prepares this core for the loss of its power. Its caches are clean and off.
pub fn power_down() {
    match needs(MIDR_EL1::read()) {
        // SAFETY: nothing is in its caches that another core could miss, and it does not use them any more.
        Needs::Smpen => unsafe { CPUECTLR_EL1::write(CPUECTLR_EL1::read() & !SMPEN) },
        // SAFETY: the core has saved what it needs; the next WFI may take its power.
        Needs::PowerDownEnable => unsafe {
            CPUPWRCTLR_EL1::write(CPUPWRCTLR_EL1::read() | CORE_PWRDN_EN)
        },
        Needs::Nothing => return,
    }
    isb();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_implementer_and_part() {
        for (midr, what) in [
            (0x410f_d083, Needs::Smpen),           // Cortex-A72 r0p3
            (0x411f_d070, Needs::Smpen),           // Cortex-A57 r1p0
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
}
