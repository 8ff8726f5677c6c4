// SPDX-License-Identifier: BSD-3-Clause

//! Who may do what when: the state of the one activation that goes on, and its changes.
//!
//! ```text
//! Idle ── prime ──► Priming ── done ──► Primed ── activate ──► Gathering ── all here ──► Activating ── done ──► Ended
//!  ▲                   │                 │ ▲                       │  too late, cancelled                        │
//!  └──── cancel, error ┴─────────────────┘ └── busy, too late ─────┴───────────────────► Ended ◄─────────────────┘
//! ```
//!
//! Each function is one step, to be made with nobody else at it. Nothing here waits.

use crate::{Progress, Status};

/// How an activation ended: the answer to all who took part.
pub type Outcome = Result<Progress, Status>;

/// The state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Round {
    /// Nothing goes on.
    Idle,
    /// A component is being primed.
    Priming {
        /// Which.
        component: u32,
        /// A core is at it just now.
        at_work: bool,
    },
    /// A component can be activated.
    Primed {
        /// Which.
        component: u32,
    },
    /// Cores wait for others.
    Gathering {
        /// For which component.
        component: u32,
        /// How many wait.
        held: usize,
        /// All that are not off must. (Else there is one, which waits for nobody.)
        all: bool,
    },
    /// One core activates the component.
    Activating {
        /// Which.
        component: u32,
        /// How many cores get the outcome, it included.
        held: usize,
    },
    /// It is over, and not all who took part know it.
    Ended {
        /// What they are told.
        outcome: Outcome,
        /// How many are still to be told.
        held: usize,
        /// The component that stays primed.
        primed: Option<u32>,
    },
}

/// What a core that takes part in an activation does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Ask again.
    Wait,
    /// Activate the component, and report by [`Round::activated`]. All cores are held if there was a rendezvous.
    Activate,
    /// Return to the caller with this.
    Leave(Outcome),
}

/// What a core does that wants to prime.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prime {
    /// Prime a piece, and report by [`Round::primed`].
    Go,
    /// Nothing is left to do.
    Done,
}

impl Round {
    /// Returns whether a call has to wait a moment: cores of the last activation are on their way out.
    pub fn is_ending(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// Returns the component that is being primed or activated.
    pub fn component(&self) -> Option<u32> {
        match *self {
            Self::Priming { component, .. }
            | Self::Primed { component }
            | Self::Gathering { component, .. }
            | Self::Activating { component, .. } => Some(component),
            Self::Idle | Self::Ended { .. } => None,
        }
    }

    /// A core wants to prime `component`, for which a new image waits or which is primed already.
    ///
    /// # Errors
    /// [`Status::Busy`], or [`Status::WrongState`]: it is another component's turn.
    pub fn prime(&mut self, wanted: u32) -> Result<Prime, Status> {
        match *self {
            Self::Priming { at_work: true, .. }
            | Self::Gathering { .. }
            | Self::Activating { .. }
            | Self::Ended { .. } => Err(Status::Busy),
            Self::Priming { component, .. } | Self::Primed { component } if component != wanted => {
                Err(Status::WrongState)
            }
            Self::Primed { .. } => Ok(Prime::Done),
            Self::Idle | Self::Priming { .. } => {
                *self = Self::Priming {
                    component: wanted,
                    at_work: true,
                };
                Ok(Prime::Go)
            }
        }
    }

    /// The core that was told [`Prime::Go`] has primed a piece.
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

    /// A core wants to activate `wanted`; `gathers`: not before all cores are held. On `Ok` it takes its turns
    /// ([`Round::turn`]).
    ///
    /// # Errors
    /// [`Status::Busy`]; [`Status::InvalidParameters`]: it is another component's turn;
    /// [`Status::ComponentWrongState`]: it is not primed.
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
            // The first one has said whether the cores are gathered.
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

    /// The next step of a core that has joined. `needed`: how many cores are not off, counted with this step's lock
    /// held: each of those that are held is in here, and turns no other one on. `late`: it does not want to wait any
    /// longer.
    pub fn turn(&mut self, needed: usize, late: bool) -> Turn {
        match *self {
            Self::Gathering {
                component,
                held,
                all,
            } if held >= needed || !all => {
                *self = Self::Activating { component, held };
                Turn::Activate
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
            _ => Turn::Wait,
        }
    }

    /// One core learns how it ended. The last one leaves what comes after it.
    fn leave(&mut self) -> Turn {
        let Self::Ended {
            outcome,
            held,
            primed,
        } = *self
        else {
            return Turn::Wait;
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
        Turn::Leave(outcome)
    }

    /// The core that was told [`Turn::Activate`] has done it. It takes its last turn, as all others.
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

    /// A core wants `wanted` to be forgotten. `cancel` has the component forget it, if it can.
    ///
    /// # Errors
    /// [`Status::Busy`]: too late, or a core is at it; [`Status::InvalidParameters`]: it is not this component's
    /// turn.
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
