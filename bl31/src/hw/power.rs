//! The end of a run: the platform's way to turn the system off.

use crate::context::timers;
use crate::hw::{cpu, gic};
use janus_plat::{Plat, Platform, Stop};

/// Has a Group 0 interrupt, [`gic::is_secure_timer`], come to this core when the system counter is at
/// `when`.
pub fn interrupt_at(when: u64) {
    gic::take_secure_timer();
    timers::fire_secure_at(when);
}

/// Stops the system; does not return.
pub fn stop_system(how: Stop) -> ! {
    Plat::stop(how);
    // The machine acts when it gets to it, without this core.
    cpu::stop()
}
