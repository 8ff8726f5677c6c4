//! The registers of a core that only the secure world has. No switch exchanges them: the normal world has no such
//! register, or its own under that name. They are saved only when the core loses its power.
//!
//! EL3 accesses them with the secure world's SCR_EL3: NS selects the GIC's banked registers, EEL2 gives access to those
//! of S-EL2.

use super::el3::scr;
use super::sysreg::{SCR_EL3, isb, sysregs};
use super::timers::{CNTHPS_CTL_EL2, CNTHVS_CTL_EL2, CNTPS_CTL_EL1, CNTPS_CVAL_EL1};
use super::{El3Regs, Feature, Features};
use crate::cpu_ext::gic::{ICC_AP0R0_EL1, ICC_AP1R0_EL1, ICC_BPR1_EL1, ICC_CTLR_EL1};

sysregs! {
    /// The base of the partitions' secure translation table.
    VSTTBR_EL2 = "S3_4_C2_C6_0": read write;
    /// The control of that table.
    VSTCR_EL2 = "S3_4_C2_C6_2": read write;
    /// The timer of S-EL2.
    CNTHPS_CVAL_EL2 = "S3_4_C14_C5_2": read write;
    /// The virtual timer of S-EL2.
    CNTHVS_CVAL_EL2 = "S3_4_C14_C4_2": read write;
    /// Debug of AArch32 at secure EL0.
    SDER32_EL3 = "S3_6_C1_C1_1": read unsafe write;
    /// The enable bit of Group 1 interrupts, banked per world.
    ICC_IGRPEN1_EL1 = "S3_0_C12_C12_7": read write;
}

/// The registers' values while the core has no power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecureOnly {
    s_el2: [u64; 4],
    s_el2_virtual_timer: [u64; 2],
    timer: [u64; 2],
    sder32: u64,
    gic: [u64; 5],
}

impl SecureOnly {
    /// Nothing is saved.
    pub const EMPTY: Self = Self {
        s_el2: [0; 4],
        s_el2_virtual_timer: [0; 2],
        timer: [0; 2],
        sder32: 0,
        gic: [0; 5],
    };

    /// Saves the registers. `secure` are the secure world's EL3 registers.
    pub fn save(&mut self, features: Features, secure: &El3Regs) {
        with_scr(secure, || {
            if secure.scr_el3 & scr::EEL2 != 0 {
                self.s_el2 = [
                    VSTTBR_EL2::read(),
                    VSTCR_EL2::read(),
                    CNTHPS_CVAL_EL2::read(),
                    CNTHPS_CTL_EL2::read(),
                ];
                if features.has(Feature::VHE) {
                    self.s_el2_virtual_timer = [CNTHVS_CVAL_EL2::read(), CNTHVS_CTL_EL2::read()];
                }
            }
            self.timer = [CNTPS_CVAL_EL1::read(), CNTPS_CTL_EL1::read()];
            if features.has(Feature::AA32_EL1) {
                self.sder32 = SDER32_EL3::read();
            }
            self.gic = [
                ICC_CTLR_EL1::read(),
                ICC_BPR1_EL1::read(),
                ICC_IGRPEN1_EL1::read(),
                ICC_AP1R0_EL1::read(),
                ICC_AP0R0_EL1::read(),
            ];
        });
    }

    /// Restores the registers on a core that is set up anew. `secure` is as in [`SecureOnly::save`].
    pub fn load(&self, features: Features, secure: &El3Regs) {
        with_scr(secure, || {
            if secure.scr_el3 & scr::EEL2 != 0 {
                let [vsttbr, vstcr, cval, ctl] = self.s_el2;
                VSTTBR_EL2::write(vsttbr);
                VSTCR_EL2::write(vstcr);
                CNTHPS_CVAL_EL2::write(cval);
                CNTHPS_CTL_EL2::write(ctl);
                if features.has(Feature::VHE) {
                    CNTHVS_CVAL_EL2::write(self.s_el2_virtual_timer[0]);
                    CNTHVS_CTL_EL2::write(self.s_el2_virtual_timer[1]);
                }
            }
            CNTPS_CVAL_EL1::write(self.timer[0]);
            CNTPS_CTL_EL1::write(self.timer[1]);
            if features.has(Feature::AA32_EL1) {
                // SAFETY: this restores the secure world's setting of debug at secure EL0 in AArch32.
                unsafe { SDER32_EL3::write(self.sder32) };
            }
            let [ctlr, bpr1, igrpen1, ap1r0, ap0r0] = self.gic;
            ICC_CTLR_EL1::write(ctlr);
            ICC_BPR1_EL1::write(bpr1);
            ICC_AP1R0_EL1::write(ap1r0);
            ICC_AP0R0_EL1::write(ap0r0);
            ICC_IGRPEN1_EL1::write(igrpen1);
        });
    }
}

/// Runs `f` with SCR_EL3 of this world.
fn with_scr(world: &El3Regs, f: impl FnOnce()) {
    let before = SCR_EL3::read();
    // SAFETY: this is a world's value, which neither traps nor routes anything of EL3's own.
    unsafe { SCR_EL3::write(world.scr_el3) };
    isb();
    f();
    // SAFETY: this is the value that was there before.
    unsafe { SCR_EL3::write(before) };
    isb();
}
