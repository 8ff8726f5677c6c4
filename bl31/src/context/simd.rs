//! Vector and matrix registers.

use super::{El3Regs, Feature, Features, SpmcMode, World, el3::cptr};

/// One core's vector state of the world that is not in the CPU, and which world has used what.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Simd {
    /// The function ID of the call that leaves the normal world, for its hint; zero for an
    /// interrupt.
    call: u32,
}

impl Simd {
    /// A core that just came on.
    pub const EMPTY: Self = Self { call: 0 };

    /// To be told for each SMC of the normal world that may go to the secure world, with w0: bit 16
    /// says that no SVE state is live (SMCCC 1.3). Zero for an interrupt.
    #[inline(always)]
    pub fn call(&mut self, function: u32) {
        self.call = function;
    }

    /// How much of the vector registers `world` starts with.
    pub fn open(features: Features, mode: SpmcMode, world: World, el3: &mut El3Regs) {
        if world == World::Normal || mode.el2() {
            if features.has(Feature::SVE) {
                el3.cptr_el3 |= cptr::EZ;
            }
            if features.has(Feature::SME) {
                el3.cptr_el3 |= cptr::ESM;
            }
        }
    }
}
