//! Timers that belong to the normal world alone, and keep running while the secure world does.
//!
//! The architecture gives the secure world timers of its own: CNTPS at EL1, CNTHPS and CNTHVS at EL2.
//! CNTP, CNTV, CNTHP and CNTHV are the normal world's, and their interrupts are how it gets a core
//! back from a secure world that works for long. Exchanging them would take that away from it. The
//! secure world can reach the registers all the same. So what they hold is saved when the normal
//! world leaves and put back when it returns: it loses nothing, whatever the secure world does to
//! them meanwhile, and a timer that expired in between is pending as it should be.
//!
//! Where the SPMC runs at S-EL2, the timers of EL1 are among the state that it keeps apart itself.

use super::common::{CommonBank, HypTimer, HypVirtualTimer, KernelTimers};
use super::registers::BIAS;
use super::sysreg::{isb, sysregs};
use super::{Feature, Features, SpmcMode, Switch, Switched};

/// Saves the normal world's timers.
#[inline(always)]
pub(super) fn save(switched: Switched, bank: &mut CommonBank) {
    let bank = core::ptr::from_mut(bank).cast::<u8>().wrapping_add(BIAS);
    // SAFETY: the CPU has the registers, and EL3 uses none of these timers.
    unsafe {
        if switched.is(Switch::El2) {
            HypTimer::save(bank);
            if switched.has(Feature::VHE) {
                HypVirtualTimer::save(bank);
            }
        }
        if switched.is(Switch::El1) {
            KernelTimers::save(bank);
        }
    }
}

/// Puts the normal world's timers back.
#[inline(always)]
pub(super) fn load(switched: Switched, bank: &CommonBank) {
    let bank = core::ptr::from_ref(bank).cast::<u8>().wrapping_add(BIAS);
    // SAFETY: as above.
    unsafe {
        if switched.is(Switch::El2) {
            HypTimer::load(bank);
            if switched.has(Feature::VHE) {
                HypVirtualTimer::load(bank);
            }
        }
        if switched.is(Switch::El1) {
            KernelTimers::load(bank);
        }
    }
}

sysregs! {
    CNTP_CTL_EL0 = "CNTP_CTL_EL0": write;
    CNTV_CTL_EL0 = "CNTV_CTL_EL0": write;
    CNTHP_CTL_EL2 = "CNTHP_CTL_EL2": write;
    CNTHV_CTL_EL2 = "S3_4_C14_C3_1": write;
    CNTP_CVAL_EL0 = "CNTP_CVAL_EL0": write;
    CNTV_CVAL_EL0 = "CNTV_CVAL_EL0": write;
    CNTHP_CVAL_EL2 = "CNTHP_CVAL_EL2": write;
    CNTHV_CVAL_EL2 = "S3_4_C14_C3_2": write;
    CNTPS_CTL_EL1 = "CNTPS_CTL_EL1": read write;
    CNTPS_CVAL_EL1 = "CNTPS_CVAL_EL1": read write;
    CNTHPS_CTL_EL2 = "S3_4_C14_C5_1": read write;
    CNTHVS_CTL_EL2 = "S3_4_C14_C4_1": read write;
}

/// Stops the normal world's timers. The secure world may have written them last, before the core was off:
/// the normal world does not find what it left.
pub(super) fn reset_normal(features: Features) {
    CNTP_CTL_EL0::write(0);
    CNTP_CVAL_EL0::write(0);
    CNTV_CTL_EL0::write(0);
    CNTV_CVAL_EL0::write(0);
    if features.has(Feature::EL2) {
        CNTHP_CTL_EL2::write(0);
        CNTHP_CVAL_EL2::write(0);
    }
    if features.has(Feature::VHE) {
        CNTHV_CTL_EL2::write(0);
        CNTHV_CVAL_EL2::write(0);
    }
}

/// Has the secure physical timer fire when the system counter is at `when`. EL3 can always use it. The
/// SPMC's at S-EL1 it is no more; the one at S-EL2 has others.
pub fn fire_secure_at(when: u64) {
    CNTPS_CVAL_EL1::write(when);
    CNTPS_CTL_EL1::write(1);
    isb();
}

/// Stops the secure world's timers. SCR_EL3 is the secure world's.
pub(super) fn stop_secure(features: Features, mode: SpmcMode) {
    CNTPS_CTL_EL1::write(0);
    if mode.el2() {
        CNTHPS_CTL_EL2::write(0);
        if features.has(Feature::VHE) {
            CNTHVS_CTL_EL2::write(0);
        }
    }
}
