//! SMCCC_ARCH_WORKAROUND_1 to 4 (DEN0028, section 7): what this CPU needs, and what the call does.
//!
//! A CPU is unaffected if its ID registers say so, or if it is an Arm core that Arm's security
//! bulletins do not list. It is helped only if Janus carries the mitigation out. Everything else is
//! NOT_SUPPORTED, which callers take for "vulnerable": never the other way round.

/// SMCCC_ARCH_WORKAROUND_1: CVE-2017-5715, branch target injection.
pub const WORKAROUND_1: u32 = 0x8000_8000;
/// SMCCC_ARCH_WORKAROUND_2: CVE-2018-3639, speculative store bypass.
pub const WORKAROUND_2: u32 = 0x8000_7fff;
/// SMCCC_ARCH_WORKAROUND_3: CVE-2022-23960, branch history injection. Does what 1 does as well.
pub const WORKAROUND_3: u32 = 0x8000_3fff;
/// SMCCC_ARCH_WORKAROUND_4: CVE-2024-7881, undocumented prefetcher. Janus sets no control bits of
/// particular cores, so it is never supported.
pub const WORKAROUND_4: u32 = 0x8000_0004;

/// The call helps on this CPU.
const HELPS: i32 = 0;
/// The CPU does not need it.
const NOT_NEEDED: i32 = 1;
const NOT_SUPPORTED: i32 = -1;

const CORTEX_A57: u64 = 0xd07;
const CORTEX_A72: u64 = 0xd08;
const CORTEX_A73: u64 = 0xd09;
const CORTEX_A75: u64 = 0xd0a;
const CORTEX_A76: u64 = 0xd0b;

/// Cores that CVE-2022-23960 concerns, besides those of WORKAROUND_1: software at EL1 and EL2 helps
/// itself there, by a loop of branches.
const BRANCH_HISTORY: [u64; 14] = [
    CORTEX_A76, 0xd0c, 0xd0d, 0xd0e, 0xd40, 0xd41, 0xd42, 0xd44, 0xd47, 0xd48, 0xd49, 0xd4b, 0xd4d,
    0xd4e,
];
const NEOVERSE_V2: u64 = 0xd4f;

/// The registers that the answers depend on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// MIDR_EL1.
    pub midr: u64,
    /// ID_AA64PFR0_EL1.
    pub pfr0: u64,
    /// ID_AA64PFR1_EL1.
    pub pfr1: u64,
    /// ID_AA64ISAR2_EL1.
    pub isar2: u64,
    /// ID_AA64MMFR1_EL1.
    pub mmfr1: u64,
}

impl Cpu {
    /// MIDR_EL1.PartNum of an Arm core.
    fn arm_part(&self) -> Option<u64> {
        (self.midr >> 24 & 0xff == 0x41).then_some(self.midr >> 4 & 0xfff)
    }

    /// Whether the branch predictor must be invalidated by the call, and can be: turning the MMU of
    /// EL3 off and on does that on these cores.
    pub fn predictor_needs_call(&self) -> bool {
        self.csv2() == 0 && matches!(self.arm_part(), Some(CORTEX_A57 | CORTEX_A72))
    }

    fn csv2(&self) -> u64 {
        self.pfr0 >> 56 & 0xf
    }
}

/// The answer of SMCCC_ARCH_FEATURES for a workaround, or `None` if `function` is none.
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
    if cpu.predictor_needs_call() {
        return HELPS;
    }
    match cpu.arm_part() {
        // Branch targets of one context do not steer another one's.
        _ if cpu.csv2() != 0 => NOT_NEEDED,
        Some(CORTEX_A73 | CORTEX_A75) | None => NOT_SUPPORTED,
        Some(_) => NOT_NEEDED,
    }
}

fn store_bypass(cpu: &Cpu) -> i32 {
    // PSTATE.SSBS: software switches it itself.
    if cpu.pfr1 >> 4 & 0xf != 0 {
        return NOT_NEEDED;
    }
    match cpu.arm_part() {
        Some(CORTEX_A57 | CORTEX_A72 | CORTEX_A73 | CORTEX_A75 | CORTEX_A76) => NOT_SUPPORTED,
        Some(_) => NOT_NEEDED,
        None => NOT_SUPPORTED,
    }
}

fn branch_history_injection(cpu: &Cpu) -> i32 {
    // FEAT_CSV2_3; FEAT_ECBHB; FEAT_CLRBHB: one instruction instead of the call.
    if cpu.csv2() >= 3 || cpu.mmfr1 >> 60 != 0 || cpu.isar2 >> 28 & 0xf != 0 {
        return NOT_NEEDED;
    }
    match cpu.arm_part() {
        Some(NEOVERSE_V2) => NOT_SUPPORTED,
        Some(part) if BRANCH_HISTORY.contains(&part) => NOT_SUPPORTED,
        _ => branch_target_injection(cpu),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(part: u64) -> Cpu {
        Cpu {
            midr: 0x410f_0000 | part << 4 | 1,
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
        assert_eq!(all(&arm(CORTEX_A57)), [0, -1, 0, -1]);
        assert_eq!(all(&arm(CORTEX_A72)), [0, -1, 0, -1]);
        assert_eq!(all(&arm(CORTEX_A73)), [-1, -1, -1, -1]);
        assert_eq!(all(&arm(CORTEX_A76)), [1, -1, -1, -1]);
        assert_eq!(all(&arm(0xd0c)), [1, 1, -1, -1], "Neoverse N1");
    }

    #[test]
    fn a_core_of_somebody_else_is_not_called_safe() {
        let other = Cpu {
            midr: 0x610f_d080,
            ..Cpu::default()
        };
        assert_eq!(all(&other), [-1; 4]);
        assert!(!other.predictor_needs_call());
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
