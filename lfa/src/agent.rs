// SPDX-License-Identifier: BSD-3-Clause

//! The agent: answers the calls of DEN0147, registers in and registers out.

use crate::round::{NextStep, Outcome, PrimeStep, Round};
use crate::{Component, Description, Progress, Rendezvous, Status, VERSION};
use janus_spmd::Messenger;
use spin::mutex::TicketMutex;

/// The calls of DEN0147, by function ID. All are SMC64 calls of the normal world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
#[non_exhaustive]
pub enum Function {
    /// LFA_VERSION.
    Version = 0xC400_02E0,
    /// LFA_FEATURES.
    Features = 0xC400_02E1,
    /// LFA_GET_INFO.
    Info = 0xC400_02E2,
    /// LFA_GET_INVENTORY.
    Inventory = 0xC400_02E3,
    /// LFA_PRIME.
    Prime = 0xC400_02E4,
    /// LFA_ACTIVATE.
    Activate = 0xC400_02E5,
    /// LFA_CANCEL.
    Cancel = 0xC400_02E6,
}

impl Function {
    /// Finds a call by its function ID, without the SVE hint.
    pub fn of(id: u32) -> Option<Self> {
        const ALL: [Function; 7] = [
            Function::Version,
            Function::Features,
            Function::Info,
            Function::Inventory,
            Function::Prime,
            Function::Activate,
            Function::Cancel,
        ];
        ALL.into_iter().find(|function| *function as u32 == id)
    }
}

/// What the agent needs of the monitor, on the core that makes the call.
pub trait CallingCore {
    /// Returns what sends messages from this core to the secure world, for components.
    fn messenger(&mut self) -> &mut dyn Messenger;

    /// Returns how many cores are not off: a rendezvous waits for all of them. A core that is being turned on by
    /// CPU_ON counts, and so does one in a suspend state.
    fn cores(&mut self) -> usize;

    /// Notes that this core begins to wait for the others: [`CallingCore::patience`] counts from now.
    fn begin_to_wait(&mut self);

    /// Waits a moment. Returns `false` if this core has waited for the others long enough.
    fn patience(&mut self) -> bool;
}

/// Bit 0 of x2 of LFA_ACTIVATE: no rendezvous is needed.
const SKIP_RENDEZVOUS: u64 = 1;

/// The agent. One static, shared by all cores.
pub struct Agent {
    round: TicketMutex<Round>,
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent {
    /// Makes an agent to which no call was made yet.
    pub const fn new() -> Self {
        Self {
            round: TicketMutex::new(Round::Idle),
        }
    }

    /// Handles a call of the normal world. `components` are all of the platform's, the same ones in each call;
    /// `parameters` are x1 and x2, of any value.
    ///
    /// Returns the answer for x0 to x5, and how many of these registers it takes. A refused call's answer is its
    /// [`Status`] in x0.
    ///
    /// LFA_ACTIVATE with a rendezvous returns when the other cores have come, or when one core has lost its patience.
    pub fn call(
        &self,
        components: &[&dyn Component],
        function: Function,
        parameters: [u64; 2],
        here: &mut dyn CallingCore,
    ) -> (usize, [u64; 6]) {
        let [which, flags] = parameters;
        let mut values = [0; 6];
        let given = match function {
            Function::Version => {
                values[0] = VERSION;
                return (1, values);
            }
            Function::Features => {
                let known = u32::try_from(which).ok().and_then(Function::of).is_some();
                known.then_some(1).ok_or(Status::NotSupported)
            }
            Function::Info if which != 0 => Err(Status::InvalidParameters),
            Function::Info => {
                values[1] = components.len() as u64;
                Ok(3)
            }
            _ => find(components, which).and_then(|(index, component)| {
                let described = component.describe();
                match function {
                    Function::Inventory => {
                        inventory(&described, &mut values);
                        return Ok(6);
                    }
                    Function::Cancel => {
                        self.settled(|round| round.cancel(index, || component.cancel()))?;
                        return Ok(1);
                    }
                    _ if !described.capable => return Err(Status::NotSupported),
                    Function::Prime => {
                        values[1] = again(self.prime(index, component, &described, here)?);
                    }
                    _ => {
                        let skip = flags & SKIP_RENDEZVOUS != 0;
                        if skip && described.rendezvous == Rendezvous::Required {
                            return Err(Status::InvalidParameters);
                        }
                        values[1] = again(self.activate(index, component, !skip, here)?);
                    }
                }
                Ok(2)
            }),
        };
        match given {
            Ok(given) => (given, values),
            Err(status) => (1, [status as i64 as u64, 0, 0, 0, 0, 0]),
        }
    }

    /// Waits until every core of the last activation has its outcome, then makes a step. Those cores are in
    /// [`Agent::activate`] and leave it without waiting for anything.
    fn settled<T>(&self, step: impl FnOnce(&mut Round) -> T) -> T {
        loop {
            let mut round = self.round.lock();
            if !round.is_ending() {
                return step(&mut round);
            }
            drop(round);
            core::hint::spin_loop();
        }
    }

    fn prime(
        &self,
        index: u32,
        component: &dyn Component,
        described: &Description,
        here: &mut dyn CallingCore,
    ) -> Outcome {
        let prime = self.settled(|round| {
            if described.pending.is_none() && round.component() != Some(index) {
                return Err(Status::WrongState);
            }
            round.prime(index)
        })?;
        if prime == PrimeStep::Done {
            return Ok(Progress::Done);
        }
        let outcome = component.prime(here.messenger());
        self.round.lock().primed(outcome);
        outcome
    }

    fn activate(
        &self,
        index: u32,
        component: &dyn Component,
        gathers: bool,
        here: &mut dyn CallingCore,
    ) -> Outcome {
        self.settled(|round| round.join(index, gathers))?;
        here.begin_to_wait();
        let mut late = false;
        loop {
            let next = {
                let mut round = self.round.lock();
                // `next_step` wants the cores counted with the lock held.
                round.next_step(here.cores(), late)
            };
            match next {
                NextStep::Leave(outcome) => return outcome,
                NextStep::Activate => {
                    let outcome = component.activate(gathers, here.messenger());
                    self.round.lock().activated(outcome);
                }
                NextStep::Wait => late = !here.patience(),
            }
        }
    }
}

/// Finds the component that x1 names, and its number.
fn find<'a>(
    components: &[&'a dyn Component],
    which: u64,
) -> Result<(u32, &'a dyn Component), Status> {
    let index = u32::try_from(which).ok();
    let found = index.and_then(|index| Some((index, *components.get(index as usize)?)));
    found.ok_or(Status::InvalidParameters)
}

/// Returns x1 of LFA_PRIME and LFA_ACTIVATE: 1, the call has to be made again; 0, it is done.
fn again(progress: Progress) -> u64 {
    match progress {
        Progress::Done => 0,
        Progress::Again => 1,
    }
}

/// Writes x1 to x5 of LFA_GET_INVENTORY.
fn inventory(described: &Description, values: &mut [u64; 6]) {
    let bit = |set: bool, bit: u32| u64::from(set) << bit;
    // The first byte of the UUID is the lowest byte of x1.
    let uuid = described.uuid.swap_bytes();
    values[1] = uuid as u64;
    values[2] = (uuid >> 64) as u64;
    // Bit 2, "a core may be reset", stays 0: none is.
    values[3] = bit(described.capable, 0)
        | bit(described.pending.is_some(), 1)
        | bit(described.rendezvous == Rendezvous::Optional, 3);
    values[4] = described.current;
    values[5] = described.pending.unwrap_or_default();
}
