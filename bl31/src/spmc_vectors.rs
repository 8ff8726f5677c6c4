//! Vectors for an SPMC that takes an exception before it has set its own. Such an SPMC ends, and the console says
//! where.

use crate::core_data::CoreData;
use crate::hw::{cpu, no_vectors};
use crate::messages::error;
use janus_context::SysRegs;
use janus_context::sysreg::{ELR_EL1, ELR_EL2, ESR_EL1, ESR_EL2, FAR_EL1, FAR_EL2};
use janus_spmd::World;

/// Sets the vectors of an SPMC that is entered for the first time on a core, so that its exceptions come to EL3.
pub fn set(first: &mut SysRegs, sel2: bool) {
    let table = no_vectors::address();
    match sel2 {
        true => first.el2.el2.vbar_el2 = table,
        false => first.el1.el1.vbar_el1 = table,
    }
}

/// Reports an exception that this core's SPMC took before it set its vectors, if that is why it ended.
#[cold]
#[inline(never)]
pub fn report(core: &CoreData) {
    let (pc, _) = cpu::return_state();
    if core.current() != World::Secure || !no_vectors::contains(pc) {
        return;
    }
    let sel2 = core.system.spmc.as_ref().is_some_and(|spmc| spmc.sel2);
    let (index, level) = (core.index, 1 + u32::from(sel2));
    let (esr, elr, far) = match sel2 {
        true => (ESR_EL2::read(), ELR_EL2::read(), FAR_EL2::read()),
        false => (ESR_EL1::read(), ELR_EL1::read(), FAR_EL1::read()),
    };
    error!(
        of: index, "the SPMC took an exception before it set VBAR_EL{level}: ESR {esr:#x}, ELR {elr:#x}, FAR {far:#x}"
    );
}
