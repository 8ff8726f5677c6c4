//! The platform's own SMCs: finds the row of a call in its services' tables, and answers the general queries of
//! their owners.

use super::service::{unknown, words};
use crate::core_data::CoreData;
use crate::flow::Flow;
use crate::on_core::OnCore;
use crate::requests::RunSpmc;
use crate::run::run_spmc;
use janus_arm::SMC64;
use janus_plat::services::FAST;
use janus_plat::{Call, Handler, Plat, Platform, Service, services};
use janus_spmd::World;

const SERVICES: &[Service] = Plat::SERVICES;
const _: () = services::check(SERVICES);

/// The position of the owning entity's number in a function ID, and its mask.
const OWNER: u32 = 24;
const OWNERS: u32 = 0x3f;

/// General queries of a service (SMCCC, section 6.2).
const CALL_COUNT: u32 = 0xff00;
const CALL_UID: u32 = 0xff01;
const REVISION: u32 = 0xff03;

/// Returns the lowest and the highest owner among `or` and the owners of the platform's services.
pub const fn owners(or: u32) -> (u32, u32) {
    let (mut low, mut high, mut i) = (or, or, 0);
    while i < SERVICES.len() {
        let owner = SERVICES[i].owner as u32;
        if owner < low {
            low = owner;
        }
        if owner > high {
            high = owner;
        }
        i += 1;
    }
    (low, high)
}

/// Whether a service takes yielding calls, and whether a service runs code of the platform.
const NEEDS: (bool, bool) = {
    let (mut yielding, mut el3, mut i) = (false, false, 0);
    while i < SERVICES.len() {
        let needs = SERVICES[i].needs();
        yielding |= needs.0;
        el3 |= needs.1;
        i += 1;
    }
    (yielding, el3)
};
pub const YIELDING: bool = NEEDS.0;

/// Handles a call to a service of the platform. `function` is without the SVE hint.
#[inline(never)]
pub fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
    let owner = function >> OWNER & OWNERS;
    let service = SERVICES
        .iter()
        .find(|service| service.owner as u32 == owner);
    // Bits 23 to 17 are zero in every call of a service.
    let known = function & !(FAST | SMC64 | OWNERS << OWNER | 0xffff) == 0;
    let Some(service) = service.filter(|_| known) else {
        return unknown(core, from);
    };
    if let Some(row) = service.functions.iter().find(|row| row.is(from, function)) {
        return match row.handle {
            Handler::Words(answer) => words(core, from, &answer()),
            Handler::El3(handle) if NEEDS.1 => {
                // An SPMC that made the call waits for its answer, and cannot be asked meanwhile.
                let ask: Option<RunSpmc> = (from == World::Normal).then_some(run_spmc);
                handle(&mut OnCore::new(core, ask), &Call { from, function });
                Flow::Run(from)
            }
            Handler::El3(_) => unknown(core, from),
        };
    }
    match function & !(OWNERS << OWNER) {
        query if query == FAST | CALL_COUNT => words(core, from, &[service.count()]),
        query if query == FAST | CALL_UID => words(core, from, &service.uid()),
        query if query == FAST | REVISION => words(core, from, &service.revision),
        _ => unknown(core, from),
    }
}
