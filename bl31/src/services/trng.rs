//! The TRNG firmware interface (DEN0098) on the CPU's own source of entropy, where it has one.

use super::service::{Service};
use crate::flow::{Flow};
use crate::context::{field, mrs};
use crate::core_data::CoreData;
use crate::smc::trng;
use core::arch::asm;
use janus_spmd::World;

/// See the module's documentation.
pub struct Trng;

impl Service for Trng {
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        let gpr = &mut core.context(from).gpr;
        let answer = trng::call(function, gpr[1], present().then_some(entropy));
        gpr[..4].copy_from_slice(&answer);
        Flow::Run(from)
    }
}

/// Whether the CPU has FEAT_RNG (ID_AA64ISAR0_EL1.RNDR).
pub fn present() -> bool {
    field(mrs!("ID_AA64ISAR0_EL1"), 60) != 0
}

/// 64 bits of RNDRRS, whose generator is reseeded before. It may have to wait for its source, and
/// then says so; after some attempts the caller hears that there is no entropy just now.
fn entropy() -> Option<u64> {
    for _ in 0..16 {
        let (value, valid): (u64, u64);
        // SAFETY: `present` said that the register exists. Reads it, and whether the read worked:
        // Z is set if not.
        unsafe {
            asm!(
                "mrs {value}, S3_3_C2_C4_1",
                "cset {valid}, ne",
                value = out(reg) value,
                valid = out(reg) valid,
                options(nomem, nostack),
            );
        }
        if valid != 0 {
            return Some(value);
        }
    }
    None
}
