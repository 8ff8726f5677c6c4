//! What a world switch does on this machine. It is decided once, on the boot core, from the CPU's features
//! and the SPMC's exception level, and does not change afterwards. `switch` has the code that does it.

use super::{El3Regs, Feature, Features, IdRegs, Switched};
use core::fmt;

/// The level at which the SPMC runs, and the state that both worlds share because of that. From its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpmcMode {
    /// No SPMC: nothing is ever switched.
    None,
    /// The SPMC runs at S-EL1: EL1 and floating-point state is switched.
    SEl1,
    /// The SPMC runs at S-EL2 and keeps EL1 and floating-point state apart itself: EL2 state is
    /// switched.
    SEl2,
    /// The SPMC runs at S-EL2 and relies on EL3 for EL1 and floating-point state too.
    All,
}

impl SpmcMode {
    /// Returns whether the EL2 bank is switched.
    pub const fn el2(self) -> bool {
        matches!(self, SpmcMode::SEl2 | SpmcMode::All)
    }

    /// Returns whether the EL1 bank is switched.
    pub const fn el1(self) -> bool {
        matches!(self, SpmcMode::SEl1 | SpmcMode::All)
    }
}

/// The features of the CPU and the mode of the SPMC, which decide what a switch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The features of the CPU.
    features: Features,
    mode: SpmcMode,
}

/// The boot core's ID registers, and what was decided for it. Cores with equal ID registers need not decide again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootCore {
    pub(super) id: IdRegs,
    pub(super) normal: El3Regs,
    pub(super) secure: El3Regs,
    /// What replaces the registers of a core that comes on ([`Switched::whole`]).
    pub(super) whole: Switched,
    /// What a switch exchanges while nothing is open to the secure world yet, and no vector state is live.
    pub(super) closed: Switched,
}

impl Policy {
    /// The policy before anything is known: nothing is switched.
    pub const NONE: Self = Self {
        features: Features::NONE,
        mode: SpmcMode::None,
    };

    /// Makes the policy for a CPU with these features.
    pub const fn new(mut features: Features, mode: SpmcMode) -> Self {
        if features.has(Feature::EL2) && matches!(mode, SpmcMode::All) {
            features.insert(Feature::SPSR_AA32);
        }
        Self { features, mode }
    }

    /// Returns the features of the CPU.
    #[inline(always)]
    pub const fn features(&self) -> Features {
        self.features
    }

    /// Returns the mode of the SPMC.
    #[inline(always)]
    pub const fn mode(&self) -> SpmcMode {
        self.mode
    }
}

impl fmt::Display for Policy {
    /// Writes the line about the CPU that the boot prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switched = match self.mode {
            SpmcMode::None => "nothing",
            SpmcMode::SEl1 => "EL1 and FP",
            SpmcMode::SEl2 => "EL2",
            SpmcMode::All => "EL1, EL2 and FP",
        };
        write!(f, "{}; a world switch exchanges {switched}", self.features)
    }
}
