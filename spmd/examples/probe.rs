// SPDX-License-Identifier: BSD-3-Clause

//! The dispatcher's entry points as a library of their own. Its linked code shows that nothing in them can panic
//! (tests/never_panics.rs), and what a forwarded call costs.
//!
//! A panic calls a function that does not exist. A reference to it in the linked code means that a panic is possible.
#![no_std]
#![no_main]

use core::hint::black_box;
use janus_spmd::{Action, ConsoleLog, Core, NotAvailable, Regs, Request, SpmcConfig, Spmd, World};

unsafe extern "C" {
    fn janus_spmd_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the function does not exist, and code that calls it is never linked into a program.
    unsafe { janus_spmd_can_panic() }
}

/// Calls [`Spmd::forwards`] for the normal world.
#[unsafe(no_mangle)]
pub extern "Rust" fn probe_normal(
    spmd: &Spmd,
    core: &Core,
    normal: &Regs,
    secure: &mut Regs,
) -> bool {
    spmd.forwards(core, World::Normal, normal, secure)
}

/// Calls [`Spmd::forwards`] for the secure world.
#[unsafe(no_mangle)]
pub extern "Rust" fn probe_secure(
    spmd: &Spmd,
    core: &Core,
    secure: &Regs,
    normal: &mut Regs,
) -> bool {
    spmd.forwards(core, World::Secure, secure, normal)
}

/// Calls [`Spmd::call`].
#[unsafe(no_mangle)]
pub extern "Rust" fn probe_call(
    spmd: &Spmd,
    core: &mut Core,
    from: World,
    caller: &mut Regs,
    other: &mut Regs,
) -> Action {
    spmd.call(core, from, caller, other)
}

/// Calls [`ConsoleLog::lines`].
#[unsafe(no_mangle)]
pub extern "Rust" fn probe_console(log: ConsoleLog, core: &mut Core, secure: &mut Regs) {
    log.lines(core, secure, |line| {
        black_box(line);
    });
}

/// Calls the other functions of the dispatcher that a call or an interrupt can reach.
#[unsafe(no_mangle)]
pub extern "Rust" fn probe_rest(
    spmd: &Spmd,
    core: &mut Core,
    request: Request,
    registers: &mut Regs,
) -> Result<(), NotAvailable> {
    let _ = black_box(spmd.secure_interrupt(core, registers));
    let _ = black_box(spmd.abort(core, registers));
    black_box((spmd.entry(true), spmd.versions(), core.state()));
    core.take_unfinished_line(|line| {
        black_box(line);
    });
    core.turn_off();
    black_box(core.begin_boot(spmd, false));
    spmd.request(core, request, registers)
}

/// Calls [`Spmd::with_spmc`].
#[unsafe(no_mangle)]
pub extern "Rust" fn probe_new(config: SpmcConfig) -> Spmd {
    Spmd::with_spmc(config)
}
