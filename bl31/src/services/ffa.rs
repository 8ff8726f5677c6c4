//! FF-A (DEN0077A): passes each call to the dispatcher and carries its decision out.
//!
//! `janus-spmd` makes all decisions. This file only gives it the registers of both worlds, and does
//! the work that needs the hardware.

use crate::core_data::{CoreData, Here};
use crate::flow::Flow;
use crate::group0::{self, After};
use crate::hw::console;
use crate::messages::{Signed, error};
use crate::requests::report_death;
use crate::served;
use crate::spmc_event::SpmcEvent;
use crate::spmc_vectors;
use janus_spmd::{Action, Answer, ConsoleLog, Work, World};

/// Copies a call of `from` into the other world's registers, if nothing has to be decided. Returns whether it did.
///
/// `forwards`, [`answers`], [`resumes`] and [`decide`] are the parts of [`janus_spmd::Spmd::call`]. Nearly all calls need
/// the first part only.
#[inline(always)]
pub fn forwards(core: &mut CoreData, from: World, function: u32) -> bool {
    let (caller, other) = match from {
        World::Normal => (core.normal.args(), core.secure.args()),
        World::Secure => (core.secure.args(), core.normal.args()),
    };
    let forwarded = core.system.spmd.forwards(&core.spmd, from, caller, other);
    if forwarded && from == World::Normal {
        core.live.call(function);
    }
    forwarded
}

/// Answers a call of the normal world, if nothing has to be decided. Returns whether it did.
#[inline(always)]
pub fn answers(core: &mut CoreData) -> bool {
    core.system.spmd.answers(&core.spmd, core.normal.args())
}

/// Ends a secure interrupt, if this call of the SPMC does. Returns whether it did.
#[inline(always)]
pub fn resumes(core: &mut CoreData) -> bool {
    core.system.spmd.resumes(&mut core.spmd, core.secure.args())
}

/// Handles a call of FF-A that is neither forwarded nor answered at once. `here` is of `from`.
#[inline(always)]
pub fn decide(core: &mut CoreData, from: World, function: u32, here: Here) -> Flow {
    let spmd = &core.system.spmd;
    let (caller, other) = match from {
        World::Normal => (core.normal.args(), core.secure.args()),
        World::Secure => (core.secure.args(), core.normal.args()),
    };
    if from == World::Secure {
        core.asked = [function, caller[1] as u32];
    }
    #[cfg(feature = "lab")]
    crate::lab::refused(core.index, from, spmd.refusal(&core.spmd, from, caller));
    let action = spmd.decide(&mut core.spmd, from, caller, other);
    if matches!(action, Action::Enter) {
        if from == World::Normal {
            core.live.call(function);
        }
        return Flow::Forwarded(here);
    }
    act(core, from, action, Some(here))
}

/// Handles a Secure Group 1 interrupt that is pending while the normal world runs: the SPMC gets it. `here` is of the
/// normal world, if it is left.
pub fn secure_interrupt(core: &mut CoreData, here: Option<Here>) -> Flow {
    let action = core
        .system
        .spmd
        .secure_interrupt(&mut core.spmd, core.secure.args());
    if matches!(action, Action::Enter) {
        return here.map_or(Flow::Run(World::Secure), Flow::Forwarded);
    }
    act(core, World::Normal, action, None)
}

/// Ends the SPMC on this core when the secure world cannot go on, although it has not called FFA_ABORT.
#[inline(always)]
pub fn abort(core: &mut CoreData) -> Flow {
    let action = core.system.spmd.abort(&mut core.spmd, core.normal.args());
    act(core, World::Secure, action, None)
}

/// Ends the SPMC on this core, because it has not answered a request of EL3 in time ([`crate::watch`]).
#[cold]
pub fn time_out(core: &mut CoreData) -> Flow {
    // While a request is pending the action can be no other.
    let _ = core
        .system
        .spmd
        .time_out(&mut core.spmd, core.normal.args());
    finished(core, SpmcEvent::Answered(Answer::Aborted))
}

/// Ends the nested run of the SPMC: it has finished what EL3 asked of it, with this event.
fn finished(core: &mut CoreData, event: SpmcEvent) -> Flow {
    core.event = event;
    Flow::Spmc
}

/// Carries out the dispatcher's decision about a call of `from`, the rarer ones too. `here` is of `from`, if it is left.
///
/// Parts with large stack frames are functions of their own, because worlds can run nested in this one.
#[inline(never)]
fn act(core: &mut CoreData, from: World, action: Action, here: Option<Here>) -> Flow {
    let work = match action {
        Action::Return => return here.map_or(Flow::Run(from), Flow::Answered),
        Action::Enter => return here.map_or(Flow::Run(from.other()), Flow::Forwarded),
        Action::El3(work) => work,
    };
    match work {
        Work::SpmcReady => finished(core, SpmcEvent::Ready),
        Work::SpmcFailed(code) => {
            report_failure(core, code);
            finished(core, SpmcEvent::Failed)
        }
        Work::SpmcCalledEarly(function) => {
            report_early_call(core, function);
            finished(core, SpmcEvent::Failed)
        }
        Work::Answered(answer) => finished(core, SpmcEvent::Answered(answer)),
        Work::ConsoleLog(log) => {
            print(core, log);
            Flow::Run(World::Secure)
        }
        Work::Group0Interrupt => {
            // The SPMC waits for this call to return, so a handler cannot ask it anything.
            match group0::handle(core, None) {
                After::Dead => time_out(core),
                _ => Flow::Run(World::Secure),
            }
        }
        Work::Aborted => {
            report_death(core);
            Flow::Run(World::Normal)
        }
        Work::Unclaimed => {
            end_secure_interrupts(core);
            Flow::Run(from)
        }
    }
}

/// Prints the lines of the SPMC that this FFA_CONSOLE_LOG completes.
#[inline(never)]
fn print(core: &mut CoreData, log: ConsoleLog) {
    log.lines(&mut core.spmd, core.secure.args(), console::spmc_line);
}

/// Ends secure interrupts on this core, which has no SPMC.
#[cold]
#[inline(never)]
fn end_secure_interrupts(core: &CoreData) {
    served::end(core);
    error!(
        of: core.index, "a secure interrupt came and there is no SPMC here to take it; no more of them",
    );
}

#[cold]
#[inline(never)]
fn report_failure(core: &CoreData, code: i32) {
    spmc_vectors::report(core);
    let code = Signed(code);
    error!(of: core.index, "the SPMC says that it failed to start: error {code}");
}

#[cold]
#[inline(never)]
fn report_early_call(core: &CoreData, function: u32) {
    spmc_vectors::report(core);
    let function = u64::from(function);
    error!(of: core.index, "the SPMC called {function:#x} while it was to start");
}
