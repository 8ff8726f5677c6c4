//! The TRNG firmware interface (DEN0098), with the CPU's own source of entropy if it has one.

use super::service::{NOT_SUPPORTED, Service, unknown};
use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::hw::cpu;
use crate::smc::trng;
use janus_context::{field, sysreg::ID_AA64ISAR0_EL1};
use janus_spmd::World;

/// The TRNG service.
pub struct Trng;

impl Service for Trng {
    #[inline(never)]
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        let gpr = &mut core.context(from).gpr;
        let answer = trng::call(function, gpr[1], present().then_some(entropy));
        if answer[0] == NOT_SUPPORTED {
            return unknown(core, from);
        }
        gpr[..4].copy_from_slice(&answer);
        Flow::Run(from)
    }
}

/// Returns whether the CPU has FEAT_RNG (ID_AA64ISAR0_EL1.RNDR).
pub fn present() -> bool {
    field(ID_AA64ISAR0_EL1::read(), 60) != 0
}

/// The number of attempts before a call answers NO_ENTROPY.
const ATTEMPTS: u32 = 16;

/// Returns 64 bits of RNDRRS, or None if it has failed [`ATTEMPTS`] times because its source was not ready.
fn entropy() -> Option<u64> {
    (0..ATTEMPTS).find_map(|_| cpu::random())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documents_attempts() {
        let said = format!("NO_ENTROPY after {} attempts", super::ATTEMPTS);
        assert!(include_str!("../../../docs/smccc.md").contains(&said));
    }
}
