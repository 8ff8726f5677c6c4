//! Exceptions other than `smc #0` that lower ELs take to EL3.
//!
//! [`janus_context::Policy`] resolves the accesses that EL3 traps on purpose. Every other exception becomes an
//! UNDEFINED exception at the EL that caused it. A lower EL can harm itself in this way, but it can neither stop
//! EL3 nor learn anything.

use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::messages::error;
use crate::services::{ffa, service::unknown};
use janus_arm::{SMC64, World};

/// Exception class of an SMC in AArch32.
const EC_SMC32: u64 = 0x13;
/// Exception class of an SMC in AArch64.
const EC_SMC64: u64 = 0x17;

/// Handles a synchronous exception of `world` with this ESR_EL3. Returns None if it is an SMC, which
/// [`crate::services::call`] handles.
#[cold]
pub fn synchronous(core: &mut CoreData, world: World, esr: u64) -> Option<Flow> {
    let x0 = core.context(world).gpr[0];
    match esr >> 26 & 0x3f {
        // SMCCC reserves every immediate but zero.
        EC_SMC64 if esr & 0xffff != 0 => {}
        // AArch32 has no SMC64 calls: such an ID names no function there.
        EC_SMC32 if x0 as u32 & SMC64 != 0 => {}
        EC_SMC64 | EC_SMC32 => return None,
        _ => {
            let this = match world {
                World::Normal => &mut core.normal,
                World::Secure => &mut core.secure,
            };
            core.system.policy.resolve_trap(
                &mut core.live,
                world,
                &mut this.el3,
                &mut this.gpr,
                &mut core.parked,
                esr,
            );
            return Some(Flow::Run(world));
        }
    }
    Some(unknown(core, world))
}

/// Handles an SError that was taken to EL3 while `world` ran. None is expected: SCR_EL3.EA is clear, so that each world
/// takes its own SErrors. Memory of the secure world may be corrupt afterwards, so its SPMC does not go on.
#[cold]
pub fn serror(core: &mut CoreData, world: World) -> Flow {
    report_serror(core.index, world);
    match world {
        World::Normal => Flow::Run(World::Normal),
        World::Secure => ffa::abort(core),
    }
}

/// Reports an SError. It is not inlined, so that its frame is gone when the SPMC's end is handled.
#[inline(never)]
fn report_serror(core: usize, world: World) {
    error!(of: core, "SError taken from the {world:?} world");
}
