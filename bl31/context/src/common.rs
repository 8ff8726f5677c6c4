//! The registers that are switched, or kept for the normal world, with every SPMC.

use super::registers::{bank, registers};
use crate::cpu_ext::list::every_extension;

registers! {
    /// The hypervisor's timer. The compare value is first: a control register must not come into effect with the
    /// other world's compare value.
    pub kept struct HypTimer in CommonBank.hyp_timer {
        cnthp_cval_el2 = "CNTHP_CVAL_EL2",
        cnthp_ctl_el2 = "CNTHP_CTL_EL2",
    }
}

registers! {
    /// The hypervisor's virtual timer (FEAT_VHE).
    pub kept struct HypVirtualTimer in CommonBank.hyp_virtual_timer {
        cnthv_cval_el2 = "S3_4_C14_C3_2",
        cnthv_ctl_el2 = "S3_4_C14_C3_1",
    }
}

registers! {
    /// The kernel's timers.
    pub kept struct KernelTimers in CommonBank.kernel_timers {
        cntp_cval_el0 = "CNTP_CVAL_EL0",
        cntp_ctl_el0 = "CNTP_CTL_EL0",
        cntv_cval_el0 = "CNTV_CVAL_EL0",
        cntv_ctl_el0 = "CNTV_CTL_EL0",
    }
}

every_extension! {
    bank! (
        /// The registers that are switched for every SPMC. An SPMC cannot save them itself, because the hardware or
        /// the firmware uses them before its first instruction; or existing SPMCs rely on EL3 for them.
        pub struct CommonBank: Common, around [super::registers::BELOW] {
            base { }
            kept {
                hyp_timer: HypTimer,
                hyp_virtual_timer: HypVirtualTimer,
                kernel_timers: KernelTimers,
            }
        }
    )
}
