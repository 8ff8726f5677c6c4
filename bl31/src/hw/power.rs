//! The end of a run: the platform's way to turn the system off.

use crate::hw::cpu;
use janus_plat::{Plat, Platform, Stop};

/// Stops the system; does not return.
pub fn stop_system(how: Stop) -> ! {
    Plat::stop(how);
    // The machine acts when it gets to it, without this core.
    cpu::stop()
}
