// SPDX-License-Identifier: BSD-3-Clause

//! Tries the state machine with random steps of several cores, which also turn off and on.

use janus_lfa::round::{NextStep, Outcome, PrimeStep, Round};
use janus_lfa::{Progress, Status};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Core {
    Off,
    /// In the normal world.
    Free,
    Priming,
    /// Has joined an activation: of which component, and whether with a rendezvous.
    Held(u32, bool),
    Activating(u32, bool),
}

const OUTCOMES: [Outcome; 5] = [
    Ok(Progress::Done),
    Ok(Progress::Again),
    Err(Status::Busy),
    Err(Status::ActivationFailed),
    Err(Status::CriticalError),
];

/// A step: which core makes it, and what it tries to do.
#[derive(Clone, Copy, Debug)]
struct Step {
    core: usize,
    what: u8,
    component: u32,
    outcome: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..4_usize, any::<u8>(), 0..2_u32, 0..OUTCOMES.len()).prop_map(
        |(core, what, component, outcome)| Step {
            core,
            what,
            component,
            outcome,
        },
    );
    prop::collection::vec(step, 1..300)
}

#[derive(Debug)]
struct System {
    round: Round,
    cores: [Core; 4],
    /// The outcome of the activation that is ending.
    ended: Option<Outcome>,
}

impl System {
    fn on(&self) -> usize {
        self.cores.iter().filter(|it| **it != Core::Off).count()
    }

    fn held(&self) -> usize {
        let held = |it: &&Core| matches!(it, Core::Held(..) | Core::Activating(..));
        self.cores.iter().filter(held).count()
    }

    fn step(&mut self, step: Step) {
        let Step {
            core,
            what,
            component,
            outcome,
        } = step;
        let outcome = OUTCOMES[outcome];
        match self.cores[core] {
            Core::Off => {}
            Core::Free => match what % 16 {
                0 => self.cores[core] = Core::Off,
                1 | 2 => {
                    let off = self.cores.iter_mut().find(|it| **it == Core::Off);
                    if let Some(off) = off {
                        *off = Core::Free;
                    }
                }
                3..=6 if !self.round.is_ending() => {
                    self.cores[core] = match self.round.prime(component) {
                        Ok(PrimeStep::LoadPiece) => Core::Priming,
                        _ => Core::Free,
                    };
                }
                7 if !self.round.is_ending() => {
                    let before = self.round;
                    let can = outcome != Err(Status::Busy);
                    let mut asked = false;
                    let cancelled = self.round.cancel(component, || {
                        asked = true;
                        if can { Ok(()) } else { Err(Status::Busy) }
                    });
                    if cancelled.is_err() {
                        assert_eq!(self.round, before);
                    } else {
                        assert!(asked && before.component() == Some(component));
                        if self.round.is_ending() {
                            self.ended = Some(Err(Status::ActivationFailed));
                        }
                    }
                }
                _ if !self.round.is_ending() => {
                    let gathers = what & 0x70 != 0;
                    if self.round.join(component, gathers).is_ok() {
                        self.cores[core] = Core::Held(component, gathers);
                    }
                }
                _ => {}
            },
            Core::Priming => {
                self.round.primed(outcome);
                self.cores[core] = Core::Free;
            }
            Core::Held(component, gathers) => {
                let needed = self.on();
                let late = what > 240;
                match self.round.next_step(needed, late) {
                    NextStep::Wait => {}
                    NextStep::Activate => {
                        if gathers {
                            assert_eq!(self.held(), self.on(), "all cores are held");
                        } else {
                            assert_eq!(self.held(), 1);
                        }
                        self.cores[core] = Core::Activating(component, gathers);
                    }
                    NextStep::Leave(told) => {
                        let expected = *self.ended.get_or_insert(Err(Status::Busy));
                        assert_eq!(told, expected, "all are told the same");
                        self.cores[core] = Core::Free;
                    }
                }
            }
            Core::Activating(component, gathers) => {
                self.round.activated(outcome);
                assert!(self.round.is_ending());
                self.ended = Some(outcome);
                self.cores[core] = Core::Held(component, gathers);
            }
        }
        if !self.round.is_ending() {
            assert!(self.ended.is_none() || self.held() == 0, "all know");
            self.ended = None;
        }
        let working = |it: &&Core| matches!(it, Core::Priming | Core::Activating(..));
        assert!(self.cores.iter().filter(working).count() <= 1);
        let waiting = matches!(
            self.round,
            Round::Gathering { .. } | Round::Activating { .. } | Round::Ended { .. }
        );
        assert_eq!(self.held() > 0, waiting, "{:?}", self.round);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_order(steps in steps()) {
        let mut system = System {
            round: Round::Idle,
            cores: [Core::Free, Core::Free, Core::Free, Core::Off],
            ended: None,
        };
        for step in steps {
            system.step(step);
        }
        // Every core that has joined gets its outcome, at the latest when the cores have lost their patience.
        for _ in 0..4 {
            for core in 0..4 {
                if system.cores[core] != Core::Free && system.cores[core] != Core::Off {
                    system.step(Step { core, what: 255, component: 0, outcome: 0 });
                }
            }
        }
        prop_assert_eq!(system.held(), 0);
        let at_work = matches!(system.round, Round::Priming { at_work: true, .. });
        prop_assert!(!at_work && !system.round.is_ending());
    }
}
