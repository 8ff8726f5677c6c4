//! Power management of cores: PSCI's state, and what EL3 does around the platform's power control.

use crate::core_data::CoreData;
use crate::hw::{cpu, entry, gic, pen, shared};
use crate::system::System;
use crate::topology::{self, MAX_CORES};
use core::ops::Range;
use janus_context::cpu_ext::gic::reset_group1;
use janus_plat::{NoPower, Plat, Platform as _};
use janus_psci::{Composite, PowerTable, Psci, PsciPlatform, Suspend};

shared! {
    /// PSCI's state of all cores.
    pub static PSCI: Psci<Power, MAX_CORES> = Psci::new(Power);
}

const _: () = match Plat::POWER.check() {
    Ok(()) => {}
    Err(why) => panic!("{}", why),
};

/// The platform as PSCI sees it: its power table, and those of its cores that exist.
#[derive(Debug)]
pub struct Power;

impl PsciPlatform for Power {
    const POWER: PowerTable = Plat::POWER.psci;

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

    fn has_power(&self, core: usize, level: usize) -> Option<bool> {
        Plat::has_power(core, level)
    }

    fn frequency(&self) -> u64 {
        cpu::counter_frequency()
    }
}

/// Whether a core loses its power when it is off.
const OFF_LOST: bool = Plat::POWER.off.lost();

/// Tells PSCI and the platform that a core sleeps no more ([`Psci::wake`]). If the distributor lost its power, it is
/// restored before the platform is told.
#[inline(never)]
pub fn wake(core: usize) {
    PSCI.wake(core, cpu::counter(), |from| {
        if Plat::POWER.lost_with(from, Plat::POWER.gic.distributor) {
            gic::restore_distributor();
        }
        Plat::woke(core, from);
    });
}

/// The power state that a core goes to. The array is empty on platforms whose cores never lose their power: only the
/// platform needs the state there.
pub type Target = [Composite; Plat::POWER.room()];

/// Tells PSCI and the platform that a core goes to sleep ([`Psci::suspend`]). Returns the power state.
///
/// # Errors
///
/// The error code for PSCI's caller.
#[inline(never)]
pub fn sleep(core: usize, suspend: &Suspend) -> Result<Target, i64> {
    let target = PSCI.suspend(core, suspend, cpu::counter(), |target| {
        if Plat::POWER.lost_with(target, Plat::POWER.gic.distributor) {
            gic::save_distributor();
        }
        Plat::going_to_sleep(core, target);
    });
    target.map(|target| [target; Plat::POWER.room()])
}

/// Starts core `target`, which CPU_ON has claimed.
///
/// # Errors
///
/// The platform cannot turn the core on.
pub fn turn_on(system: &System, target: usize) -> Result<(), NoPower> {
    // A core that was frozen has kept its power and waits in the pen.
    if OFF_LOST && !pen::holds(target) {
        return Plat::power_on(target);
    }
    pen::release(system, target);
    Ok(())
}

/// Turns this core off until CPU_ON. With `freeze` (PSCI CPU_FREEZE) it keeps its power, even where other cores lose
/// theirs.
pub fn turn_off(core: &mut CoreData, freeze: bool) -> ! {
    let lost = OFF_LOST && !freeze;
    if lost {
        gic::sleep();
    } else {
        gic::listen_for_wake(&core.system.sgis);
    }
    let index = core.index;
    let target = PSCI.going_off(index, cpu::counter(), |target| {
        Plat::going_off(index, target)
    });
    if lost {
        entry::power_down_with(core, &target, || PSCI.off(index))
    }
    if OFF_LOST {
        pen::hold(index);
    }
    PSCI.off(index);
    entry::park(core)
}

/// Turns this core off again: it came on, but nobody asked for it.
pub fn stay_off(core: &mut CoreData) -> ! {
    if OFF_LOST {
        gic::sleep();
        let all = Composite::default();
        entry::power_down_with(core, &all, || {})
    }
    gic::listen_for_wake(&core.system.sgis);
    entry::park(core)
}

/// Puts this core into the power-down states `target`. If the core keeps its power, this returns when an interrupt is
/// pending; else the core comes back through the warm entry. The normal world is current, the secure world parked.
pub fn power_down(core: &mut CoreData, target: &Target) {
    // An interrupt that the normal world has not ended would keep others from waking the core. Its active priority is
    // forgotten here, as it is when power is lost.
    reset_group1();
    let Some(target) = target.first() else {
        cpu::wait_for_wake_up();
        return;
    };
    let policy = &core.system.policy;
    policy.park_secure(&mut core.live, &mut core.parked);
    for saved in &mut core.secure_only {
        saved.save(policy.features(), &core.secure.el3);
    }
    let redistributor = Plat::POWER.lost_with(target, Plat::POWER.gic.redistributor);
    gic::save_core(core.index, redistributor);
    entry::power_down_with(core, target, || {})
}

/// Restores the registers of the secure world that [`power_down`] saved. The core's GIC works already.
pub fn restore(core: &mut CoreData) {
    let policy = &core.system.policy;
    policy.unpark_secure(&mut core.live, &core.normal.el3, &mut core.parked);
    for saved in &core.secure_only {
        saved.load(policy.features(), &core.secure.el3);
    }
}
