//! The end of the system: the deadline for the SPMC, and the platform's way to turn the system off.

use crate::hw::gic::Ppi;
use crate::hw::{cpu, gic};
use janus_context::timers;
use janus_plat::{Plat, Platform, Stop};

/// Raises the secure timer's interrupt ([`gic::is_secure_timer`]) as a Group 0 interrupt on this core when the system
/// counter reaches `when`.
pub fn interrupt_at(when: u64) {
    gic::take_secure_timer();
    timers::fire_secure_at(when);
}

/// The secure physical timer as it was, while it is EL3's.
pub struct Lent {
    interrupt: Option<Ppi>,
    timer: [u64; 2],
    /// Whether the normal world's interrupts wait, which came to this core before.
    held: bool,
}

/// Has a Group 0 interrupt come to this core when the system counter is at `when`, as [`interrupt_at`], until
/// [`return_timer`]. `hold`: the normal world's interrupts wait.
pub fn borrow_timer(when: u64, hold: bool) -> Lent {
    let held = hold && gic::hold_normal_world(true);
    let timer = timers::secure();
    let interrupt = gic::borrow_secure_timer();
    timers::fire_secure_at(when);
    Lent {
        interrupt,
        timer,
        held,
    }
}

/// The timer's interrupt came before the time `when`: the SPMC has set it for itself. It gets that when the timer is
/// returned.
pub fn take_timer_again(lent: &mut Lent, when: u64) {
    lent.timer = timers::secure();
    timers::fire_secure_at(when);
}

/// The timer is no longer EL3's, which had set it to `when`. What the SPMC has set since stays. `alive`: there is an
/// SPMC to take its interrupt.
pub fn return_timer(lent: Lent, when: u64, alive: bool) {
    let timer = match timers::secure() {
        _ if !alive => [0; 2],
        now if timers::is_set_to(now, when) => lent.timer,
        now => now,
    };
    timers::set_secure(timer);
    if let Some(interrupt) = &lent.interrupt {
        gic::return_secure_timer(interrupt, alive);
    }
    if lent.held {
        gic::hold_normal_world(false);
    }
}

/// Stops the system. It does not return.
pub fn stop_system(how: Stop) -> ! {
    Plat::stop(how);
    // The machine may take a while. This core has nothing left to do.
    cpu::stop()
}
