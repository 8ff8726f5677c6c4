// SPDX-License-Identifier: BSD-3-Clause

//! What the monitor has to do: the answers of [`crate::Psci`] as data.

use crate::platform::{LEVELS, LevelStates, StateType};

/// What a PSCI call makes the monitor do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Decision {
    /// Resume the caller with this in x0. (Errors are sign-extended; an SMC32 caller looks at w0.)
    Return(i64),
    /// CPU_ON was accepted: release the target core. See [`crate::Psci::turn_on_failed`] for when
    /// that does not work. Then resume the caller with 0.
    TurnOn {
        /// Its number.
        core: usize,
        /// Its affinity.
        affinity: u64,
    },
    /// CPU_OFF or CPU_FREEZE of the calling core.
    TurnOff(TurnOff),
    /// CPU_SUSPEND, CPU_DEFAULT_SUSPEND or SYSTEM_SUSPEND of the calling core.
    Suspend(Suspend),
    /// SYSTEM_OFF, or SYSTEM_OFF2 with HIBERNATE_OFF.
    SystemOff {
        /// The function ID for the SPMC's power message.
        function: u32,
        /// Set if the normal world hibernates. It has already written its state to its disk.
        hibernate: bool,
    },
    /// SYSTEM_RESET or SYSTEM_RESET2.
    SystemReset(Reset),
}

/// CPU_OFF: the steps that are left. See the crate's documentation for their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TurnOff {
    /// The function ID for the SPMC's power message.
    pub function: u32,
    /// CPU_FREEZE: interrupts may still be sent to the core, the redistributor stays awake.
    pub freeze: bool,
}

/// A suspend: the steps that are left. See the crate's documentation for their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Suspend {
    /// The function ID for the SPMC's power message.
    pub function: u32,
    /// What the core itself loses. `Retention` is a standby state: no power messages, and the
    /// caller goes on behind its call with 0.
    pub state_type: StateType,
    /// What the caller asks for.
    pub levels: LevelStates,
    /// Where the normal world goes on after a power-down state.
    pub entry: u64,
    /// The value of x0 at that entry point.
    pub context: u64,
    /// This is SYSTEM_SUSPEND: the SPMC's warm boot message says suspend-to-RAM.
    pub system: bool,
}

/// What sleeps, after coordination with the other cores.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Composite {
    /// The state of the core and of every level above for which this core was the last. A level
    /// that goes on running is 0.
    pub levels: LevelStates,
}

impl Composite {
    /// The highest level that sleeps.
    pub fn level(&self) -> usize {
        (0..LEVELS)
            .rev()
            .find(|&level| self.levels[level] > 0)
            .unwrap_or(0)
    }
}

/// How to reset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reset {
    /// The function ID for the SPMC's power message.
    pub function: u32,
    /// The type of SYSTEM_RESET2: one of [`crate::PowerTable::resets`]. `None` for SYSTEM_RESET, and
    /// for a cold reset.
    pub kind: Option<u32>,
    /// The cookie of SYSTEM_RESET2.
    pub cookie: u64,
    /// MEM_PROTECT is on: [`crate::PsciPlatform::protected`] memory is overwritten before anything
    /// else can read it.
    pub clear_memory: bool,
}

/// Where the normal world starts on a core that has just arrived at EL3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// The entry point of CPU_ON or of the suspend.
    pub entry: u64,
    /// The context ID, for x0.
    pub context: u64,
    /// Why it is here.
    pub reason: ArrivalReason,
}

/// Why a core arrives at EL3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ArrivalReason {
    /// CPU_ON turned it on.
    CpuOn,
    /// It comes back from a power-down CPU_SUSPEND.
    CpuSuspend,
    /// It comes back from SYSTEM_SUSPEND.
    SystemSuspend,
}
