//! Live firmware activation (DEN0147): passes each call to the agent of `janus-lfa`, and lets cores wait for each other.

use super::service::unknown;
use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::hw::{cpu, shared};
use crate::on_core::OnCore;
use crate::power::PSCI;
use crate::requests::RunSpmc;
use core::hint;
use janus_lfa::{Agent, CallingCore, Function};
use janus_plat::{Plat, Platform};
use janus_spmd::{Messenger, World};

/// Whether the platform has components. If not, none of the calls exists.
pub const EXISTS: bool = !Plat::COMPONENTS.is_empty();

/// How long a core waits for the others, in milliseconds. Its interrupts are masked meanwhile.
const PATIENCE_MS: u64 = 1000;

shared! {
    static AGENT: Agent = Agent::new();
}

/// Handles a call. `run_spmc` runs the SPMC for messages of components.
#[inline(never)]
pub fn call(core: &mut CoreData, from: World, function: u32, run_spmc: RunSpmc) -> Flow {
    let function = Function::of(function).filter(|_| from == World::Normal);
    match function {
        Some(function) => {
            carry_out(core, function, run_spmc);
            Flow::Run(from)
        }
        None => unknown(core, from),
    }
}

/// Carries out a call of the normal world. It is not inlined, so that other calls need no room for it on the stack.
#[inline(never)]
fn carry_out(core: &mut CoreData, function: Function, run_spmc: RunSpmc) {
    let [_, which, flags, ..] = core.normal.gpr;
    let mut here = OnThisCore {
        core: OnCore::new(core, Some(run_spmc)),
        until: 0,
    };
    let (given, values) = AGENT.call(Plat::COMPONENTS, function, [which, flags], &mut here);
    let registers = core.normal.gpr.iter_mut().take(given);
    for (register, value) in registers.zip(values) {
        *register = value;
    }
}

/// The core that makes the call.
struct OnThisCore<'a> {
    core: OnCore<'a>,
    /// The end of its patience, as a value of the system counter.
    until: u64,
}

impl CallingCore for OnThisCore<'_> {
    fn messenger(&mut self) -> &mut dyn Messenger {
        &mut self.core
    }

    fn cores(&mut self) -> usize {
        PSCI.cores_on()
    }

    fn begin_to_wait(&mut self) {
        let ticks = cpu::counter_frequency().saturating_mul(PATIENCE_MS) / 1000;
        self.until = cpu::counter().saturating_add(ticks);
    }

    fn patience(&mut self) -> bool {
        hint::spin_loop();
        cpu::counter() < self.until
    }
}
