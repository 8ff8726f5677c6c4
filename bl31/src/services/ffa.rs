//! FF-A (DEN0077A): hands each call to the dispatcher and does what it decides.
//!
//! All decisions are `janus-spmd`'s. This file only lends it the registers of both worlds and does
//! the work that needs the hardware.

use super::{Flow, Service, SpmcEvent};
use crate::core_data::CoreData;
use crate::{console, gic};
use janus_spmd::{Action, Work, World};
use log::error;

/// See the module's documentation.
pub struct Ffa;

impl Service for Ffa {
    #[inline(always)]
    fn call(core: &mut CoreData, from: World, _: u32) -> Flow {
        let (caller, other) = match from {
            World::Normal => (core.normal.args(), core.secure.args()),
            World::Secure => (core.secure.args(), core.normal.args()),
        };
        let action = core.system.spmd.decide(&mut core.spmd, from, caller, other);
        act(core, from, action)
    }
}

/// Whether `from`'s call is one that is simply forwarded: then all is ready for the other world.
/// Else the service decides.
#[inline(always)]
pub fn forwards(core: &mut CoreData, from: World) -> bool {
    let spmd = &core.system.spmd;
    match from {
        World::Normal => {
            let function = core.normal.gpr[0] as u32;
            let (caller, other) = (core.normal.args(), core.secure.args());
            let forwarded = spmd.forwards(&core.spmd, from, caller, other);
            if forwarded {
                core.live.call(function);
            }
            forwarded
        }
        World::Secure => {
            let (caller, other) = (core.secure.args(), core.normal.args());
            spmd.forwards(&core.spmd, from, caller, other)
        }
    }
}

/// A secure Group 1 interrupt is pending while the normal world runs: the SPMC's to handle.
pub fn secure_interrupt(core: &mut CoreData) -> Flow {
    let action = core
        .system
        .spmd
        .secure_interrupt(&mut core.spmd, core.secure.args());
    match action {
        Action::Enter => Flow::Run(World::Secure),
        Action::Return => Flow::Run(World::Normal),
        Action::El3(work) => perform(core, World::Normal, work),
    }
}

/// Does what the dispatcher decided about a call of `from`.
#[inline(always)]
fn act(core: &mut CoreData, from: World, action: Action) -> Flow {
    match action {
        Action::Return => Flow::Run(from),
        Action::Enter => Flow::Run(match from {
            World::Normal => {
                core.live.call(core.normal.gpr[0] as u32);
                World::Secure
            }
            World::Secure => World::Normal,
        }),
        Action::El3(work) => perform(core, from, work),
    }
}

/// Does the work that a call of `from` asks of EL3.
#[inline(never)]
fn perform(core: &mut CoreData, from: World, work: Work) -> Flow {
    match work {
        Work::SpmcReady => Flow::Spmc(SpmcEvent::Ready),
        Work::SpmcFailed(code) => {
            error!(
                "core {}: the SPMC says that it failed to start: error {code}",
                core.index
            );
            Flow::Spmc(SpmcEvent::Failed)
        }
        Work::SpmcStrayed(function) => {
            error!(
                "core {}: the SPMC called {function:#x} while it was to start",
                core.index
            );
            Flow::Spmc(SpmcEvent::Failed)
        }
        Work::Answered(answer) => Flow::Spmc(SpmcEvent::Answered(answer)),
        Work::ConsoleLog(log) => {
            log.lines(&mut core.spmd, core.secure.args(), console::spmc_line);
            Flow::Run(World::Secure)
        }
        Work::Group0Interrupt => {
            gic::handle_group0(core);
            Flow::Run(World::Secure)
        }
        Work::Aborted => {
            report_death(core);
            Flow::Run(World::Normal)
        }
        Work::Unclaimed => {
            gic::give_up_secure_interrupts();
            Flow::Run(from)
        }
    }
}

/// Says that the SPMC died on this core.
pub fn report_death(core: &mut CoreData) {
    core.spmd.take_unfinished_line(console::spmc_line);
    error!(
        "core {}: the SPMC died; this core goes on without FF-A",
        core.index
    );
}
