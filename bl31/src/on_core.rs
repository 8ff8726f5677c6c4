//! EL3 as the platform's code sees it, in a service, a Group 0 handler or a logical partition.

use crate::core_data::CoreData;
use crate::hw::{cpu, gic};
use crate::requests::{self, RunSpmc};
use crate::{redirect, sri, watch};
use janus_plat::{El3, Unfit};
use janus_spmd::{Answer, Interrupts, Messenger, NotAvailable, Regs, Request, World};

/// How long an SPMC may take to say which partitions it has, in milliseconds.
const DISCOVERY_MS: u32 = 5000;

/// Delivers the interrupts that wait for the normal world of this core, which becomes current.
#[inline(always)]
pub fn deliver(core: &mut CoreData) {
    if core.sri.any()
        && let Some(spmc) = &core.system.spmc
    {
        sri::deliver(&mut core.sri, spmc, core.index);
    }
}

/// A core on which the platform's code runs.
pub struct OnCore<'a> {
    core: &'a mut CoreData,
    run_spmc: Option<RunSpmc>,
    normal_waits: bool,
}

impl<'a> OnCore<'a> {
    /// Wraps this core. `run_spmc` runs the SPMC; None if the SPMC waits for EL3 and cannot be asked.
    pub fn new(core: &'a mut CoreData, run_spmc: Option<RunSpmc>) -> Self {
        let normal_waits = run_spmc.is_none();
        Self {
            core,
            run_spmc,
            normal_waits,
        }
    }

    /// Wraps this core, whose normal world is current and runs next.
    pub fn before_normal(core: &'a mut CoreData) -> Self {
        Self {
            core,
            run_spmc: None,
            normal_waits: false,
        }
    }

    /// Has these Group 0 handlers called again before the normal world runs.
    pub fn call_later(&mut self, rows: u32) {
        self.core.later |= rows;
    }

    /// Puts the normal world's registers into the CPU: a handler that changes where it goes on may have asked the SPMC.
    fn make_normal_current(&mut self) -> Result<(), Unfit> {
        if self.normal_waits {
            return Err(Unfit);
        }
        let _ = self.core.switch_to(World::Normal, deliver);
        Ok(())
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
        let answer = requests::answer(core, |core| {
            gic::without_secure_priorities(|| run_spmc(core))
        });
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

    fn normal_waits(&self) -> bool {
        self.normal_waits
    }

    fn normal_level(&self) -> u8 {
        redirect::highest_level(self.core.live.core_features())
    }

    fn set_normal_state(&mut self, elr: u64, spsr: u64) -> Result<(), Unfit> {
        self.make_normal_current()?;
        let features = self.core.live.core_features();
        redirect::go_on_at(features, elr, spsr).ok_or(Unfit)
    }

    fn take_exception(&mut self, address: u64, linked: bool) -> Result<(u64, u64), Unfit> {
        self.make_normal_current()?;
        let features = self.core.live.core_features();
        Ok(redirect::take_exception(features, address, linked))
    }

    #[cfg(feature = "lab")]
    fn counter(&self, number: u32, core: Option<usize>) -> Option<u64> {
        crate::lab::read(number, core)
    }
}
