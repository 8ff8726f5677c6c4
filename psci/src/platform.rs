// SPDX-License-Identifier: BSD-3-Clause

//! What PSCI has to know about a platform: its cores, its power domain tree, its power states.
//!
//! All of it is constant data or answered by arithmetic, so that a call costs no table walk.

use core::ops::Range;

/// Power levels: 0 is the core, 1 its cluster, 2 the system. A platform with fewer levels never
/// names the upper ones in a power state.
pub const LEVELS: usize = 3;

/// How many low-power states a level can have. They are numbered from 1, the shallowest, to this.
pub const STATES: usize = 2;

/// The state of each power level: 0 is running, 1 to [`STATES`] index [`PowerTable::state_types`].
pub type LevelStates = [u8; LEVELS];

/// What a domain loses in a low-power state (DEN0022, StateType of CPU_SUSPEND).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StateType {
    /// Nothing: a standby or retention state.
    Retention,
    /// All state of the domain.
    PowerDown,
}

/// The format of the `power_state` parameter (DEN0022, CPU_SUSPEND).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// StateID in bits 15 to 0, StateType in bit 16, PowerLevel in bits 25 to 24.
    Original,
    /// StateID in bits 27 to 0, StateType in bit 30.
    Extended,
}

impl Format {
    /// StateType: whether `power_state` is a power-down state.
    pub const fn power_down(self, power_state: u32) -> bool {
        let bit = match self {
            Format::Original => 16,
            Format::Extended => 30,
        };
        power_state & 1 << bit != 0
    }

    /// The bits that must be zero.
    pub const fn reserved(self) -> u32 {
        match self {
            Format::Original => 0xfcfe_0000,
            Format::Extended => 0xb000_0000,
        }
    }
}

/// A value of `power_state` that the platform accepts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PowerState {
    /// The whole parameter.
    pub value: u32,
    /// The state it asks for at each level.
    pub levels: LevelStates,
}

/// What a platform's power control can do.
///
/// A platform lists what it has, and takes the rest from [`PowerTable::NONE`].
#[derive(Clone, Copy, Debug)]
pub struct PowerTable {
    /// The format of `power_state`.
    pub format: Format,
    /// The accepted values of `power_state`. CPU_SUSPEND refuses every other.
    pub states: &'static [PowerState],
    /// What each level loses in each of its states: `state_types[level][depth - 1]`.
    pub state_types: [[StateType; STATES]; LEVELS],
    /// The state of CPU_DEFAULT_SUSPEND. `None`: the call is NOT_SUPPORTED.
    pub default_suspend: Option<LevelStates>,
    /// The state of SYSTEM_SUSPEND. `None`: the call is NOT_SUPPORTED.
    pub system_suspend: Option<LevelStates>,
    /// OS-initiated mode (SET_SUSPEND_MODE) is supported.
    pub os_initiated: bool,
    /// CPU_FREEZE is supported.
    pub freeze: bool,
    /// NODE_HW_STATE is supported: by [`PsciPlatform::has_power`].
    pub node_hw_state: bool,
    /// STAT_RESIDENCY and STAT_COUNT are supported.
    pub statistics: bool,
    /// SYSTEM_OFF2 with HIBERNATE_OFF is supported.
    pub hibernate: bool,
    /// MEM_PROTECT and MEM_PROTECT_CHECK_RANGE are supported: the platform can overwrite memory
    /// before anything else runs after a reset.
    pub mem_protect: bool,
    /// The types of SYSTEM_RESET2: 0 is the architectural SYSTEM_WARM_RESET, bit 31 marks a
    /// vendor's own. Empty: SYSTEM_RESET2 is NOT_SUPPORTED.
    pub resets: &'static [u32],
}

impl PowerTable {
    /// Only what PSCI makes mandatory: CPU_ON, CPU_OFF, SYSTEM_OFF and SYSTEM_RESET, and a CPU_SUSPEND that
    /// accepts no state.
    pub const NONE: Self = Self {
        format: Format::Original,
        states: &[],
        state_types: [[StateType::Retention, StateType::PowerDown]; LEVELS],
        default_suspend: None,
        system_suspend: None,
        os_initiated: false,
        freeze: false,
        node_hw_state: false,
        statistics: false,
        hibernate: false,
        mem_protect: false,
        resets: &[],
    };

    /// What `level` loses in its state `depth`. Running, and states that do not exist, lose nothing.
    pub fn state_type(&self, level: usize, depth: u8) -> StateType {
        let index = usize::from(depth.min(STATES as u8)).checked_sub(1);
        self.state_types
            .get(level)
            .and_then(|level| level.get(index?))
            .copied()
            .unwrap_or(StateType::Retention)
    }
}

/// A platform, as PSCI sees it.
///
/// Cores have linear numbers, 0 and up; the number is what every other item of this crate means by
/// `core`. The functions are called from any core at any time, and answer alike from the moment
/// that [`crate::Psci::init`] is called.
pub trait PsciPlatform {
    /// What it can do.
    const POWER: PowerTable;

    /// The number of the core with this affinity (Aff3 in bits 39 to 32, Aff2 to Aff0 in bits 23 to 0, all
    /// other bits zero), or `None` if the system has no such core.
    fn core(&self, affinity: u64) -> Option<usize>;

    /// Returns the affinity of a core: the inverse of [`PsciPlatform::core`]. `None`: there is no such core.
    fn affinity(&self, core: usize) -> Option<u64>;

    /// The power domain of `core` at `level` (1 and up). Any numbers that are equal exactly for
    /// the cores of one domain.
    fn domain(&self, core: usize, level: usize) -> usize;

    /// Returns whether the hardware says that `core`'s node at `level` has power, for NODE_HW_STATE. `None`: the
    /// hardware cannot be asked, and follows the power domain tree at once.
    fn has_power(&self, core: usize, level: usize) -> Option<bool> {
        let _ = (core, level);
        None
    }

    /// Returns the memory of the normal world. An entry point outside of it is INVALID_ADDRESS.
    fn memory(&self) -> &[Range<u64>];

    /// Returns the memory that MEM_PROTECT protects.
    fn protected(&self) -> &[Range<u64>] {
        self.memory()
    }

    /// The frequency of the times that [`crate::Psci`] is given, in Hz.
    fn frequency(&self) -> u64 {
        1_000_000
    }
}

/// Checks that a platform's table agrees with itself: at compile time, where an image is built for it.
///
/// # Errors
///
/// What is wrong, and in which `power_state` value.
pub const fn check(power: &PowerTable) -> Result<(), (&'static str, u32)> {
    let mut i = 0;
    while i < power.states.len() {
        let PowerState { value, levels } = power.states[i];
        if value & power.format.reserved() != 0 {
            return Err(("reserved bits are set", value));
        }
        let mut other = 0;
        while other < i {
            if power.states[other].value == value {
                return Err(("the value is there twice", value));
            }
            other += 1;
        }
        let (down, level) = match check_levels(power, &levels) {
            Ok(found) => found,
            Err(why) => return Err((why, value)),
        };
        if power.format.power_down(value) != down {
            return Err(("StateType disagrees with what the core loses", value));
        }
        if matches!(power.format, Format::Original) && (value >> 24 & 3) as usize != level {
            return Err(("PowerLevel is not the highest level that sleeps", value));
        }
        i += 1;
    }
    let specials = [power.default_suspend, power.system_suspend];
    let mut i = 0;
    while i < specials.len() {
        if let Some(levels) = &specials[i]
            && let Err(why) = check_levels(power, levels)
        {
            return Err((why, 0));
        }
        i += 1;
    }
    Ok(())
}

/// Checks that a level sleeps only if the one below does, and loses its state only if the one below does.
/// Returns whether the core loses its state, and the highest level that sleeps.
const fn check_levels(
    power: &PowerTable,
    levels: &LevelStates,
) -> Result<(bool, usize), &'static str> {
    if levels[0] == 0 {
        return Err("the core runs");
    }
    let (mut below_lost, mut level, mut highest) = (true, 0, 0);
    while level < LEVELS {
        let depth = levels[level] as usize;
        if depth > STATES {
            return Err("there is no such depth");
        }
        if depth > 0 {
            if level > 0 && levels[level - 1] == 0 {
                return Err("a level sleeps though the one below runs");
            }
            let lost = matches!(power.state_types[level][depth - 1], StateType::PowerDown);
            if lost && !below_lost {
                return Err("a level loses its state though the one below keeps it");
            }
            (below_lost, highest) = (lost, level);
        }
        level += 1;
    }
    let core_lost = matches!(
        power.state_types[0][levels[0] as usize - 1],
        StateType::PowerDown
    );
    Ok((core_lost, highest))
}
