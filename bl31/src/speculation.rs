//! EL3's measures against speculative execution that a lower EL controls. They depend on the CPU model, and are set up
//! on each core when it comes on.
//!
//! A core that needs a measure at each entry to EL3 gets vectors with it; other cores pay nothing. Arm's bulletins on
//! CVE-2017-5715 (branch targets), CVE-2022-23960 (branch history) and CVE-2018-3639 (store bypass) name the models.
//! If the CPU has PSTATE.SSBS, an entry to EL3 clears it, because SCTLR_EL3.DSSBS is 0.

use crate::crash_record::CrashRecord;
use crate::hw::vectors;
use janus_arm::cpu_model::{self, arm_part};
use janus_context::sysreg::{
    CPUACTLR_A57, CPUACTLR_A73, CPUACTLR_A75, CPUACTLR2_A76, ID_AA64ISAR2_EL1, ID_AA64MMFR1_EL1,
    ID_AA64PFR0_EL1, ID_AA64PFR1_EL1, MIDR_EL1, isb,
};

/// The measure that an entry to EL3 begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// None: the usual vectors.
    Plain,
    /// Turn EL3's MMU off and on, which invalidates the branch predictor.
    Mmu,
    /// Go to AArch32, which has an instruction that invalidates the branch predictor.
    Aarch32,
    /// Take this many branches, which replaces the whole branch history.
    Branches(u8),
}

/// The number of branches that a Cortex-A72 with FEAT_CSV2 needs.
const A72_BRANCHES: u8 = 8;

/// Arm's models that need a measure, by MIDR_EL1.PartNum. It is a static because a test of xtask finds it in the image.
static MODELS: [(u16, Entry); 23] = [
    (0xd07, Entry::Mmu),           // Cortex-A57
    (0xd08, Entry::Mmu),           // Cortex-A72
    (0xd09, Entry::Aarch32),       // Cortex-A73
    (0xd0a, Entry::Aarch32),       // Cortex-A75
    (0xd0b, Entry::Branches(24)),  // Cortex-A76
    (0xd0c, Entry::Branches(24)),  // Neoverse N1
    (0xd0d, Entry::Branches(24)),  // Cortex-A77
    (0xd0e, Entry::Branches(24)),  // Cortex-A76AE
    (0xd40, Entry::Branches(32)),  // Neoverse V1
    (0xd41, Entry::Branches(32)),  // Cortex-A78
    (0xd42, Entry::Branches(32)),  // Cortex-A78AE
    (0xd44, Entry::Branches(32)),  // Cortex-X1
    (0xd47, Entry::Branches(32)),  // Cortex-A710
    (0xd48, Entry::Branches(32)),  // Cortex-X2
    (0xd49, Entry::Branches(32)),  // Neoverse N2
    (0xd4b, Entry::Branches(32)),  // Cortex-A78C
    (0xd4c, Entry::Branches(32)),  // Cortex-X1C
    (0xd4d, Entry::Branches(38)),  // Cortex-A715
    (0xd4e, Entry::Branches(132)), // Cortex-X3
    (0xd4f, Entry::Branches(132)), // Neoverse V2
    (0xd81, Entry::Branches(132)), // Cortex-A720
    (0xd82, Entry::Branches(132)), // Cortex-X4
    (0xd84, Entry::Branches(132)), // Neoverse V3
];

const CORTEX_A57: u16 = 0xd07;
const CORTEX_A72: u16 = 0xd08;
const CORTEX_A73: u16 = 0xd09;
const CORTEX_A75: u16 = 0xd0a;
const CORTEX_A76: u16 = 0xd0b;

/// The ID registers that the measure depends on.
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

/// ID_AA64PFR1_EL1.SSBS: the CPU has PSTATE.SSBS, by which software itself allows or forbids store bypass.
const SSBS: u64 = 0xf << 4;

impl Cpu {
    /// Reads the registers of this core.
    #[inline(never)]
    pub fn read() -> Self {
        Self {
            midr: MIDR_EL1::read(),
            pfr0: ID_AA64PFR0_EL1::read(),
            pfr1: ID_AA64PFR1_EL1::read(),
            isar2: ID_AA64ISAR2_EL1::read(),
            mmfr1: ID_AA64MMFR1_EL1::read(),
        }
    }

    /// Returns MIDR_EL1.PartNum if Arm is the implementer.
    pub fn arm_part(&self) -> Option<u16> {
        arm_part(self.midr)
    }

    /// Returns ID_AA64PFR0_EL1.CSV2. From 1 on, branch targets of one context do not affect another one; from 3 on,
    /// nor does the branch history.
    pub fn csv2(&self) -> u64 {
        self.pfr0 >> 56 & 0xf
    }

    /// Returns whether the CPU has PSTATE.SSBS.
    pub fn ssbs(&self) -> bool {
        self.pfr1 & SSBS != 0
    }

    /// Returns whether the branch history of one context does not affect another one: FEAT_CSV2_3 or FEAT_ECBHB.
    pub fn keeps_history_apart(&self) -> bool {
        self.csv2() >= 3 || self.mmfr1 >> 60 != 0
    }

    /// Returns whether EL1 can be in AArch32.
    fn has_aarch32(&self) -> bool {
        self.pfr0 >> 4 & 0xf == 2
    }

    /// Returns whether one instruction clears the branch history: FEAT_CLRBHB. The vectors with branches execute it,
    /// too.
    pub fn clears_history(&self) -> bool {
        self.isar2 >> 28 & 0xf != 0
    }

    /// Returns the measure for EL3's entries on this CPU.
    pub fn entry(&self) -> Entry {
        match cpu_model::find(&MODELS, self.midr).unwrap_or(Entry::Plain) {
            Entry::Aarch32 if !self.has_aarch32() => Entry::Plain,
            // Only a Cortex-A72 from r1p0 on has both.
            Entry::Mmu if self.csv2() != 0 => Entry::Branches(A72_BRANCHES),
            Entry::Branches(_) if self.keeps_history_apart() => Entry::Plain,
            Entry::Branches(_) if self.clears_history() => Entry::Branches(1),
            entry => entry,
        }
    }
}

/// Forbids store bypass on this core for good, if it is a model that needs that and has no PSTATE.SSBS: loads then wait
/// for the addresses of earlier stores. Runs with MMU and data cache off, as these registers require.
pub fn forbid_store_bypass() {
    let Some(part) = arm_part(MIDR_EL1::read()) else {
        return;
    };
    // SAFETY: each model has the register that is written, and the bit only makes the core slower.
    unsafe {
        match part {
            CORTEX_A57 | CORTEX_A72 => {
                CPUACTLR_A57::write(CPUACTLR_A57::read() | 1 << 55);
            }
            CORTEX_A73 => CPUACTLR_A73::write(CPUACTLR_A73::read() | 1 << 3),
            CORTEX_A75 => CPUACTLR_A75::write(CPUACTLR_A75::read() | 1 << 35),
            CORTEX_A76 if ID_AA64PFR1_EL1::read() & SSBS == 0 => {
                CPUACTLR2_A76::write(CPUACTLR2_A76::read() | 1 << 16)
            }
            _ => return,
        }
    }
    isb();
}

/// Gives this core the vectors that it needs, and sets what they read from its `record`.
pub fn guard_entries(record: &mut CrashRecord) {
    if arm_part(MIDR_EL1::read()).is_none() {
        return;
    }
    record.branches = match Cpu::read().entry() {
        Entry::Plain => return,
        Entry::Mmu => 0,
        Entry::Aarch32 => CrashRecord::AARCH32,
        Entry::Branches(count) => count.into(),
    };
    vectors::guard();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(midr: u64, csv2: u64) -> Cpu {
        Cpu {
            midr,
            pfr0: csv2 << 56 | 2 << 4,
            ..Cpu::default()
        }
    }

    #[test]
    fn entries_by_model() {
        for (midr, csv2, entry) in [
            (0x411f_d070, 0, Entry::Mmu),           // Cortex-A57 r1p0
            (0x410f_d083, 0, Entry::Mmu),           // Cortex-A72 r0p3
            (0x411f_d080, 1, Entry::Branches(8)),   // Cortex-A72 r1p0
            (0x410f_d092, 0, Entry::Aarch32),       // Cortex-A73 r0p2
            (0x411f_d091, 1, Entry::Aarch32),       // Cortex-A73 r1p1: its branch history
            (0x412f_d0a1, 0, Entry::Aarch32),       // Cortex-A75 r2p1
            (0x414f_d0b1, 1, Entry::Branches(24)),  // Cortex-A76 r4p1
            (0x414f_d0c1, 1, Entry::Branches(24)),  // Neoverse N1 r4p1
            (0x411f_d402, 2, Entry::Branches(32)),  // Neoverse V1 r1p2
            (0x410f_d4f0, 2, Entry::Branches(132)), // Neoverse V2
            (0x410f_d034, 0, Entry::Plain),         // Cortex-A53 does not speculate so far
            (0x412f_d050, 0, Entry::Plain),         // Cortex-A55
            (0x000f_0510, 3, Entry::Plain),         // QEMU's max
            (0x420f_d083, 0, Entry::Plain),         // another implementer's
        ] {
            assert_eq!(cpu(midr, csv2).entry(), entry, "{midr:#x}");
        }
    }

    #[test]
    fn what_the_id_registers_say_of_the_history() {
        let n2 = cpu(0x410f_d490, 2);
        assert_eq!(n2.entry(), Entry::Branches(32));
        assert_eq!(
            Cpu {
                pfr0: 3 << 56,
                ..n2
            }
            .entry(),
            Entry::Plain
        );
        assert_eq!(
            Cpu {
                mmfr1: 1 << 60,
                ..n2
            }
            .entry(),
            Entry::Plain
        );
        assert_eq!(
            Cpu {
                isar2: 1 << 28,
                ..n2
            }
            .entry(),
            Entry::Branches(1)
        );
    }

    /// Without the state that it would go to, a model gets no measure: no such core exists, but a simulator may say so.
    #[test]
    fn without_aarch32_there_is_no_detour() {
        let a73 = Cpu {
            pfr0: 0x11,
            ..cpu(0x410f_d092, 0)
        };
        assert_eq!(a73.entry(), Entry::Plain);
    }

    /// No model has 0 branches: the vectors' loop would count down from 0 and hardly end.
    #[test]
    fn each_model_has_one_line_that_does_something() {
        for (n, (part, entry)) in MODELS.iter().enumerate() {
            assert!(
                MODELS[..n].iter().all(|(other, _)| other != part),
                "{part:#x}"
            );
            assert!(
                !matches!(entry, Entry::Plain | Entry::Branches(0)),
                "{part:#x}"
            );
        }
    }

    /// The instructions behind a return or an indirect branch may be executed speculatively.
    #[test]
    fn a_barrier_stands_behind_each_return_in_assembly() {
        for text in [
            include_str!("hw/entry.S"),
            include_str!("hw/memory.S"),
            include_str!("hw/vectors.S"),
        ] {
            let code = |line: &str| {
                let line = line.split("//").next().unwrap_or_default();
                let line = line.trim().trim_start_matches(|c: char| c.is_ascii_digit());
                line.trim_start_matches(':')
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let lines: Vec<String> = text
                .lines()
                .map(code)
                .filter(|line| !line.is_empty())
                .collect();
            let returns =
                |line: &str| matches!(line.split(' ').next(), Some("ret" | "eret" | "br" | "blr"));
            assert!(lines.iter().any(|line| returns(line)));
            for (n, line) in lines.iter().enumerate().filter(|(_, line)| returns(line)) {
                let behind = lines.get(n + 1..n + 3);
                let barrier = ["dsb nsh", "isb"];
                assert!(
                    behind.is_some_and(|behind| behind == barrier),
                    "{line}: {behind:?}"
                );
            }
        }
    }
}
