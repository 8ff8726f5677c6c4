//! The run loop: enter a world, see why it came back, decide who runs next.
//!
//! Entering a world is a call. Whatever a world does, it ends in one of four exits, and handling an
//! exit ends in a [`Flow`]: which world runs next, or that the SPMC has finished something that EL3
//! asked of it. The normal way through is [`run`], for as long as the core is on. Where EL3 needs
//! the SPMC to do something before it goes on (to boot, to agree to a power state), it runs the same
//! loop nested until the answer is there: [`run_spmc`].

use crate::black_box::TRAP;
use crate::core_data::{CoreData, Current};
use crate::flow::{Flow, SpmcEvent};
use crate::hw::cpu;
use crate::world::Exit;
use crate::{interrupts, services, sri, traps};
use janus_spmd::World;

/// ESR_EL3 of `smc #0` in AArch64: exception class 0x17, a 32-bit instruction, immediate zero.
const ESR_SMC64_0: u64 = 0x17 << 26 | 1 << 25;

/// Runs worlds on this core, `world` first, for as long as it is on.
pub fn run(core: &mut CoreData, mut world: World) -> ! {
    loop {
        run_worlds(core, world);
        // EL3 waits for nothing here, so the dispatcher has nothing to report; the SPMC would have to
        // be rebooting itself. It does not get to choose who runs.
        world = World::Normal;
    }
}

/// Runs the SPMC until it has finished what the dispatcher was told to ask of it.
pub fn run_spmc(core: &mut CoreData) -> SpmcEvent {
    run_worlds(core, World::Secure);
    core.event
}

/// Lets the worlds take turns, `world` first, until the SPMC has finished something that EL3 asked
/// of it: then [`CoreData::event`] says what.
#[inline(never)]
fn run_worlds(core: &mut CoreData, world: World) {
    let mut secure = world == World::Secure;
    loop {
        // A loop for each world: in it the world is a constant, and what depends on it costs nothing.
        if secure {
            loop {
                match run_once(core, World::Secure) {
                    Flow::Run(World::Normal) => break,
                    flow => {
                        answered(core, flow);
                        if flow == Flow::Spmc {
                            return;
                        }
                    }
                }
            }
        }
        loop {
            match run_once(core, World::Normal) {
                Flow::Run(World::Normal) => {}
                Flow::Run(World::Secure) => break,
                Flow::Spmc => return,
            }
        }
        secure = true;
    }
}

/// Keeps what the SPMC asked of EL3 and what it goes on with; not what EL3 asked of it, if that went well.
#[cold]
#[inline(never)]
fn answered(core: &mut CoreData, flow: Flow) {
    let [x0, _, x2, ..] = core.secure.gpr;
    let asked = &core.asked;
    if flow != Flow::Spmc {
        core.normal.black_box.spmc(asked, [x0, x2]);
    } else if core.event == SpmcEvent::Failed {
        core.normal.black_box.spmc(asked, [0; 2]);
    }
}

/// Makes the normal world the current one, with what waits for it, without entering it yet.
#[inline(never)]
pub fn switch_to_normal(core: &mut CoreData) {
    switch(core, World::Normal);
}

/// Makes `world` the current one. The normal world gets what waits for it.
#[inline(always)]
fn switch(core: &mut CoreData, world: World) -> Current<'_> {
    core.switch_to(world, |core| {
        if world == World::Normal
            && core.sri.any()
            && let Some(spmc) = &core.system.spmc
        {
            sri::deliver(&mut core.sri, spmc, core.index);
        }
    })
}

/// Lets `world` run until it comes back, and handles why.
#[inline(always)]
fn run_once(core: &mut CoreData, world: World) -> Flow {
    let (exit, x0, x1) = switch(core, world).enter();
    if world == World::Normal {
        core.normal.black_box.normal(x0, x1);
    }
    #[cfg(feature = "lab")]
    count(core, world, exit);
    if exit == Exit::Synchronous {
        let esr = cpu::syndrome();
        if esr != ESR_SMC64_0
            && let Some(flow) = traps::synchronous(core, world, esr)
        {
            match world {
                World::Normal => core.normal.black_box.normal(TRAP, esr),
                World::Secure => core.asked = [TRAP as u32, esr as u32],
            }
            return flow;
        }
        return services::call(core, world);
    }
    other_exit(core, world, exit, x0)
}

/// Counts an exit.
#[cfg(feature = "lab")]
fn count(core: &CoreData, world: World, exit: Exit) {
    use janus_plat::lab::Counter;
    let [normal, secure] = match exit {
        Exit::Synchronous if matches!(cpu::syndrome() >> 26, 0x13 | 0x17) => {
            [Counter::NormalSmc, Counter::SecureSmc]
        }
        Exit::Synchronous => [Counter::NormalTrap, Counter::SecureTrap],
        Exit::SError => [Counter::NormalSError, Counter::SecureSError],
        Exit::Irq | Exit::Fiq => [Counter::NormalInterrupt, Counter::SecureInterrupt],
    };
    let counter = match world {
        World::Normal => normal,
        World::Secure => secure,
    };
    crate::lab::count(core.index, counter, 1);
}

/// Handles an exit that is no synchronous exception.
#[inline(never)]
fn other_exit(core: &mut CoreData, world: World, exit: Exit, x0: u64) -> Flow {
    if world == World::Secure {
        core.asked = [x0 as u32, 0];
    }
    match exit {
        Exit::SError => traps::serror(core, world),
        _ => interrupts::handle(core, world, run_spmc),
    }
}
