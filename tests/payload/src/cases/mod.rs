//! The cases, by area.

use crate::framework::case::Case;

mod boot;
mod event;
pub(crate) mod ffa;
pub(crate) mod fuzz;
mod lab;
mod lfa;
mod lifecycle;
mod no_ffa;
mod old_spmc;
mod platform;
pub(crate) mod poison;
mod psci;
mod requests;
mod smccc;
mod sri;

static AREAS: &[&[Case]] = &[
    boot::CASES,
    smccc::CASES,
    platform::CASES,
    requests::CASES,
    lab::CASES,
    lfa::CASES,
    event::CASES,
    ffa::version::CASES,
    ffa::ids::CASES,
    ffa::direct::CASES,
    ffa::table::CASES,
    ffa::verbatim::CASES,
    ffa::vm_messages::CASES,
    ffa::interrupt::CASES,
    ffa::power::CASES,
    ffa::partition::CASES,
    ffa::services::CASES,
    psci::basics::CASES,
    psci::arguments::CASES,
    psci::races::CASES,
    psci::suspend::CASES,
    psci::clusters::CASES,
    psci::interrupts::CASES,
    psci::reset::CASES,
    sri::CASES,
    sri::doorbell::CASES,
    sri::notifications::CASES,
    poison::closed::CASES,
    poison::CASES,
    poison::vectors::CASES,
    poison::features::CASES,
    poison::power::CASES,
    poison::cycles::CASES,
    lifecycle::trusty::CASES,
    lifecycle::xen::CASES,
    lifecycle::hafnium::CASES,
    lifecycle::gunyah::CASES,
    old_spmc::CASES,
    ffa::failure::CASES,
    no_ffa::CASES,
    fuzz::CASES,
];

/// Returns all cases. A case has the same index in all images.
pub fn all() -> impl Iterator<Item = &'static Case> {
    AREAS.iter().flat_map(|area| area.iter())
}

/// Returns the case with this index.
pub fn all_by_index(index: usize) -> Option<&'static Case> {
    all().nth(index)
}
