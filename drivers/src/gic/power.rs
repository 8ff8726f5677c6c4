//! The power of a redistributor: GICR_WAKER, and GICR_PWRR where a GIC-600 or GIC-700 has one.
//!
//! arm-gic 0.10 has these sequences, too (`GicRedistributor::power_on` and `power_off`), but waits for
//! the group's transition on a value of GICR_PWRR that it has read once: for ever, where it finds the
//! group on its way. So they are done here.

use super::Redistributor;
use arm_gic::gicv3::registers::{Gicr, GicrIidr, GicrPwrr};
use core::hint::spin_loop;
use safe_mmio::{UniqueMmioPointer, field, field_shared};

impl Redistributor {
    /// Powers the redistributor up where it has a switch for that (GIC-600, GIC-700), and tells it
    /// that its core is awake. Does nothing if it knows.
    pub fn wake(&mut self) {
        self.power_on();
        // The only error is "already awake".
        let _ = self.regs().mark_core_awake();
    }

    /// Tells the redistributor that its core goes to sleep: from now on an interrupt for the core
    /// asks the power controller to wake it (11.1). The CPU interface must be disabled before.
    pub fn sleep(&mut self) {
        // The only error is "already asleep".
        let _ = self.regs().mark_core_asleep();
        self.power_off();
    }

    /// Powers the redistributor up, if it has a switch for that.
    pub(super) fn power_on(&mut self) {
        let mut frame = self.frame();
        let mut gicr = field!(frame, gicr);
        if !has_switch(&gicr) {
            return;
        }
        loop {
            wait_for_group(&gicr);
            field!(gicr, pwrr).write(GicrPwrr::empty());
            // The group may have begun to power down in between: then the write was ignored.
            let pwrr = field_shared!(gicr, pwrr).read();
            if !pwrr.contains(GicrPwrr::RedistributorPowerDown) {
                return;
            }
        }
    }

    /// Powers the redistributor down, if it has a switch for that.
    fn power_off(&mut self) {
        let mut frame = self.frame();
        let mut gicr = field!(frame, gicr);
        if !has_switch(&gicr) {
            return;
        }
        wait_for_group(&gicr);
        field!(gicr, pwrr).write(GicrPwrr::RedistributorPowerDown);
        // The last one of its group takes the group with it, unless another one wakes up meanwhile.
        let pwrr = field_shared!(gicr, pwrr).read();
        if pwrr.contains(GicrPwrr::RedistributorGroupPowerDown) {
            wait_for_group(&gicr);
        }
    }
}

/// Returns whether this redistributor has GICR_PWRR: a GIC-600, GIC-600AE or GIC-700.
fn has_switch(gicr: &UniqueMmioPointer<'_, Gicr>) -> bool {
    matches!(
        field_shared!(gicr, iidr).read().model_id(),
        GicrIidr::MODEL_ID_ARM_GIC_600
            | GicrIidr::MODEL_ID_ARM_GIC_600AE
            | GicrIidr::MODEL_ID_ARM_GIC_700
    )
}

/// Waits until the redistributor's group is as on or off as it was last told to be.
fn wait_for_group(gicr: &UniqueMmioPointer<'_, Gicr>) {
    loop {
        let pwrr = field_shared!(gicr, pwrr).read();
        if pwrr.contains(GicrPwrr::RedistributorGroupPowerDown)
            == pwrr.contains(GicrPwrr::RedistributorGroupPoweredOff)
        {
            return;
        }
        spin_loop();
    }
}
