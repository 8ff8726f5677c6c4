//! The end of the system: the deadline for the SPMC, and the platform's way to turn the system off.

use crate::context::timers;
use crate::hw::{cpu, gic};
use janus_plat::{Plat, Platform, Stop};

/// Raises the secure timer's interrupt ([`gic::is_secure_timer`]) as a Group 0 interrupt on this core when the system
/// counter reaches `when`.
pub fn interrupt_at(when: u64) {
    gic::take_secure_timer();
    timers::fire_secure_at(when);
}

/// Stops the system. It does not return.
pub fn stop_system(how: Stop) -> ! {
    Plat::stop(how);
    // The machine may take a while. This core has nothing left to do.
    cpu::stop()
}
