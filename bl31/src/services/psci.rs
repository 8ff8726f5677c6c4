//! PSCI (DEN0022): hands each call to the power state logic of `janus-psci` and carries its
//! decisions out, in the order that the crate's documentation gives.
//!
//! The SPMC is asked before a core loses its state, and told when it is back. It runs inside the
//! call for that, as in [`crate::run::run_spmc`].

use super::partitions;
use super::service::{NOT_SUPPORTED, Service, answer};
use crate::boot_params::EntryPoint;
use crate::context::el3::scr;
use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::hw::power::stop_system;
use crate::hw::{cpu, gic};
use crate::messages::{Signed, warning};
use crate::normal_entry;
use crate::power::{self, PSCI};
use crate::{hw, requests, run, served, sri};
use janus_plat::{NoPower, Plat, Platform, Stop};
use janus_psci::{Decision, StateType, Suspend, TurnOff};
use janus_spmd::{Answer, Event, NotAvailable, Request, WarmBoot, World};
use smccc::psci::error::DENIED;

/// See the module's documentation.
pub struct Psci;

impl Service for Psci {
    #[inline(always)]
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        if from == World::Secure {
            return answer(core, from, NOT_SUPPORTED);
        }
        let [_, x1, x2, x3, ..] = core.normal.gpr;
        match PSCI.call(core.index, function, [x1, x2, x3]) {
            Decision::Return(x0) => answer(core, from, x0 as u64),
            decision => carry_out(core, decision, [x1, x2, x3]),
        }
    }
}

/// Carries out what is not answered at once.
#[inline(never)]
fn carry_out(core: &mut CoreData, decision: Decision, arguments: [u64; 3]) -> Flow {
    let x0 = match decision {
        Decision::Return(x0) => x0,
        Decision::TurnOn { core: target, .. } => match power::turn_on(core.system, target) {
            Ok(()) => 0,
            Err(NoPower(why)) => {
                warning!("core {target}: the platform cannot turn it on: {why}");
                PSCI.turn_on_failed(target)
            }
        },
        Decision::TurnOff(turn_off) => self::turn_off(core, &turn_off),
        Decision::Suspend(suspend) => match self::suspend(core, &suspend, arguments) {
            Some(x0) => x0,
            // The normal world starts at its entry point; x0 is set already.
            None => return Flow::Run(World::Normal),
        },
        Decision::SystemOff {
            function,
            hibernate,
        } => stop(
            core,
            Stop::Off { hibernate },
            power_request(function, arguments),
        ),
        Decision::SystemReset(reset) => stop(
            core,
            Stop::Reset(reset),
            power_request(reset.function, arguments),
        ),
    };
    answer(core, World::Normal, x0 as u64)
}

/// The SPMC says no: PSCI's DENIED.
struct Refused;

/// Has the SPMC of this core do something, and waits for its answer. Without an SPMC all is well.
fn ask_spmc(core: &mut CoreData, request: Request) -> Result<(), Refused> {
    match requests::ask(core, request, run::run_spmc) {
        Ok(Answer::Refused(status)) => {
            warning!(
                "core {}: the SPMC refuses, PSCI status {}",
                core.index,
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

/// Stops the system for SYSTEM_OFF and its like: tells the SPMC first, and waits for its answer. The platform's
/// patience ends the wait, by a Group 0 interrupt ([`crate::group0`]).
fn stop(core: &mut CoreData, how: Stop, request: Request) -> ! {
    if let Request::Psci { function, .. } = request {
        partitions::tell(core, Event::PowerDown(function));
    }
    if core.system.spmc.is_some() {
        let patience =
            u64::from(Plat::STOP_PATIENCE_MS).saturating_mul(cpu::counter_frequency()) / 1000;
        let deadline = cpu::counter().wrapping_add(patience);
        core.stopping = Some((how, deadline));
        // Group 0 comes to EL3, not to the SPMC.
        core.secure.el3.scr_el3 |= scr::FIQ;
        hw::power::interrupt_at(deadline);
        let _ = ask_spmc(core, request);
    }
    stop_system(how)
}

/// CPU_OFF and CPU_FREEZE. Returns what the caller gets if the core stays on.
fn turn_off(core: &mut CoreData, turn_off: &TurnOff) -> i64 {
    partitions::tell(core, Event::PowerDown(turn_off.function));
    if ask_spmc(core, power_request(turn_off.function, [0; 3])).is_err() {
        partitions::tell(core, Event::PowerKept);
        return DENIED.into();
    }
    if PSCI.cores_on() == 1 {
        warning!(
            "core {}: the last core turns itself off; nobody can turn it on again",
            core.index
        );
    }
    core.spmd.turn_off();
    served::leave(core);
    sri::hand_over(&mut core.sri, core.system.spmc.as_ref(), core.index);
    gic::hand_over_spis(sri::core_that_is_on);
    power::turn_off(core, turn_off.freeze)
}

/// CPU_SUSPEND, CPU_DEFAULT_SUSPEND and SYSTEM_SUSPEND. Returns what the caller gets; None after a
/// power-down state, whose end is a start at the entry point.
fn suspend(core: &mut CoreData, suspend: &Suspend, arguments: [u64; 3]) -> Option<i64> {
    if suspend.state_type == StateType::Retention {
        if let Err(error) = power::sleep(core.index, suspend) {
            return Some(error);
        }
        cpu::wait_for_interrupt();
        power::wake(core.index);
        return Some(0);
    }
    if cpu::interrupt_pending() {
        return Some(0);
    }
    partitions::tell(core, Event::PowerDown(suspend.function));
    if ask_spmc(core, power_request(suspend.function, arguments)).is_err() {
        partitions::tell(core, Event::PowerKept);
        return Some(DENIED.into());
    }
    // The core sleeps for the normal world: with its interrupt state, and what is due to it delivered.
    run::switch_to_normal(core);
    let target = match power::sleep(core.index, suspend) {
        Ok(target) => target,
        Err(error) => {
            let _ = ask_spmc(core, warm_boot(suspend.system));
            partitions::tell(core, Event::PowerKept);
            return Some(error);
        }
    };
    // Where power is really lost, this is the end here: `come_back` is called from the warm entry.
    power::power_down(core, &target);
    power::wake(core.index);
    let entry = normal_entry::normal_entry(core.system, suspend.entry, suspend.context);
    come_back(core, &entry, suspend.system);
    None
}

fn warm_boot(system: bool) -> Request {
    Request::WarmBoot(if system {
        WarmBoot::SuspendToRam
    } else {
        WarmBoot::LowPower
    })
}

/// Ends a power-down state of this core, whose GIC works again: both worlds' registers, the SPMC's warm
/// boot message. The normal world then goes on at `entry`.
pub fn come_back(core: &mut CoreData, entry: &EntryPoint, system: bool) {
    normal_entry::come_back(core, entry);
    let _ = ask_spmc(core, warm_boot(system));
    partitions::tell(core, Event::PowerKept);
    run::switch_to_normal(core);
    PSCI.started(core.index);
}
