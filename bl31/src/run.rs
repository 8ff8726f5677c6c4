//! The run loop: enter a world, see why it came back, decide who runs next.
//!
//! Entering a world is a call. Whatever a world does, it ends in one of four exits, and handling an
//! exit ends in a [`Flow`]: which world runs next, or that the SPMC has finished something that EL3
//! asked of it. The normal way through is [`run`], for as long as the core is on. Where EL3 needs
//! the SPMC to do something before it goes on (to boot, to agree to a power state), it runs the same
//! loop nested until the answer is there: [`run_spmc`].

use crate::core_data::CoreData;
use crate::services::{self, Flow, SpmcEvent};
use crate::world::Exit;
use crate::{interrupts, traps};
use aarch64_cpu::registers::{ESR_EL3, Readable};
use janus_spmd::World;

/// ESR_EL3 of `smc #0` in AArch64: exception class 0x17, a 32-bit instruction, immediate zero.
const ESR_SMC64_0: u64 = 0x17 << 26 | 1 << 25;

/// Runs worlds on this core, `world` first, for as long as it is on.
pub fn run(core: &mut CoreData, world: World) -> ! {
    let mut secure = world == World::Secure;
    loop {
        // Each world has a loop of its own, on whose way the world is a constant. EL3 waits for
        // nothing here, so the dispatcher has nothing to report (Flow::Spmc); the SPMC would have
        // to be rebooting itself. It does not get to choose who runs.
        while secure {
            let left = enter(core, World::Secure);
            if left.is_smc() && services::forwards(core, World::Secure) {
                break;
            }
            secure = handle(core, World::Secure, left) == Flow::Run(World::Secure);
        }
        loop {
            let left = enter(core, World::Normal);
            if left.is_smc() && services::forwards(core, World::Normal) {
                break;
            }
            if handle(core, World::Normal, left) == Flow::Run(World::Secure) {
                break;
            }
        }
        secure = true;
    }
}

/// Runs the SPMC until it has finished what the dispatcher was told to ask of it.
pub fn run_spmc(core: &mut CoreData) -> SpmcEvent {
    let mut world = World::Secure;
    loop {
        match step(core, world) {
            Flow::Run(next) => world = next,
            Flow::Spmc(event) => return event,
        }
    }
}

/// One turn of [`run`], for where size counts for more than speed.
#[inline(never)]
fn step(core: &mut CoreData, world: World) -> Flow {
    let left = enter(core, world);
    if left.is_smc() && services::forwards(core, world) {
        return Flow::Run(match world {
            World::Normal => World::Secure,
            World::Secure => World::Normal,
        });
    }
    handle(core, world, left)
}

/// Why a world came back, with ESR_EL3 if it was a synchronous exception.
#[derive(Clone, Copy)]
struct Left {
    exit: Exit,
    esr: u64,
}

impl Left {
    #[inline(always)]
    fn is_smc(self) -> bool {
        self.exit == Exit::Synchronous && self.esr == ESR_SMC64_0
    }
}

/// Lets `world` run until it comes back.
#[inline(always)]
fn enter(core: &mut CoreData, world: World) -> Left {
    core.switch_to(world);
    let exit = core.context(world).enter();
    Left {
        exit,
        esr: ESR_EL3.get(),
    }
}

/// Handles why `world` came back, where it is not a call that is simply forwarded.
#[inline(always)]
fn handle(core: &mut CoreData, world: World, left: Left) -> Flow {
    if left.is_smc() {
        return services::call(core, world);
    }
    handle_rarer(core, world, left)
}

#[inline(never)]
fn handle_rarer(core: &mut CoreData, world: World, left: Left) -> Flow {
    match left.exit {
        Exit::Synchronous => traps::synchronous(core, world, left.esr),
        Exit::Fiq | Exit::Irq => interrupts::handle(core, world),
        Exit::SError => traps::serror(core, world),
    }
}
