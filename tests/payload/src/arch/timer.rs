//! The generic timers: the time, delays, and the timers that interrupt each world or wake a core.

use super::cpu;
use crate::machine::{HERE, WakeUp};
use crate::{mrs, msr};

/// Returns the INTID of the secure physical timer of this level: CNTPS at S-EL1, CNTHPS at S-EL2.
pub fn secure_intid() -> u32 {
    if cpu::el() == 2 { 20 } else { 29 }
}

/// Returns the system counter, in ticks since power on.
pub fn now() -> u64 {
    mrs!("cntpct_el0")
}

/// Converts microseconds to ticks of the system counter.
pub fn ticks(microseconds: u64) -> u64 {
    mrs!("cntfrq_el0") * microseconds / 1_000_000
}

/// Spins for `microseconds`.
pub fn delay(microseconds: u64) {
    let end = now() + ticks(microseconds);
    while now() < end {
        core::hint::spin_loop();
    }
}

/// Waits until `done` returns true. Returns false if it does not within `seconds`. That is a guard against hangs: the
/// time is generous, because the machine may be slow.
pub fn wait_until(seconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let end = now() + ticks(seconds * 1_000_000);
    while !done() {
        if now() > end {
            return done();
        }
        core::hint::spin_loop();
    }
    true
}

/// Starts this core's secure physical timer. Its interrupt comes after `microseconds`.
pub fn start_secure(microseconds: u64) {
    let value = ticks(microseconds);
    if cpu::el() == 2 {
        msr!("S3_4_C14_C5_0", value); // CNTHPS_TVAL_EL2
        msr!("S3_4_C14_C5_1", 1); // CNTHPS_CTL_EL2
    } else {
        msr!("S3_7_C14_C2_0", value); // CNTPS_TVAL_EL1
        msr!("S3_7_C14_C2_1", 1); // CNTPS_CTL_EL1
    }
}

/// Stops this core's secure physical timer and its interrupt.
pub fn stop_secure() {
    if cpu::el() == 2 {
        msr!("S3_4_C14_C5_1", 0);
    } else {
        msr!("S3_7_C14_C2_1", 0);
    }
}

/// Returns the control register of this core's secure physical timer.
pub fn secure_control() -> u64 {
    if cpu::el() == 2 {
        mrs!("S3_4_C14_C5_1")
    } else {
        mrs!("S3_7_C14_C2_1")
    }
}

/// Starts the hypervisor's EL2 physical timer (INTID 26).
pub fn start_el2(microseconds: u64) {
    msr!("cnthp_tval_el2", ticks(microseconds));
    msr!("cnthp_ctl_el2", 1);
}

/// Stops the hypervisor's EL2 physical timer.
pub fn stop_el2() {
    msr!("cnthp_ctl_el2", 0);
}

/// The INTID of the EL2 physical timer.
pub const EL2_INTID: u32 = 26;

/// Returns the INTID of the wake-up timer, which ends a suspend in which this core has no power.
pub fn wake_up_intid() -> u32 {
    match HERE.wake_up {
        WakeUp::OwnTimer => EL2_INTID,
        WakeUp::Frame { intid, .. } => intid,
    }
}

/// Starts the wake-up timer. If it is a memory-mapped frame, all cores share it.
pub fn start_wake_up(microseconds: u64) {
    match HERE.wake_up {
        WakeUp::OwnTimer => start_el2(microseconds),
        WakeUp::Frame { base, .. } => {
            write(base + 0x28, ticks(microseconds) as u32); // CNTP_TVAL
            write(base + 0x2c, 1); // CNTP_CTL
        }
    }
}

/// Stops the wake-up timer.
pub fn stop_wake_up() {
    match HERE.wake_up {
        WakeUp::OwnTimer => stop_el2(),
        WakeUp::Frame { base, .. } => write(base + 0x2c, 0),
    }
}

fn write(address: usize, value: u32) {
    // SAFETY: called with the addresses of a timer frame's registers, mapped as device memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}
