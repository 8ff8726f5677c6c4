//! SMCCC_ARCH_WORKAROUND_1 to 4 (DEN0028, section 7): whether this CPU needs them.
//!
//! A CPU does not need a workaround if its ID registers say so, or if it is an Arm core that Arm's security
//! bulletins do not list. The call helps only if Janus has the mitigation. Every other answer is
//! NOT_SUPPORTED, which callers take as "vulnerable". So no vulnerable CPU is called safe.

use crate::speculation::{Cpu, Entry};

/// SMCCC_ARCH_WORKAROUND_1: CVE-2017-5715, branch target injection.
pub const WORKAROUND_1: u32 = 0x8000_8000;
/// SMCCC_ARCH_WORKAROUND_2: CVE-2018-3639, speculative store bypass.
pub const WORKAROUND_2: u32 = 0x8000_7fff;
/// SMCCC_ARCH_WORKAROUND_3: CVE-2022-23960, branch history injection. It includes SMCCC_ARCH_WORKAROUND_1.
pub const WORKAROUND_3: u32 = 0x8000_3fff;
/// SMCCC_ARCH_WORKAROUND_4: CVE-2024-7881, undocumented prefetcher. Janus has no mitigation for it, so it is never
/// supported.
pub const WORKAROUND_4: u32 = 0x8000_0004;

/// The call helps on this CPU.
const HELPS: i32 = 0;
/// The CPU does not need it.
const NOT_NEEDED: i32 = 1;
const NOT_SUPPORTED: i32 = -1;

const CORTEX_A73: u16 = 0xd09;
const CORTEX_A75: u16 = 0xd0a;

/// Returns the answer of SMCCC_ARCH_FEATURES for a workaround, or None if `function` is not a workaround.
pub fn features(function: u32, cpu: &Cpu) -> Option<i32> {
    Some(match function {
        WORKAROUND_1 => branch_target_injection(cpu),
        WORKAROUND_2 => store_bypass(cpu),
        WORKAROUND_3 => branch_history_injection(cpu),
        WORKAROUND_4 => NOT_SUPPORTED,
        _ => return None,
    })
}

fn branch_target_injection(cpu: &Cpu) -> i32 {
    match cpu.arm_part() {
        // Branch targets of one context do not affect another one.
        _ if cpu.csv2() != 0 => NOT_NEEDED,
        _ if matches!(cpu.entry(), Entry::Mmu | Entry::Aarch32) => HELPS,
        Some(CORTEX_A73 | CORTEX_A75) | None => NOT_SUPPORTED,
        Some(_) => NOT_NEEDED,
    }
}

fn store_bypass(cpu: &Cpu) -> i32 {
    // With PSTATE.SSBS, software forbids it itself. On vulnerable Arm cores without that, EL3 has forbidden it for
    // good.
    if cpu.ssbs() || cpu.arm_part().is_some() {
        NOT_NEEDED
    } else {
        NOT_SUPPORTED
    }
}

fn branch_history_injection(cpu: &Cpu) -> i32 {
    // With FEAT_CLRBHB, software uses that instruction instead of the call.
    if cpu.keeps_history_apart() || cpu.clears_history() {
        return NOT_NEEDED;
    }
    match cpu.entry() {
        Entry::Plain if matches!(cpu.arm_part(), Some(CORTEX_A73 | CORTEX_A75)) => NOT_SUPPORTED,
        Entry::Plain => branch_target_injection(cpu),
        Entry::Mmu | Entry::Aarch32 | Entry::Branches(_) => HELPS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORTEX_A57: u16 = 0xd07;
    const CORTEX_A72: u16 = 0xd08;
    const CORTEX_A76: u16 = 0xd0b;

    fn arm(part: u16) -> Cpu {
        Cpu {
            midr: 0x410f_0000 | u64::from(part) << 4 | 1,
            // AArch32 at EL1.
            pfr0: 2 << 4,
            ..Cpu::default()
        }
    }

    fn all(cpu: &Cpu) -> [i32; 4] {
        [WORKAROUND_1, WORKAROUND_2, WORKAROUND_3, WORKAROUND_4]
            .map(|function| features(function, cpu).unwrap())
    }

    #[test]
    fn by_core() {
        assert_eq!(
            all(&arm(0xd03)),
            [1, 1, 1, -1],
            "Cortex-A53 does not speculate"
        );
        assert_eq!(all(&arm(CORTEX_A57)), [0, 1, 0, -1]);
        assert_eq!(all(&arm(CORTEX_A72)), [0, 1, 0, -1]);
        assert_eq!(all(&arm(CORTEX_A73)), [0, 1, 0, -1]);
        assert_eq!(all(&arm(CORTEX_A75)), [0, 1, 0, -1]);
        let later = Cpu {
            pfr0: 1 << 56 | 2 << 4,
            ..arm(CORTEX_A75)
        };
        assert_eq!(all(&later), [1, 1, 0, -1]);
        let without_aarch32 = Cpu {
            pfr0: 0x11,
            ..arm(CORTEX_A75)
        };
        assert_eq!(all(&without_aarch32), [-1, 1, -1, -1]);
        assert_eq!(all(&arm(CORTEX_A76)), [1, 1, 0, -1]);
        assert_eq!(all(&arm(0xd0c)), [1, 1, 0, -1], "Neoverse N1");
    }

    #[test]
    fn a_core_of_somebody_else_is_not_called_safe() {
        let other = Cpu {
            midr: 0x610f_d080,
            ..Cpu::default()
        };
        assert_eq!(all(&other), [-1; 4]);
    }

    #[test]
    fn id_registers_overrule_the_core() {
        let csv2 = |value: u64| value << 56;
        assert_eq!(
            all(&Cpu {
                pfr0: csv2(1),
                ..arm(CORTEX_A72)
            })[0],
            1
        );
        assert_eq!(
            all(&Cpu {
                pfr0: csv2(1),
                midr: 0x000f_0510,
                ..Cpu::default()
            }),
            [1, -1, 1, -1]
        );
        // -cpu max
        let max = Cpu {
            midr: 0x000f_0510,
            pfr0: csv2(3),
            pfr1: 2 << 4,
            ..Cpu::default()
        };
        assert_eq!(all(&max), [1, 1, 1, -1]);
        assert_eq!(
            all(&Cpu {
                mmfr1: 1 << 60,
                ..arm(CORTEX_A76)
            })[2],
            1
        );
        assert_eq!(
            all(&Cpu {
                isar2: 1 << 28,
                ..arm(CORTEX_A76)
            })[2],
            1
        );
        assert_eq!(
            all(&Cpu {
                pfr1: 1 << 4,
                ..arm(CORTEX_A76)
            })[1],
            1
        );
    }

    #[test]
    fn other_functions_are_none() {
        assert_eq!(features(0x8000_0001, &arm(CORTEX_A72)), None);
        assert_eq!(features(0x8000_8001, &arm(CORTEX_A72)), None);
    }
}
