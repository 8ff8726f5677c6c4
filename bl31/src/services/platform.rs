//! The platform's own SMCs, and what its code may do on a core.

use super::ffa::report_death;
use super::service::unknown;
use crate::core_data::CoreData;
use crate::flow::{Flow, SpmcEvent};
use crate::hw::cpu;
use crate::{run, spsr};
use janus_arm::{SMC64, SVE_HINT};
use janus_plat::{El3, Plat, Platform, Unfit};
use janus_spmd::{Answer, Messenger, NotAvailable, Regs, Request, World};

/// Bit 31: a fast call. (A yielding call is no service's.)
const FAST: u32 = 1 << 31;

/// Handles a call of an owner that is none of EL3's own.
#[inline(always)]
pub fn call(core: &mut CoreData, from: World, function: u32) -> Flow {
    if Plat::SERVICES.is_empty() {
        return unknown(core, from);
    }
    owned(core, from, function & !SVE_HINT)
}

#[inline(never)]
fn owned(core: &mut CoreData, from: World, function: u32) -> Flow {
    let owner = function >> 24 & 0x3f;
    let mut services = Plat::SERVICES.iter();
    let service = services.find(|(of, _)| *of as u32 == owner && function & FAST != 0);
    // Bits 23 to 17 are zero in every fast call.
    let known = function & !(FAST | SMC64 | 0x3f << 24 | 0xffff) == 0;
    // A call of the SPMC's is not answered yet: it cannot be asked meanwhile.
    let spmc_waits = from == World::Secure;
    match service {
        Some((_, service))
            if known && service.call(&mut OnCore::new(core, spmc_waits), from, function) =>
        {
            Flow::Run(from)
        }
        _ => unknown(core, from),
    }
}

/// A core on which code of the platform's runs.
pub struct OnCore<'a> {
    core: &'a mut CoreData,
    spmc_waits: bool,
}

impl<'a> OnCore<'a> {
    /// This core. `spmc_waits`: for EL3, so that it cannot be asked.
    pub fn new(core: &'a mut CoreData, spmc_waits: bool) -> Self {
        Self { core, spmc_waits }
    }
}

impl Messenger for OnCore<'_> {
    fn ask(&mut self, request: Request) -> Result<Regs, NotAvailable> {
        if self.spmc_waits {
            return Err(NotAvailable::Busy);
        }
        let core = &mut *self.core;
        core.system
            .spmd
            .request(&mut core.spmd, request, core.secure.args())?;
        match run::run_spmc(core) {
            SpmcEvent::Answered(Answer::Message) => Ok(*core.secure.args()),
            _ => {
                report_death(core);
                Err(NotAvailable::NoSpmc)
            }
        }
    }
}

impl El3 for OnCore<'_> {
    fn index(&self) -> usize {
        self.core.index
    }

    fn registers(&mut self, world: World) -> &mut [u64; 31] {
        &mut self.core.context(world).gpr
    }

    fn normal_state(&mut self) -> (u64, u64) {
        if self.core.current() == World::Normal {
            cpu::return_state()
        } else {
            (self.core.normal.elr_el3, self.core.normal.spsr_el3)
        }
    }

    fn set_normal_state(&mut self, elr: u64, spsr: u64) -> Result<(), Unfit> {
        spsr::check(elr, spsr, cpu::has_el2(), Plat::NORMAL_RAM).map_err(|_| Unfit)?;
        if self.core.current() == World::Normal {
            cpu::set_return_state(elr, spsr);
        } else {
            (self.core.normal.elr_el3, self.core.normal.spsr_el3) = (elr, spsr);
        }
        Ok(())
    }
}
