//! The end of a run: the platform's way to turn the system off.

use crate::hw::cpu;
use janus_plat::{Plat, Platform, PowerOff};

/// Stops the system; does not return.
pub fn stop_system(how: PowerOff) -> ! {
    Plat::power_off(how);
    // The machine acts when it gets to it, without this core.
    cpu::stop()
}
