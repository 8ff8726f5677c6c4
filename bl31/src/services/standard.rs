//! The general queries of the Standard Secure service (SMCCC, DEN0028, section 6.2), which identify its
//! implementation.
//!
//! They are optional since SMCCC 1.2. Janus answers them as TF-A's BL31 does, because TF-A's tests, and software
//! written after these, take the UUID as a sign that PSCI and the other services are there.

use super::service::{NOT_SUPPORTED, Service, answer, words};
use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::power::PSCI;
use janus_spmd::World;

/// Call Count.
const CALL_COUNT: u32 = 0x8400_ff00;
/// Call UID.
const CALL_UID: u32 = 0x8400_ff01;
/// Revision Details.
const REVISION: u32 = 0x8400_ff03;

/// 108d905b-f863-47e8-ae2d-c0fb5641f6e2 in w0 to w3: the UUID that TF-A gave its Standard Secure service.
const UUID: [u32; 4] = [0x108d_905b, 0x47e8_f863, 0xfbc0_2dae, 0xe2f6_4156];
/// Major and minor number of the revision that belongs to the UUID.
const REVISION_NUMBERS: [u32; 2] = [0, 1];

/// The general queries of the Standard Secure service.
pub struct Standard;

impl Service for Standard {
    #[inline(never)]
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        match function {
            // FF-A's functions are not counted: FFA_FEATURES reports them one by one.
            CALL_COUNT => words(core, from, &[PSCI.function_count()]),
            CALL_UID => words(core, from, &UUID),
            REVISION => words(core, from, &REVISION_NUMBERS),
            _ => answer(core, from, NOT_SUPPORTED),
        }
    }
}
