//! The general queries of the Standard Secure service (SMCCC, DEN0028, section 6.2): what tells one
//! implementation of it from another.
//!
//! SMCCC 1.2 has made them optional. Janus keeps them, with the answers of TF-A's BL31, because its
//! tests and what is written after them take the UUID for "PSCI and the rest are here".

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

/// 108d905b-f863-47e8-ae2d-c0fb5641f6e2, the UUID that TF-A gave its Standard Secure service, as w0
/// to w3 have it.
const UUID: [u32; 4] = [0x108d_905b, 0x47e8_f863, 0xfbc0_2dae, 0xe2f6_4156];
/// Major and minor number of the revision that belongs to the UUID.
const REVISION_NUMBERS: [u32; 2] = [0, 1];

/// See the module's documentation.
pub struct Standard;

impl Service for Standard {
    fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
        match function {
            // FF-A's functions are not counted: FFA_FEATURES tells about them one by one.
            CALL_COUNT => words(core, from, &[PSCI.function_count()]),
            CALL_UID => words(core, from, &UUID),
            REVISION => words(core, from, &REVISION_NUMBERS),
            _ => answer(core, from, NOT_SUPPORTED),
        }
    }
}
