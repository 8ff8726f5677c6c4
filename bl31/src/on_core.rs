//! EL3 as the platform's code sees it, in a service, a Group 0 handler or a logical partition.

use crate::core_data::CoreData;
use crate::hw::{cpu, gic};
use crate::requests::{self, RunSpmc};
use crate::{spsr, watch};
use janus_plat::{El3, Plat, Platform, Unfit};
use janus_spmd::{Answer, Interrupts, Messenger, NotAvailable, Regs, Request, World};

/// How long an SPMC may take to say which partitions it has, in milliseconds.
const DISCOVERY_MS: u32 = 5000;

/// A core on which the platform's code runs.
pub struct OnCore<'a> {
    core: &'a mut CoreData,
    run_spmc: Option<RunSpmc>,
}

impl<'a> OnCore<'a> {
    /// Wraps this core. `run_spmc` runs the SPMC; None if the SPMC waits for EL3 and cannot be asked.
    pub fn new(core: &'a mut CoreData, run_spmc: Option<RunSpmc>) -> Self {
        Self { core, run_spmc }
    }
}

impl Messenger for OnCore<'_> {
    fn ask(&mut self, request: Request) -> Result<Regs, NotAvailable> {
        let Some(run_spmc) = self.run_spmc else {
            return Err(NotAvailable::Busy);
        };
        let (patience_ms, hold) = self.terms(&request);
        let core = &mut *self.core;
        requests::begin(core, request)?;
        watch::begin(core, patience_ms, hold);
        let event = gic::without_secure_priorities(|| run_spmc(core));
        let answer = requests::end(core, event);
        watch::end(core);
        match answer {
            Answer::Message => Ok(*core.secure.args()),
            _ => Err(NotAvailable::Died),
        }
    }
}

impl OnCore<'_> {
    /// How long a request may take, and whether the normal world's interrupts wait meanwhile: as its partition says.
    fn terms(&self, request: &Request) -> (u32, bool) {
        let spmc = self.core.system.spmd.spmc();
        let partition = request.sender().and_then(|id| spmc?.partition(id));
        partition.map_or((DISCOVERY_MS, true), |partition| {
            let hold = partition.interrupts() == Interrupts::Wait;
            (partition.patience_ms(), hold)
        })
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
            // SAFETY: checked above.
            unsafe { cpu::set_return_state(elr, spsr) };
        } else {
            (self.core.normal.elr_el3, self.core.normal.spsr_el3) = (elr, spsr);
        }
        Ok(())
    }

    #[cfg(feature = "lab")]
    fn counter(&self, number: u32, core: Option<usize>) -> Option<u64> {
        crate::lab::read(number, core)
    }
}
