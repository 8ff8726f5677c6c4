// SPDX-License-Identifier: BSD-3-Clause

//! The state of the one component that is being primed or activated, and the steps that cores make with it.
//!
//! ```text
//! Idle ── prime ──► Priming ── done ──► Primed ── activate ──► Gathering ── all here ──► Activating ── done ──► Ended
//!  ▲                   │                 │ ▲                       │  too late, cancelled                        │
//!  └──── cancel, error ┴─────────────────┘ └── busy, too late ─────┴───────────────────► Ended ◄─────────────────┘
//! ```
//!
//! Each function is one step, made by one core at a time: the caller holds a lock. No function waits.

use crate::{Progress, Status};

/// How priming or activating ended. All cores that took part in an activation get the same outcome.
pub type Outcome = Result<Progress, Status>;

/// What goes on, for all cores.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Round {
    /// No component is primed.
    Idle,
    /// A component is being primed.
    Priming {
        /// Its number.
        component: u32,
        /// A core is in [`crate::Component::prime`] now.
        at_work: bool,
    },
    /// A component can be activated.
    Primed {
        /// Its number.
        component: u32,
    },
    /// Cores that called LFA_ACTIVATE wait for the other cores.
    Gathering {
        /// The number of the component.
        component: u32,
        /// How many cores wait.
        held: usize,
        /// Whether all cores that are not off must come. If not, one core has called, and waits for no other.
        all: bool,
    },
    /// One core activates the component.
    Activating {
        /// Its number.
        component: u32,
        /// How many cores get the outcome, that one included.
        held: usize,
    },
    /// The activation is over, and some of its cores do not have the outcome yet.
    Ended {
        /// What they get.
        outcome: Outcome,
        /// How many do not have it yet.
        held: usize,
        /// The component, if it stays primed.
        primed: Option<u32>,
    },
}

/// What a core that takes part in an activation does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NextStep {
    /// Wait a moment and ask again.
    Wait,
    /// Activate the component, and report by [`Round::activated`].
    Activate,
    /// Return this to the caller.
    Leave(Outcome),
}

/// What a core that primes a component does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrimeStep {
    /// Load and check one piece, and report by [`Round::primed`].
    LoadPiece,
    /// Nothing: the component is primed.
    Done,
}

impl Round {
    /// Returns whether some cores of the last activation do not have its outcome yet. A call waits until they have.
    pub fn is_ending(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// Returns the number of the component that is being primed, is primed, or is being activated.
    pub fn component(&self) -> Option<u32> {
        match *self {
            Self::Priming { component, .. }
            | Self::Primed { component }
            | Self::Gathering { component, .. }
            | Self::Activating { component, .. } => Some(component),
            Self::Idle | Self::Ended { .. } => None,
        }
    }

    /// Begins or goes on to prime component `wanted`. Either there is a new image for it, or it is primed already.
    ///
    /// # Errors
    /// [`Status::Busy`]: another core is priming or activating; [`Status::WrongState`]: another component is being
    /// primed, or is primed.
    pub fn prime(&mut self, wanted: u32) -> Result<PrimeStep, Status> {
        match *self {
            Self::Priming { at_work: true, .. }
            | Self::Gathering { .. }
            | Self::Activating { .. }
            | Self::Ended { .. } => Err(Status::Busy),
            Self::Priming { component, .. } | Self::Primed { component } if component != wanted => {
                Err(Status::WrongState)
            }
            Self::Primed { .. } => Ok(PrimeStep::Done),
            Self::Idle | Self::Priming { .. } => {
                *self = Self::Priming {
                    component: wanted,
                    at_work: true,
                };
                Ok(PrimeStep::LoadPiece)
            }
        }
    }

    /// Takes the result of the core that was told [`PrimeStep::LoadPiece`].
    pub fn primed(&mut self, outcome: Outcome) {
        if let Self::Priming { component, .. } = *self {
            *self = match outcome {
                Ok(Progress::Done) => Self::Primed { component },
                Ok(Progress::Again) | Err(Status::Busy) => Self::Priming {
                    component,
                    at_work: false,
                },
                Err(_) => Self::Idle,
            };
        }
    }

    /// Adds the calling core to the activation of component `wanted`. `gathers`: the component is replaced when all
    /// cores that are not off are held. On `Ok` the core asks [`Round::next_step`] until that says
    /// [`NextStep::Leave`].
    ///
    /// # Errors
    /// [`Status::Busy`]: another core activates already; [`Status::InvalidParameters`]: another component is being
    /// replaced; [`Status::ComponentWrongState`]: it is not primed.
    pub fn join(&mut self, wanted: u32, gathers: bool) -> Result<(), Status> {
        *self = match *self {
            Self::Activating { .. } | Self::Ended { .. } => return Err(Status::Busy),
            Self::Idle => return Err(Status::ComponentWrongState),
            Self::Priming { component, .. }
            | Self::Primed { component }
            | Self::Gathering { component, .. }
                if component != wanted =>
            {
                return Err(Status::InvalidParameters);
            }
            Self::Priming { .. } => return Err(Status::ComponentWrongState),
            Self::Primed { component } => Self::Gathering {
                component,
                held: 1,
                all: gathers,
            },
            // A rendezvous takes cores that want one, as the first one did.
            Self::Gathering { all, .. } if !(all && gathers) => return Err(Status::Busy),
            Self::Gathering {
                component,
                held,
                all,
            } => Self::Gathering {
                component,
                held: held.saturating_add(1),
                all,
            },
        };
        Ok(())
    }

    /// Returns the next step of a core that has joined. `needed` is how many cores are not off; `late` says that this
    /// core does not wait any longer.
    ///
    /// `needed` is counted while the caller holds the lock of this round. Otherwise a core could leave the round and
    /// turn another one on between the count and this step.
    pub fn next_step(&mut self, needed: usize, late: bool) -> NextStep {
        match *self {
            Self::Gathering {
                component,
                held,
                all,
            } if held >= needed || !all => {
                *self = Self::Activating { component, held };
                NextStep::Activate
            }
            Self::Gathering {
                component, held, ..
            } if late => {
                *self = Self::Ended {
                    outcome: Err(Status::Busy),
                    held,
                    primed: Some(component),
                };
                self.leave()
            }
            Self::Ended { .. } => self.leave(),
            _ => NextStep::Wait,
        }
    }

    /// Gives one core its outcome. The last one makes room for the next activation.
    fn leave(&mut self) -> NextStep {
        let Self::Ended {
            outcome,
            held,
            primed,
        } = *self
        else {
            return NextStep::Wait;
        };
        *self = match (held.saturating_sub(1), primed) {
            (0, Some(component)) => Self::Primed { component },
            (0, None) => Self::Idle,
            (held, primed) => Self::Ended {
                outcome,
                held,
                primed,
            },
        };
        NextStep::Leave(outcome)
    }

    /// Takes the result of the core that was told [`NextStep::Activate`]. That core asks [`Round::next_step`] once
    /// more, as all others do.
    pub fn activated(&mut self, outcome: Outcome) {
        if let Self::Activating { component, held } = *self {
            let again = matches!(outcome, Ok(Progress::Again) | Err(Status::Busy));
            *self = Self::Ended {
                outcome,
                held,
                primed: again.then_some(component),
            };
        }
    }

    /// Forgets that component `wanted` was primed, and ends its activation if cores still wait for others. `cancel`
    /// makes the component itself forget its new image.
    ///
    /// # Errors
    /// [`Status::Busy`]: a core is priming or activating; [`Status::InvalidParameters`]: the component is not primed
    /// and not being primed; or what `cancel` returns.
    pub fn cancel(
        &mut self,
        wanted: u32,
        cancel: impl FnOnce() -> Result<(), Status>,
    ) -> Result<(), Status> {
        let next = match *self {
            Self::Priming { at_work: true, .. } | Self::Activating { .. } | Self::Ended { .. } => {
                return Err(Status::Busy);
            }
            _ if self.component() != Some(wanted) => return Err(Status::InvalidParameters),
            Self::Gathering { held, .. } => Self::Ended {
                outcome: Err(Status::ActivationFailed),
                held,
                primed: None,
            },
            Self::Idle | Self::Priming { .. } | Self::Primed { .. } => Self::Idle,
        };
        cancel()?;
        *self = next;
        Ok(())
    }
}
