//! The run loop: enter a world, handle the exit, decide which world runs next.
//!
//! Entering a world is a function call. It returns one of four exits. Handling an exit yields a [`Flow`]: the world
//! that runs next, or that the SPMC has finished something that EL3 asked of it. [`run_core`] is the loop of a core
//! that is on. Where EL3 needs the SPMC before it can go on (to boot, to agree to a power state), [`run_spmc`] is a
//! loop inside of that one, until the SPMC has answered.

use crate::black_box::TRAP;
use crate::core_data::{CoreData, Here};
use crate::flow::Flow;
use crate::hw::cpu;
use crate::spmc_event::SpmcEvent;
use crate::world::Exit;
use crate::{group0, interrupts, on_core, services, traps};
use core::hint::assert_unchecked;
use janus_spmd::World;

/// Runs worlds on this core, the normal one first, for as long as it is on. Called by entry.S with the stack empty.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn run_core(mut core: &mut CoreData) -> ! {
    let mut here = switch(core, World::Normal);
    loop {
        // Each world has a loop of its own. The world is a constant in it, so that branches on it cost nothing.
        loop {
            core = cpu::anew(core);
            here = match run_once(core, World::Normal, here) {
                Flow::Forwarded(normal) => {
                    here = hand_over(core, World::Secure, normal);
                    break;
                }
                Flow::Answered(normal) => {
                    // A partition that starts during the call may have let an event come.
                    call_handlers(core, World::Normal);
                    normal
                }
                Flow::Run(World::Secure) => {
                    here = switch(core, World::Secure);
                    break;
                }
                Flow::Run(World::Normal) | Flow::Spmc => switch(core, World::Normal),
            }
        }
        loop {
            core = cpu::anew(core);
            here = match run_once(core, World::Secure, here) {
                Flow::Forwarded(secure) => {
                    here = hand_over(core, World::Normal, secure);
                    break;
                }
                Flow::Answered(secure) => {
                    answered(core, false);
                    secure
                }
                Flow::Run(World::Secure) => {
                    answered(core, false);
                    switch(core, World::Secure)
                }
                Flow::Run(World::Normal) => {
                    here = switch(core, World::Normal);
                    break;
                }
                Flow::Spmc => {
                    // EL3 waits for no answer here: this SPMC behaves as if it booted again. It does not choose which
                    // world runs: the normal world does.
                    answered(core, true);
                    here = switch(core, World::Normal);
                    break;
                }
            }
        }
    }
}

/// Runs the SPMC until it has finished what the dispatcher asked of it. Returns what it has finished.
///
/// This is rare, so it does without the short cuts of [`run_core`].
#[inline(never)]
pub fn run_spmc(core: &mut CoreData) -> SpmcEvent {
    let mut world = World::Secure;
    loop {
        let here = switch(core, world);
        let flow = run_nested(core, world, here);
        if world == World::Secure {
            match flow {
                Flow::Answered(_) | Flow::Run(World::Secure) => answered(core, false),
                Flow::Spmc => answered(core, true),
                Flow::Run(World::Normal) | Flow::Forwarded(_) => {}
            }
        }
        world = match flow {
            Flow::Forwarded(_) => world.other(),
            Flow::Answered(_) => world,
            Flow::Run(next) => next,
            Flow::Spmc => return core.event,
        }
    }
}

/// Notes a call of the SPMC and EL3's answer in the black box. Answers of the SPMC to EL3's own requests are left out,
/// except failures.
#[cold]
#[inline(never)]
fn answered(core: &mut CoreData, of_el3: bool) {
    let [x0, _, x2, ..] = core.secure.gpr;
    let asked = &core.asked;
    if !of_el3 {
        core.normal.black_box.spmc(asked, [x0, x2]);
    } else if core.event == SpmcEvent::Failed {
        core.normal.black_box.spmc(asked, [0; 2]);
    }
}

/// Makes the normal world current and delivers the interrupts that wait for it, but does not enter it.
pub fn switch_to_normal(core: &mut CoreData) -> Here {
    exchange(core, World::Normal)
}

/// Makes `world` current, which runs next. If that is the normal world, does what waits for it.
#[inline(always)]
fn switch(core: &mut CoreData, world: World) -> Here {
    let here = exchange(core, world);
    call_handlers(core, world);
    here
}

/// Makes `world` current. If that is the normal world, the interrupts that wait for it are delivered.
#[cold]
#[inline(never)]
fn exchange(core: &mut CoreData, world: World) -> Here {
    core.switch_to(world, |core| deliver(core, world))
}

/// Makes `world` current, as [`switch`] does. `from` is of the other world.
#[inline(always)]
fn hand_over(core: &mut CoreData, world: World, from: Here) -> Here {
    // SAFETY: the handler of the caller's exit has returned `from`, which those that switch do not.
    let here = unsafe { core.hand_over(world, from, |core| deliver(core, world)) };
    call_handlers(core, world);
    here
}

/// Calls the Group 0 handlers that wait for the normal world, if `world`, which is current and runs next, is that.
#[inline(always)]
fn call_handlers(core: &mut CoreData, world: World) {
    if world == World::Normal {
        group0::before_normal(core);
    }
}

/// Delivers the interrupts that wait for the normal world, if `world` is that.
#[inline(always)]
fn deliver(core: &mut CoreData, world: World) {
    if world == World::Normal {
        on_core::deliver(core);
    }
}

/// Runs `world`, which `here` is of, until its next exit, and handles the exit.
#[inline(always)]
fn run_once(core: &mut CoreData, world: World, here: Here) -> Flow {
    // SAFETY: as in `hand_over`, or `here` has just been made.
    let (exit, x0, x1) = unsafe { core.enter(world, &here) };
    #[cfg(feature = "lab")]
    count(core, world, exit);
    if exit != Exit::SMC64_0 {
        return other_exit(core, world, exit, here);
    }
    if world == World::Normal {
        core.normal.black_box.normal(x0, x1);
    }
    let gpr = &core.context(world).gpr;
    // So the compiler has both in registers, and loads them no more.
    // SAFETY: vectors.S stores and returns the same. Only the record of the call has been written since.
    unsafe { assert_unchecked(gpr[0] == x0 && gpr[1] == x1) };
    services::call::<true>(core, world, here)
}

/// Does what [`run_once`] does, without the short cuts. Nearly always `world` is the secure one.
#[inline(always)]
fn run_nested(core: &mut CoreData, world: World, here: Here) -> Flow {
    // SAFETY: `here` has just been made.
    let (exit, ..) = unsafe { core.enter(world, &here) };
    #[cfg(feature = "lab")]
    count(core, world, exit);
    if exit != Exit::SMC64_0 {
        return other_exit(core, world, exit, here);
    }
    // The SPMC's calls have code of their own; those of the normal world, which waits for the answer, need none.
    match world {
        World::Normal => call_in_full(core, World::Normal, here),
        World::Secure => services::call::<false>(core, World::Secure, here),
    }
}

/// Counts an exit of `world`.
#[cfg(feature = "lab")]
fn count(core: &CoreData, world: World, exit: Exit) {
    use janus_plat::lab::Counter;
    let [normal, secure] = match exit.syndrome() {
        Some(esr) if matches!(esr >> 26, 0x13 | 0x17) => [Counter::NormalSmc, Counter::SecureSmc],
        Some(_) => [Counter::NormalTrap, Counter::SecureTrap],
        None if exit == Exit::SERROR => [Counter::NormalSError, Counter::SecureSError],
        None => [Counter::NormalInterrupt, Counter::SecureInterrupt],
    };
    let counter = match world {
        World::Normal => normal,
        World::Secure => secure,
    };
    crate::lab::count(core.index, counter, 1);
}

/// Handles an exit that is not `smc #0`, and notes it for the black box.
#[inline(never)]
fn other_exit(core: &mut CoreData, world: World, exit: Exit, here: Here) -> Flow {
    let syndrome = exit.syndrome();
    let [what, more] = match syndrome {
        Some(esr) => [TRAP, esr],
        None => [exit.kind(), 0],
    };
    match world {
        World::Normal => core.normal.black_box.normal(what, more),
        World::Secure => core.asked = [what as u32, more as u32],
    }
    match syndrome {
        Some(esr) => match traps::synchronous(core, world, esr) {
            Some(flow) => flow,
            None => call_in_full(core, world, here),
        },
        None if exit == Exit::SERROR => traps::serror(core, world),
        None => interrupts::handle(core, world, run_spmc, here),
    }
}

/// Handles an SMC without short cuts: one of AArch32, or in a nested run.
#[cold]
#[inline(never)]
fn call_in_full(core: &mut CoreData, world: World, here: Here) -> Flow {
    if world == World::Normal {
        let [x0, x1, ..] = core.normal.gpr;
        core.normal.black_box.normal(x0, x1);
    }
    services::call::<false>(core, world, here)
}
