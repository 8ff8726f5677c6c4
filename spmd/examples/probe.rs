// SPDX-License-Identifier: BSD-3-Clause

//! The dispatcher's entry points as a library of their own, for what can only be seen in linked code:
//! that nothing in them can panic (tests/never_panics.rs), and what a forwarded call costs.
//!
//! A panic calls a function that does not exist, so that one reference to it tells.
#![no_std]
#![no_main]
#![allow(missing_docs, clippy::missing_safety_doc)]

use core::hint::black_box;
use janus_spmd::{Action, ConsoleLog, Core, NotAvailable, Regs, Request, SpmcConfig, Spmd, World};

unsafe extern "C" {
    fn janus_spmd_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never linked; see above.
    unsafe { janus_spmd_can_panic() }
}

#[unsafe(no_mangle)]
pub extern "Rust" fn probe_normal(
    spmd: &Spmd,
    core: &Core,
    normal: &Regs,
    secure: &mut Regs,
) -> bool {
    spmd.forwards(core, World::Normal, normal, secure)
}

#[unsafe(no_mangle)]
pub extern "Rust" fn probe_secure(
    spmd: &Spmd,
    core: &Core,
    secure: &Regs,
    normal: &mut Regs,
) -> bool {
    spmd.forwards(core, World::Secure, secure, normal)
}

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

#[unsafe(no_mangle)]
pub extern "Rust" fn probe_console(log: ConsoleLog, core: &mut Core, secure: &mut Regs) {
    log.lines(core, secure, |line| {
        black_box(line);
    });
}

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

#[unsafe(no_mangle)]
pub extern "Rust" fn probe_new(config: SpmcConfig) -> Spmd {
    Spmd::with_spmc(config)
}
