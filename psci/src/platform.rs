//! What PSCI has to know about a platform: its cores, its power domain tree, its power states.
//!
//! All of it is constant data or answered by arithmetic, so that a call costs no table walk.

use core::ops::Range;

/// Power levels: 0 is the core, 1 its cluster, 2 the system. A platform with fewer levels never
/// names the upper ones in a power state.
pub const LEVELS: usize = 3;

/// Low-power states per level that a platform can have, numbered 1 (the shallowest) to this.
pub const DEPTHS: usize = 2;

/// A low-power state per level: 0 is running, 1 to [`DEPTHS`] index [`Platform::KINDS`].
pub type Depths = [u8; LEVELS];

/// What is lost in a low-power state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Nothing: a standby or retention state.
    Retention,
    /// All state of the domain.
    PowerDown,
}

/// The format of the `power_state` parameter (DEN0022, CPU_SUSPEND).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// StateID in [15:0], StateType in [16], PowerLevel in [25:24].
    Original,
    /// StateID in [27:0], StateType in [30].
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
    pub depths: Depths,
}

/// A platform, as PSCI sees it.
///
/// Cores have linear numbers, 0 and up; the number is what every other item of this crate means by
/// `core`. The functions are called from any core at any time, and answer alike from the moment
/// that [`crate::Psci::init`] is called.
pub trait Platform {
    /// The format of `power_state`.
    const FORMAT: Format = Format::Original;

    /// The accepted values of `power_state`. CPU_SUSPEND refuses every other.
    const STATES: &'static [PowerState] = &[];

    /// What each depth of each level loses: `KINDS[level][depth - 1]`.
    const KINDS: [[Kind; DEPTHS]; LEVELS] = [[Kind::Retention, Kind::PowerDown]; LEVELS];

    /// The state of CPU_DEFAULT_SUSPEND, which is not supported without.
    const DEFAULT_SUSPEND: Option<Depths> = None;

    /// The state of SYSTEM_SUSPEND, which is not supported without.
    const SYSTEM_SUSPEND: Option<Depths> = None;

    /// OS-initiated mode (SET_SUSPEND_MODE) is supported.
    const OS_INITIATED: bool = false;

    /// CPU_FREEZE is supported.
    const FREEZE: bool = false;

    /// NODE_HW_STATE is supported: the hardware does at once what the power domain tree says.
    const NODE_HW_STATE: bool = false;

    /// STAT_RESIDENCY and STAT_COUNT are supported.
    const STATISTICS: bool = false;

    /// SYSTEM_OFF2 with HIBERNATE_OFF is supported.
    const HIBERNATE: bool = false;

    /// MEM_PROTECT and MEM_PROTECT_CHECK_RANGE are supported: the platform can overwrite memory
    /// before anything else runs after a reset.
    const MEM_PROTECT: bool = false;

    /// The types of SYSTEM_RESET2: 0 is the architectural SYSTEM_WARM_RESET, bit 31 marks a
    /// vendor's own. Not supported without any.
    const RESETS: &'static [u32] = &[];

    /// The number of the core with this affinity (Aff3 in [39:32], Aff2 to Aff0 in [23:0], all
    /// other bits zero), or `None` if the system has no such core.
    fn core(&self, affinity: u64) -> Option<usize>;

    /// The affinity of a core: [`Platform::core`] the other way round.
    fn affinity(&self, core: usize) -> Option<u64>;

    /// The power domain of `core` at `level` (1 and up). Any numbers that are equal exactly for
    /// the cores of one domain.
    fn domain(&self, core: usize, level: usize) -> usize;

    /// The memory of the normal world: an entry point outside it is INVALID_ADDRESS.
    fn memory(&self) -> &[Range<u64>];

    /// The memory that MEM_PROTECT protects.
    fn protected(&self) -> &[Range<u64>] {
        self.memory()
    }

    /// The frequency of the times that [`crate::Psci`] is given, in Hz.
    fn frequency(&self) -> u64 {
        1_000_000
    }
}

/// Checks that a platform's tables agree with themselves; for the platforms' host tests.
///
/// # Errors
///
/// What is wrong, and in which `power_state` value.
pub fn check<P: Platform>() -> Result<(), (&'static str, u32)> {
    for (i, state) in P::STATES.iter().enumerate() {
        if state.value & P::FORMAT.reserved() != 0 {
            return Err(("reserved bits are set", state.value));
        }
        if P::STATES
            .iter()
            .take(i)
            .any(|other| other.value == state.value)
        {
            return Err(("the value is there twice", state.value));
        }
        depths::<P>(&state.depths).map_err(|why| (why, state.value))?;
        let down = P::KINDS[0][usize::from(state.depths[0]) - 1] == Kind::PowerDown;
        if P::FORMAT.power_down(state.value) != down {
            return Err(("StateType disagrees with what the core loses", state.value));
        }
        let level = state.depths.iter().filter(|depth| **depth > 0).count() as u32 - 1;
        if P::FORMAT == Format::Original && state.value >> 24 & 3 != level {
            return Err((
                "PowerLevel is not the highest level that sleeps",
                state.value,
            ));
        }
    }
    for special in [P::DEFAULT_SUSPEND, P::SYSTEM_SUSPEND].iter().flatten() {
        depths::<P>(special).map_err(|why| (why, 0))?;
    }
    Ok(())
}

/// A level sleeps only if the one below does, and loses its state only if the one below does.
fn depths<P: Platform>(depths: &Depths) -> Result<(), &'static str> {
    if depths[0] == 0 {
        return Err("the core runs");
    }
    let mut below = Kind::PowerDown;
    for (level, &depth) in depths.iter().enumerate() {
        if usize::from(depth) > DEPTHS {
            return Err("there is no such depth");
        }
        if level > 0 && depth > 0 && depths[level - 1] == 0 {
            return Err("a level sleeps though the one below runs");
        }
        if depth > 0 {
            let kind = P::KINDS[level][usize::from(depth) - 1];
            if kind == Kind::PowerDown && below == Kind::Retention {
                return Err("a level loses its state though the one below keeps it");
            }
            below = kind;
        }
    }
    Ok(())
}
