// SPDX-License-Identifier: BSD-3-Clause

//! The agent's calls, made by one core and by several cores at once.

use janus_lfa::{
    Agent, CallingCore, Component, Description, Function, Progress, Rendezvous, Status,
};
use janus_spmd::{Messenger, NotAvailable, Regs, Request};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

/// A component with given outcomes. It checks that no two of its functions run at the same time.
struct FakeComponent {
    description: Mutex<Description>,
    prime: Mutex<Vec<Result<Progress, Status>>>,
    activate: Mutex<Vec<Result<Progress, Status>>>,
    cancel: Result<(), Status>,
    inside: AtomicUsize,
    activations: AtomicUsize,
    gathered: AtomicBool,
}

const DESCRIPTION: Description = Description {
    uuid: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
    capable: true,
    rendezvous: Rendezvous::Optional,
    current: 3 << 32 | 1,
    pending: Some(4 << 32),
};

impl Default for FakeComponent {
    fn default() -> Self {
        Self {
            description: Mutex::new(DESCRIPTION),
            prime: Mutex::default(),
            activate: Mutex::default(),
            cancel: Ok(()),
            inside: AtomicUsize::new(0),
            activations: AtomicUsize::new(0),
            gathered: AtomicBool::new(false),
        }
    }
}

impl FakeComponent {
    fn describes(change: impl FnOnce(&mut Description)) -> Self {
        let component = Self::default();
        change(&mut component.description.lock().unwrap());
        component
    }

    /// Returns the next of the given outcomes, or `Done` when there are no more.
    fn next(&self, outcomes: &Mutex<Vec<Result<Progress, Status>>>) -> Result<Progress, Status> {
        assert_eq!(self.inside.fetch_add(1, SeqCst), 0, "one at a time");
        let mut outcomes = outcomes.lock().unwrap();
        let outcome = if outcomes.is_empty() {
            Ok(Progress::Done)
        } else {
            outcomes.remove(0)
        };
        self.inside.fetch_sub(1, SeqCst);
        outcome
    }
}

impl Component for FakeComponent {
    fn describe(&self) -> Description {
        *self.description.lock().unwrap()
    }
    fn prime(&self, _: &mut dyn Messenger) -> Result<Progress, Status> {
        self.next(&self.prime)
    }
    fn activate(&self, gathered: bool, _: &mut dyn Messenger) -> Result<Progress, Status> {
        self.activations.fetch_add(1, SeqCst);
        self.gathered.store(gathered, SeqCst);
        self.next(&self.activate)
    }
    fn cancel(&self) -> Result<(), Status> {
        self.cancel
    }
}

/// A core of a system in which `cores` are not off. It loses its patience after it has waited `patience` times.
struct Core<'a> {
    cores: &'a AtomicUsize,
    patience: u32,
    waited: u32,
}

impl Messenger for Core<'_> {
    fn ask(&mut self, _: Request) -> Result<Regs, NotAvailable> {
        Err(NotAvailable::NoSpmc)
    }
}

impl CallingCore for Core<'_> {
    fn messenger(&mut self) -> &mut dyn Messenger {
        self
    }
    fn cores(&mut self) -> usize {
        self.cores.load(SeqCst)
    }
    fn begin_to_wait(&mut self) {
        self.waited = 0;
    }
    fn patience(&mut self) -> bool {
        thread::yield_now();
        self.waited += 1;
        self.waited < self.patience
    }
}

fn core(cores: &AtomicUsize) -> Core<'_> {
    Core {
        cores,
        patience: 1_000_000,
        waited: 0,
    }
}

/// The only core of a system.
struct Alone<'a> {
    agent: Agent,
    components: &'a [&'a dyn Component],
}

impl Alone<'_> {
    fn call(&self, function: Function, x1: u64, x2: u64) -> Result<Vec<u64>, i64> {
        let one = AtomicUsize::new(1);
        call(
            &self.agent,
            self.components,
            function,
            [x1, x2],
            &mut core(&one),
        )
    }
}

/// Returns the registers after x0, or x0 if it is an error.
fn call(
    agent: &Agent,
    components: &[&dyn Component],
    function: Function,
    parameters: [u64; 2],
    here: &mut dyn CallingCore,
) -> Result<Vec<u64>, i64> {
    let (given, values) = agent.call(components, function, parameters, here);
    let x0 = values[0] as i64;
    if x0 < 0 {
        assert_eq!(given, 1);
        return Err(x0);
    }
    if function != Function::Version {
        assert_eq!(x0, 0);
    }
    Ok(values[1..given].to_vec())
}

const NOT_SUPPORTED: i64 = -1;
const BUSY: i64 = -2;
const WRONG_STATE: i64 = -7;
const INVALID_PARAMETERS: i64 = -8;
const COMPONENT_WRONG_STATE: i64 = -9;

use Function::{Activate, Cancel, Features, Info, Inventory, Prime, Version};

#[test]
fn what_is_there() {
    let fixed = FakeComponent::describes(|it| {
        it.capable = false;
        it.pending = None;
        it.rendezvous = Rendezvous::Required;
        it.current = 0;
    });
    let component = FakeComponent::default();
    let system = Alone {
        agent: Agent::new(),
        components: &[&component, &fixed],
    };
    let one = AtomicUsize::new(1);
    let version = system.agent.call(&[], Version, [7, 7], &mut core(&one));
    assert_eq!(version, (1, [0x1_0000, 0, 0, 0, 0, 0]));
    for id in 0xC400_02D0..0xC400_02F0 {
        let known = (0xC400_02E0..=0xC400_02E6).contains(&id);
        assert_eq!(system.call(Features, id, 0).is_ok(), known, "{id:#x}");
        assert_eq!(Function::of(id as u32).is_some(), known);
        assert_eq!(Function::of(id as u32 & !(1 << 30)), None, "SMC64 alone");
        let wide = system.call(Features, id | 1 << 32, 0);
        assert_eq!(wide, Err(NOT_SUPPORTED));
    }
    assert_eq!(system.call(Info, 0, 0), Ok(vec![2, 0]));
    assert_eq!(system.call(Info, 1, 0), Err(INVALID_PARAMETERS));
    let uuid = [0x7766_5544_3322_1100, 0xffee_ddcc_bbaa_9988];
    let about = |flags, current, pending| Ok(vec![uuid[0], uuid[1], flags, current, pending]);
    assert_eq!(
        system.call(Inventory, 0, 0),
        about(0b1011, 3 << 32 | 1, 4 << 32)
    );
    assert_eq!(system.call(Inventory, 1, 0), about(0, 0, 0));
    for which in [2, u64::MAX, 1 << 32] {
        for function in [Inventory, Prime, Activate, Cancel] {
            let outcome = system.call(function, which, 0);
            assert_eq!(outcome, Err(INVALID_PARAMETERS), "{function:?}");
        }
    }
    for function in [Prime, Activate] {
        assert_eq!(system.call(function, 1, 0), Err(NOT_SUPPORTED));
    }
}

#[test]
fn prime_and_activate() {
    let component = FakeComponent::default();
    *component.prime.lock().unwrap() = vec![
        Ok(Progress::Again),
        Err(Status::Busy),
        Ok(Progress::Again),
        Ok(Progress::Done),
    ];
    *component.activate.lock().unwrap() =
        vec![Ok(Progress::Again), Err(Status::Busy), Ok(Progress::Done)];
    let other = FakeComponent::default();
    let system = Alone {
        agent: Agent::new(),
        components: &[&component, &other],
    };
    let not_primed = Err(COMPONENT_WRONG_STATE);
    assert_eq!(system.call(Activate, 0, 0), not_primed);
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![1]));
    assert_eq!(system.call(Prime, 0, 0), Err(BUSY));
    assert_eq!(system.call(Activate, 0, 0), not_primed, "not yet");
    assert_eq!(system.call(Prime, 1, 0), Err(WRONG_STATE), "one at a time");
    assert_eq!(system.call(Activate, 1, 0), Err(INVALID_PARAMETERS));
    assert_eq!(system.call(Cancel, 1, 0), Err(INVALID_PARAMETERS));
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![1]));
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![0]));
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![0]), "it is");
    assert_eq!(system.call(Prime, 1, 0), Err(WRONG_STATE));
    assert_eq!(system.call(Activate, 1, 0), Err(INVALID_PARAMETERS));
    assert_eq!(system.call(Activate, 0, 0), Ok(vec![1]));
    assert!(component.gathered.load(SeqCst));
    assert_eq!(system.call(Activate, 0, 0), Err(BUSY), "it stays primed");
    assert_eq!(system.call(Activate, 0, 1), Ok(vec![0]));
    assert!(!component.gathered.load(SeqCst));
    assert_eq!(system.call(Activate, 0, 0), not_primed, "once");
    assert_eq!(system.call(Cancel, 0, 0), Err(INVALID_PARAMETERS));
    assert_eq!(component.activations.load(SeqCst), 3);
}

#[test]
fn what_fails_begins_anew() {
    let component = FakeComponent::default();
    *component.prime.lock().unwrap() = vec![Err(Status::AuthError)];
    *component.activate.lock().unwrap() = vec![Err(Status::ActivationFailed)];
    let system = Alone {
        agent: Agent::new(),
        components: &[&component],
    };
    assert_eq!(system.call(Prime, 0, 0), Err(-3));
    assert_eq!(system.call(Activate, 0, 0), Err(COMPONENT_WRONG_STATE));
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![0]));
    assert_eq!(system.call(Activate, 0, 0), Err(-11));
    assert_eq!(system.call(Activate, 0, 0), Err(COMPONENT_WRONG_STATE));
    component.description.lock().unwrap().pending = None;
    assert_eq!(system.call(Prime, 0, 0), Err(WRONG_STATE), "none waits");
}

#[test]
fn cancel() {
    let component = FakeComponent::default();
    *component.prime.lock().unwrap() = vec![Ok(Progress::Again)];
    let system = Alone {
        agent: Agent::new(),
        components: &[&component],
    };
    assert_eq!(system.call(Cancel, 0, 0), Err(INVALID_PARAMETERS));
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![1]));
    assert_eq!(system.call(Cancel, 0, 0), Ok(vec![]));
    assert_eq!(system.call(Activate, 0, 0), Err(COMPONENT_WRONG_STATE));
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![0]));
    assert_eq!(system.call(Cancel, 0, 0), Ok(vec![]));
    assert_eq!(system.call(Activate, 0, 0), Err(COMPONENT_WRONG_STATE));
    let late = FakeComponent {
        cancel: Err(Status::Busy),
        ..FakeComponent::default()
    };
    let system = Alone {
        agent: Agent::new(),
        components: &[&late],
    };
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![0]));
    assert_eq!(system.call(Cancel, 0, 0), Err(BUSY));
    assert_eq!(system.call(Activate, 0, 0), Ok(vec![0]), "it stays primed");
}

#[test]
fn who_needs_all_cores_gets_them() {
    let component = FakeComponent::describes(|it| it.rendezvous = Rendezvous::Required);
    let system = Alone {
        agent: Agent::new(),
        components: &[&component],
    };
    assert_eq!(system.call(Prime, 0, 0), Ok(vec![0]));
    assert_eq!(system.call(Activate, 0, 1), Err(INVALID_PARAMETERS));
    assert_eq!(system.call(Activate, 0, 0), Ok(vec![0]));
    assert!(component.gathered.load(SeqCst));
}

/// Four cores activate again and again. Each time one of them replaces the component, and all get the same answer.
#[test]
fn four_cores_at_once() {
    const CORES: usize = 4;
    const ROUNDS: usize = 12;
    let component = FakeComponent::default();
    let agent = Agent::new();
    let components: &[&dyn Component] = &[&component];
    let cores = AtomicUsize::new(CORES);
    let mut outcomes = Vec::new();
    for round in 0..ROUNDS {
        outcomes.push(match round % 3 {
            0 => Ok(Progress::Again),
            1 => Ok(Progress::Done),
            _ => Err(Status::CriticalError),
        });
    }
    *component.activate.lock().unwrap() = outcomes;
    let told = thread::scope(|scope| {
        let all: Vec<_> = (0..CORES)
            .map(|_| {
                scope.spawn(|| {
                    let mut told = Vec::new();
                    while told.len() < ROUNDS {
                        let mut here = core(&cores);
                        let _ = call(&agent, components, Prime, [0, 0], &mut here);
                        match call(&agent, components, Activate, [0, 0], &mut here) {
                            Err(COMPONENT_WRONG_STATE) => {}
                            outcome => told.push(outcome),
                        }
                    }
                    told
                })
            })
            .collect();
        all.into_iter()
            .map(|it| it.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(component.activations.load(SeqCst), ROUNDS);
    for of_core in &told {
        assert_eq!(*of_core, told[0]);
    }
    assert!(told[0].contains(&Ok(vec![1])) && told[0].contains(&Err(-5)));
}

/// If a core does not come, the others give up; they do not wait for one that turns off; one that cancels frees all.
#[test]
fn who_does_not_come() {
    let component = FakeComponent::default();
    let agent = Agent::new();
    let components: &[&dyn Component] = &[&component];
    let cores = AtomicUsize::new(2);
    let primes = |here: &mut Core<'_>| {
        assert_eq!(call(&agent, components, Prime, [0, 0], here), Ok(vec![0]));
    };
    let mut here = core(&cores);
    here.patience = 5;
    primes(&mut here);
    let late = call(&agent, components, Activate, [0, 0], &mut here);
    assert_eq!((late, here.waited), (Err(BUSY), 5));
    assert_eq!(component.activations.load(SeqCst), 0);

    // The component is still primed. Now the other core turns off.
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut here = core(&cores);
            call(&agent, components, Activate, [0, 0], &mut here)
        });
        thread::yield_now();
        assert!(component.activations.load(SeqCst) == 0);
        cores.store(1, SeqCst);
        assert_eq!(waits.join().unwrap(), Ok(vec![0]));
    });

    cores.store(2, SeqCst);
    primes(&mut here);
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut here = core(&cores);
            call(&agent, components, Activate, [0, 0], &mut here)
        });
        let mut here = core(&cores);
        // The core waits as soon as an activation without a rendezvous is refused.
        loop {
            match call(&agent, components, Prime, [0, 0], &mut here) {
                Err(BUSY) => break,
                _ => thread::yield_now(),
            }
        }
        let skips = call(&agent, components, Activate, [0, 1], &mut here);
        assert_eq!(skips, Err(BUSY), "the first one has decided");
        let cancelled = call(&agent, components, Cancel, [0, 0], &mut here);
        assert_eq!(cancelled, Ok(vec![]));
        assert_eq!(waits.join().unwrap(), Err(-11));
    });
    let gone = call(&agent, components, Activate, [0, 0], &mut here);
    assert_eq!(gone, Err(COMPONENT_WRONG_STATE));
}
