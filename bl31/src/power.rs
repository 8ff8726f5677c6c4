//! What PSCI's logic needs of this image: the platform behind it, and the hardware's part.

use crate::hw::{cpu, shared};
use crate::topology::{self, MAX_CORES};
use core::ops::Range;
use janus_plat::{Plat, Platform as _};
use janus_psci::platform::check;
use janus_psci::{Platform, PowerTable, Psci, Suspend};

shared! {
    /// PSCI's state of all cores.
    pub static PSCI: Psci<Power, MAX_CORES> = Psci::new(Power);
}

const _: () = assert!(
    check(&Plat::POWER).is_ok(),
    "the platform's power table contradicts itself"
);

/// The platform, as PSCI sees it: its table, and of its cores those that exist.
#[derive(Debug)]
pub struct Power;

impl Platform for Power {
    const POWER: PowerTable = Plat::POWER;

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
