// SPDX-License-Identifier: BSD-3-Clause

//! The calls: registers in, registers out.

use crate::round::{Outcome, Prime, Round, Turn};
use crate::{Component, Description, Progress, Rendezvous, Status, VERSION};
use janus_spmd::Messenger;
use spin::mutex::TicketMutex;

/// The calls of the specification. All are SMC64, of the normal world alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
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

/// What the agent needs of the core that calls.
pub trait Here {
    /// How components talk to the secure world from here.
    fn messenger(&mut self) -> &mut dyn Messenger;

    /// Counts the cores that are not off: those that an activation gathers. One that CPU_ON has begun to turn on
    /// counts; one that is in a suspend state, too.
    fn cores(&mut self) -> usize;

    /// Starts to count the time that this core waits for others.
    fn begin_to_wait(&mut self);

    /// Passes a moment of waiting. False: it has waited long enough.
    fn patience(&mut self) -> bool;
}

/// Bit 0 of x2 of LFA_ACTIVATE: the cores need not be gathered.
const SKIP_RENDEZVOUS: u64 = 1;

/// The agent: what all cores share.
pub struct Agent {
    round: TicketMutex<Round>,
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent {
    /// An agent of which nothing has been asked yet.
    pub const fn new() -> Self {
        Self {
            round: TicketMutex::new(Round::Idle),
        }
    }

    /// Handles a call of the normal world. `parameters` are x1 and x2. `components`: all of the platform's, the same
    /// at each call.
    ///
    /// Returns how many registers, from x0 on, hold the answer, and the answer.
    pub fn call(
        &self,
        components: &[&dyn Component],
        function: Function,
        parameters: [u64; 2],
        here: &mut dyn Here,
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

    /// Makes a step when no core of the last activation is still to be told how it ended. They are in here, on their
    /// way out.
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
        here: &mut dyn Here,
    ) -> Outcome {
        let prime = self.settled(|round| {
            if described.pending.is_none() && round.component() != Some(index) {
                return Err(Status::WrongState);
            }
            round.prime(index)
        })?;
        if prime == Prime::Done {
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
        here: &mut dyn Here,
    ) -> Outcome {
        self.settled(|round| round.join(index, gathers))?;
        here.begin_to_wait();
        let mut late = false;
        loop {
            let turn = {
                let mut round = self.round.lock();
                // Counted under the lock: see there.
                round.turn(here.cores(), late)
            };
            match turn {
                Turn::Leave(outcome) => return outcome,
                Turn::Activate => {
                    let outcome = component.activate(gathers, here.messenger());
                    self.round.lock().activated(outcome);
                }
                Turn::Wait => late = !here.patience(),
            }
        }
    }
}

/// The component that x1 names.
fn find<'a>(
    components: &[&'a dyn Component],
    which: u64,
) -> Result<(u32, &'a dyn Component), Status> {
    let index = u32::try_from(which).ok();
    let found = index.and_then(|index| Some((index, *components.get(index as usize)?)));
    found.ok_or(Status::InvalidParameters)
}

/// x1 of LFA_PRIME and LFA_ACTIVATE: whether the call has to be made again.
fn again(progress: Progress) -> u64 {
    match progress {
        Progress::Done => 0,
        Progress::Again => 1,
    }
}

/// x1 to x5 of LFA_GET_INVENTORY.
fn inventory(described: &Description, values: &mut [u64; 6]) {
    let bit = |set: bool, bit: u32| u64::from(set) << bit;
    // The UUID's bytes in memory order, the first one lowest.
    let uuid = described.uuid.swap_bytes();
    values[1] = uuid as u64;
    values[2] = (uuid >> 64) as u64;
    // Bit 2, that a core may be reset: none ever is.
    values[3] = bit(described.capable, 0)
        | bit(described.pending.is_some(), 1)
        | bit(described.rendezvous == Rendezvous::Optional, 3);
    values[4] = described.current;
    values[5] = described.pending.unwrap_or_default();
}
