//! What PSCI's logic needs of this image: the platform behind it, and the hardware's part.

use crate::hw::{cpu, shared};
use crate::topology::{self, MAX_CORES};
use core::ops::Range;
use janus_plat::{Plat, Platform as _};
use janus_psci::platform::{Depths, PowerState};
use janus_psci::{Platform, Psci, Suspend};

shared! {
    /// PSCI's state of all cores.
    pub static PSCI: Psci<Power, MAX_CORES> = Psci::new(Power);
}

/// The platform, as PSCI sees it: its tables, and of its cores those that exist.
#[derive(Debug)]
pub struct Power;

impl Platform for Power {
    const STATES: &'static [PowerState] = Plat::POWER.states;
    const DEFAULT_SUSPEND: Option<Depths> = Plat::POWER.default_suspend;
    const SYSTEM_SUSPEND: Option<Depths> = Plat::POWER.system_suspend;
    const OS_INITIATED: bool = Plat::POWER.os_initiated;
    const FREEZE: bool = Plat::POWER.freeze;
    const NODE_HW_STATE: bool = Plat::POWER.node_hw_state;
    const STATISTICS: bool = Plat::POWER.statistics;
    const HIBERNATE: bool = Plat::POWER.hibernate;
    const RESETS: &'static [u32] = Plat::POWER.resets;

    #[inline(always)]
    fn core(&self, affinity: u64) -> Option<usize> {
        Plat::core_index(affinity).filter(|&index| topology::core_exists(index))
    }

    fn affinity(&self, core: usize) -> Option<u64> {
        topology::core_exists(core).then(|| Plat::mpidr(core))
    }

    fn domain(&self, core: usize, level: usize) -> usize {
        Plat::domain(core, level)
    }

    fn memory(&self) -> &[Range<u64>] {
        Plat::NORMAL_RAM
    }

    fn frequency(&self) -> u64 {
        cpu::counter_frequency()
    }
}

// No platform has anything to do for the levels above a core: the hooks below are empty.

/// A core sleeps no more ([`Psci::wake`]).
#[inline(never)]
pub fn wake(core: usize) {
    PSCI.wake(core, cpu::counter(), |_| {});
}

/// A core goes to sleep as decided ([`Psci::suspend`]).
///
/// # Errors
///
/// What the caller of PSCI gets.
#[inline(never)]
pub fn sleep(core: usize, suspend: &Suspend) -> Result<(), i64> {
    PSCI.suspend(core, suspend, cpu::counter(), |_| {})
        .map(|_| ())
}
