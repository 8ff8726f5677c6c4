//! The run loop: enter a world, handle the exit, decide which world runs next.
//!
//! Entering a world is a function call. It returns one of four exits. Handling an exit yields a [`Flow`]: the world
//! that runs next, or that the SPMC has finished something that EL3 asked of it. [`run`] is the loop of a core
//! that is on. Where EL3 needs the SPMC before it can go on (to boot, to agree to a power state), [`run_spmc`] runs
//! the loop nested until the SPMC has answered.

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
        // EL3 waits for no answer here, so that only an SPMC that behaves as if it booted again gets here. It does not
        // choose which world runs: the normal world does.
        world = World::Normal;
    }
}

/// Runs the SPMC until it has finished what the dispatcher asked of it. Returns what it has finished.
pub fn run_spmc(core: &mut CoreData) -> SpmcEvent {
    run_worlds(core, World::Secure);
    core.event
}

/// Runs the worlds in turn, `world` first, until the SPMC has finished something that EL3 asked of it.
/// [`CoreData::event`] then says what.
#[inline(never)]
fn run_worlds(core: &mut CoreData, world: World) {
    let mut secure = world == World::Secure;
    loop {
        // Each world has a loop of its own. The world is a constant in it, so that branches on it cost nothing.
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

/// Notes a call of the SPMC and EL3's answer in the black box. Answers of the SPMC to EL3's own requests are left out,
/// except failures.
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

/// Makes the normal world current and delivers the interrupts that wait for it, but does not enter it.
#[inline(never)]
pub fn switch_to_normal(core: &mut CoreData) {
    switch(core, World::Normal);
}

/// Makes `world` current. If that is the normal world, the interrupts that wait for it are delivered.
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

/// Runs `world` until its next exit, and handles the exit.
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

/// Counts an exit of `world`.
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

/// Handles an interrupt or an SError.
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
