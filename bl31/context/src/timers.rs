//! Timers that belong to the normal world alone, and keep running while the secure world does.
//!
//! The architecture gives the secure world timers of its own: CNTPS at EL1, CNTHPS and CNTHVS at EL2.
//! CNTP, CNTV, CNTHP and CNTHV belong to the normal world. Their interrupts give it the core back from a secure
//! world that works for long, so they must not be exchanged. But the secure world can write the registers. So
//! their values are saved when the normal world leaves and restored when it returns. It loses nothing, whatever
//! the secure world does to them, and a timer that has expired in between is then pending.
//!
//! An SPMC at S-EL2 saves and restores the timers of EL1 itself.

use super::common::{CommonBank, HypTimer, HypVirtualTimer, KernelTimers};
use super::sysreg::{isb, sysregs};
use super::{Feature, Features, SpmcMode, Switch, Switched};

/// Saves the normal world's timers of the banks that are switched.
pub(super) fn save(switched: Switched, bank: &mut CommonBank) {
    // SAFETY: the CPU has the registers.
    unsafe {
        if switched.is(Switch::El2) {
            if switched.has(Feature::VHE) {
                save_el2(bank);
            } else {
                HypTimer::save(bank.around_mut());
            }
        }
        if switched.is(Switch::El1) {
            save_el1(bank);
        }
    }
}

/// Restores the normal world's timers of the banks that are switched.
pub(super) fn load(switched: Switched, bank: &CommonBank) {
    // SAFETY: the CPU has the registers.
    unsafe {
        if switched.is(Switch::El2) {
            if switched.has(Feature::VHE) {
                load_el2(bank);
            } else {
                HypTimer::load(bank.around());
            }
        }
        if switched.is(Switch::El1) {
            load_el1(bank);
        }
    }
}

/// Saves the hypervisor's timers.
///
/// # Safety
///
/// The CPU has EL2 and FEAT_VHE. EL3 uses none of these timers.
#[inline(always)]
pub(super) unsafe fn save_el2(bank: &mut CommonBank) {
    let bank = bank.around_mut();
    // SAFETY: as the caller promises.
    unsafe {
        HypTimer::save(bank);
        HypVirtualTimer::save(bank);
    }
}

/// Restores the hypervisor's timers.
///
/// # Safety
///
/// As for [`save_el2`].
#[inline(always)]
pub(super) unsafe fn load_el2(bank: &CommonBank) {
    let bank = bank.around();
    // SAFETY: as the caller promises.
    unsafe {
        HypTimer::load(bank);
        HypVirtualTimer::load(bank);
    }
}

/// Saves the kernel's timers.
#[inline(always)]
pub(super) fn save_el1(bank: &mut CommonBank) {
    // SAFETY: every CPU has them, and EL3 does not use them.
    unsafe { KernelTimers::save(bank.around_mut()) }
}

/// Restores the kernel's timers.
#[inline(always)]
pub(super) fn load_el1(bank: &CommonBank) {
    // SAFETY: every CPU has them, and EL3 does not use them.
    unsafe { KernelTimers::load(bank.around()) }
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

/// Stops the normal world's timers and clears their compare values, which the secure world may have written before the
/// core was off.
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

/// Has the secure physical timer fire when the system counter is at `when`. EL3 takes it over for good: an SPMC at
/// S-EL1 loses its timer; an SPMC at S-EL2 has others.
pub fn fire_secure_at(when: u64) {
    CNTPS_CVAL_EL1::write(when);
    CNTPS_CTL_EL1::write(1);
    isb();
}

/// The secure physical timer: when it fires, and its control. EL3 can always use it.
pub fn secure() -> [u64; 2] {
    [CNTPS_CVAL_EL1::read(), CNTPS_CTL_EL1::read()]
}

/// Sets the secure physical timer.
pub fn set_secure([when, control]: [u64; 2]) {
    CNTPS_CVAL_EL1::write(when);
    CNTPS_CTL_EL1::write(control);
    isb();
}

/// Whether that is what [`fire_secure_at`] sets.
pub fn is_set_to([at, control]: [u64; 2], when: u64) -> bool {
    // ISTATUS, which says that it has fired, is no setting.
    at == when && control & 3 == 1
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
