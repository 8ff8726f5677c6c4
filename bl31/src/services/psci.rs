//! PSCI (DEN0022): passes each call to the logic of `janus-psci` and carries its decisions out, in the order that
//! the crate's documentation gives.
//!
//! The SPMC is asked before a core loses its state, and told when the core is back. For that it runs nested in the
//! call ([`crate::run::run_spmc`]).

use super::partitions;
use super::service::{NOT_SUPPORTED, answer};
use crate::boot_params::EntryPoint;
use crate::core_data::{CoreData, Here};
use crate::flow::Flow;
use crate::hw::power::stop_system;
use crate::hw::{cpu, entry, gic};
use crate::messages::{Signed, warning};
use crate::normal_entry;
use crate::power::{self, PSCI};
use crate::{group0, requests, run, served, sri, watch};
use janus_arm::{SMC64, SVE_HINT};
use janus_plat::{NoPower, Plat, Platform, Stop};
use janus_psci::{Decision, StateType, Suspend, TurnOff};
use janus_spmd::{Answer, Event, NotAvailable, Request, WarmBoot, World};
use smccc::psci::PSCI_CPU_SUSPEND_64;
use smccc::psci::error::DENIED;

/// Handles a call of `from`, which `here` is of. The secure world gets NOT_SUPPORTED for every call.
#[inline(always)]
pub fn call(core: &mut CoreData, from: World, function: u32, here: Here) -> Flow {
    let x0 = match from {
        World::Secure => NOT_SUPPORTED,
        World::Normal => {
            let [_, x1, x2, ..] = core.normal.gpr;
            match PSCI.answer(function, x1, x2) {
                Some(x0) => x0 as u64,
                None if (function & !SVE_HINT) | SMC64 == PSCI_CPU_SUSPEND_64
                    && !group0::waits(core)
                    && standby(core.index, x1) =>
                {
                    0
                }
                None => return carry_out(core, function & !SVE_HINT),
            }
        }
    };
    core.context(from).gpr[0] = x0;
    Flow::Answered(here)
}

/// Handles CPU_SUSPEND to a standby state of this core alone, which is what idle cores call all the time. Returns false
/// if the call asks for something else.
#[inline(never)]
fn standby(core: usize, power_state: u64) -> bool {
    let Some(standby) = PSCI.standby(core, power_state, cpu::counter()) else {
        return false;
    };
    Plat::going_to_sleep(core, standby.target());
    cpu::wait_for_interrupt();
    let from = standby.wake(cpu::counter());
    Plat::woke(core, &from);
    true
}

/// Decides about a call of the normal world that is not answered at once, and carries it out.
#[inline(never)]
fn carry_out(core: &mut CoreData, function: u32) -> Flow {
    let [_, x1, x2, x3, ..] = core.normal.gpr;
    let arguments = [x1, x2, x3];
    let decision = PSCI.decide(core.index, function, arguments);
    let x0 = match decision {
        Decision::Return(x0) => x0,
        Decision::TurnOn { core: target, .. } => match power::turn_on(core.system, target) {
            Ok(()) => 0,
            Err(why) => turn_on_failed(target, why),
        },
        Decision::TurnOff(turn_off) => self::turn_off(core, &turn_off),
        Decision::Suspend(suspend) => self::suspend(core, &suspend, arguments),
        Decision::SystemOff {
            function,
            hibernate,
        } => stop(core, Stop::Off { hibernate }, function, &arguments),
        Decision::SystemReset(reset) => stop(core, Stop::Reset(reset), reset.function, &arguments),
    };
    answer(core, World::Normal, x0 as u64)
}

/// Reports that the platform cannot turn core `target` on. Returns the caller's x0.
#[cold]
#[inline(never)]
fn turn_on_failed(target: usize, NoPower(why): NoPower) -> i64 {
    warning!(of: target, "the platform cannot turn it on: {why}");
    PSCI.turn_on_failed(target)
}

/// The SPMC refuses a request. The caller of PSCI gets DENIED.
struct Refused;

/// Sends a request to the SPMC of this core and waits for its answer. Succeeds if there is no SPMC.
fn ask_spmc(core: &mut CoreData, request: Request) -> Result<(), Refused> {
    // The other requests are made elsewhere. So this function has no code for them, and an image without partitions
    // at EL3 has none at all.
    let asked = match request {
        Request::Psci {
            function,
            arguments,
        } => requests::begin(core, power_request(function, arguments)),
        Request::WarmBoot(kind) => requests::begin(core, Request::WarmBoot(kind)),
        _ => Err(NotAvailable::Unknown),
    };
    let answer = asked.map(|()| requests::answer(core, run::run_spmc));
    match answer {
        Ok(Answer::Refused(status)) => {
            warning!(
                of: core.index, "the SPMC refuses, PSCI status {}",
                Signed(status)
            );
            Err(Refused)
        }
        Ok(_) | Err(NotAvailable::NoSpmc | NotAvailable::Unknown) => Ok(()),
        Err(_) => Err(Refused),
    }
}

fn power_request(function: u32, arguments: [u64; 3]) -> Request {
    Request::Psci {
        function,
        arguments,
    }
}

/// Stops the system for SYSTEM_OFF and similar calls. Tells the SPMC first and waits for its answer, but only for as
/// long as the platform allows: then a Group 0 interrupt ends the wait ([`crate::group0`]).
#[inline(never)]
fn stop(core: &mut CoreData, how: Stop, function: u32, arguments: &[u64; 3]) -> ! {
    partitions::tell(core, Event::PowerDown(function));
    if core.system.spmc.is_some() {
        watch::until_stop(core, how);
        let _ = ask_spmc(core, power_request(function, *arguments));
    }
    stop_system(how)
}

/// Handles CPU_OFF and CPU_FREEZE. Returns the caller's error code if the core stays on.
#[inline(never)]
fn turn_off(core: &mut CoreData, turn_off: &TurnOff) -> i64 {
    partitions::tell(core, Event::PowerDown(turn_off.function));
    if ask_spmc(core, power_request(turn_off.function, [0; 3])).is_err() {
        partitions::tell(core, Event::PowerKept);
        return DENIED.into();
    }
    if PSCI.cores_on() == 1 {
        warning!(
            of: core.index, "the last core turns itself off; nobody can turn it on again",
        );
    }
    core.spmd.turn_off();
    group0::forget(core);
    served::leave(core);
    sri::hand_over(&mut core.sri, core.system.spmc.as_ref(), core.index);
    gic::hand_over_spis(sri::core_that_is_on);
    power::turn_off(core, turn_off.freeze)
}

/// Handles CPU_SUSPEND, CPU_DEFAULT_SUSPEND and SYSTEM_SUSPEND. Returns the caller's x0. After a power-down state it does
/// not return: the normal world starts at the entry point.
#[inline(never)]
fn suspend(core: &mut CoreData, suspend: &Suspend, arguments: [u64; 3]) -> i64 {
    if suspend.state_type == StateType::Retention {
        if group0::waits(core) {
            return 0;
        }
        if let Err(error) = power::sleep(core.index, suspend) {
            return error;
        }
        cpu::wait_for_interrupt();
        power::wake(core.index);
        return 0;
    }
    if cpu::interrupt_pending() {
        return 0;
    }
    partitions::tell(core, Event::PowerDown(suspend.function));
    if ask_spmc(core, power_request(suspend.function, arguments)).is_err() {
        partitions::tell(core, Event::PowerKept);
        return DENIED.into();
    }
    // The core sleeps with the normal world current, so that its interrupt state applies, and interrupts that wait for
    // it are delivered first.
    let _ = run::switch_to_normal(core);
    let slept = if group0::waits(core) {
        Err(0)
    } else {
        power::sleep(core.index, suspend)
    };
    let target = match slept {
        Ok(target) => target,
        Err(x0) => {
            let _ = ask_spmc(core, warm_boot(suspend.system));
            partitions::tell(core, Event::PowerKept);
            return x0;
        }
    };
    // If power is really lost, this does not return: the warm entry calls `come_back`.
    power::power_down(core, &target);
    power::wake(core.index);
    entry::come_back(core, suspend.entry, suspend.context, suspend.system)
}

fn warm_boot(system: bool) -> Request {
    Request::WarmBoot(if system {
        WarmBoot::SuspendToRam
    } else {
        WarmBoot::LowPower
    })
}

/// Ends a power-down state of this core: sets both worlds' registers up and sends the SPMC its warm boot message. The
/// GIC works already. The normal world then goes on at `entry`.
pub fn come_back(core: &mut CoreData, entry: &EntryPoint, system: bool) {
    normal_entry::come_back(core, entry);
    let _ = ask_spmc(core, warm_boot(system));
    partitions::tell(core, Event::PowerKept);
    let _ = run::switch_to_normal(core);
    PSCI.started(core.index);
}
