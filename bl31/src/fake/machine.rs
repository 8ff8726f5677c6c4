//! The machine of a host test: what the test sets up, and what has happened on it.

use crate::hw::gic::Pending;
use crate::world::{Exit, WorldContext};
use janus_context::el3;
use janus_plat::{Plat, Platform, Stop};
use janus_spmd::World;
use std::boxed::Box;
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::string::String;
use std::vec::Vec;

/// A step of a world: what it does to its registers, and how it comes back to EL3.
pub type Step = Box<dyn FnOnce(&mut WorldContext) -> Exit>;

/// What happened, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This world was entered with these values in x0 to x4.
    Entered(World, [u64; 5]),
    /// EL3 printed this line.
    Said(String),
    /// The SPMC printed this line.
    SpmcSaid(String),
    /// The cores that boot firmware held were released.
    HeldCoresReleased,
    /// This core was released from the pen.
    Released(usize),
    /// All interrupts of the core but its wake-up were stopped.
    ListensForWake,
    /// The core slept until an interrupt.
    Slept,
    /// This SGI was sent to the normal world of the core with this affinity.
    Sent(u32, u64),
    /// The normal world got the schedule receiver interrupt.
    SriGiven,
    /// A Group 0 interrupt was ended.
    Ended(u32),
    /// An interrupt was disabled.
    Disabled(u32),
    /// Secure interrupts were disabled on this core. SPIs were routed to the core with this affinity.
    SecureInterruptsTo(Option<u64>),
    /// The secure timer was set to this value of the counter.
    InterruptAt(u64),
    /// EL3 borrowed it until then; whether the normal world's interrupts wait.
    TimerBorrowed(u64, bool),
    /// It is the SPMC's again, which lives or does not.
    TimerReturned(bool),
}

/// How a core left Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This core waits for its next start.
    Parked(usize),
    /// The core stopped.
    Stopped,
    /// The system stopped.
    SystemStopped(Stop),
    /// This world was entered after the end of its script.
    OutOfScript(World),
}

/// The state of a test's machine.
pub struct Machine {
    /// ELR_EL3 and SPSR_EL3.
    pub return_state: (u64, u64),
    /// Whether the machine has EL2.
    pub el2: bool,
    /// The system counter.
    pub counter: u64,
    /// Whether an interrupt is pending for the core.
    pub interrupt_pending: bool,
    /// The affinities of the cores that exist.
    pub cores: Vec<u64>,
    /// Why the interrupt controller cannot be used.
    pub gic_fault: Option<&'static str>,
    /// The interrupt that is pending for this core.
    pub pending: Option<Pending>,
    /// The affinities at which the doorbell was rung.
    pub doorbells: Vec<u64>,
    /// BL2's parameters: the words at [`Machine::PARAMETERS`].
    pub parameters: Vec<u64>,
    /// The SPMC's manifest, at [`Machine::MANIFEST`].
    pub manifest: Option<&'static [u8]>,
    /// The transfer list, at [`Machine::LIST`].
    pub list: Option<&'static [u8]>,
    /// The memory for the normal world's transfer list, at [`Machine::NORMAL_LIST`].
    pub normal_list: Vec<u8>,
    /// The scripts of the normal and the secure world.
    scripts: [VecDeque<Step>; 2],
    /// What happened, in order.
    pub events: Vec<Event>,
}

std::thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::new(Machine::new());
}

/// Borrows the machine of this test. Do not hold it for longer than one statement.
pub fn machine() -> RefMut<'static, Machine> {
    // SAFETY: a test is one thread, and its machine lives as long as the thread.
    MACHINE.with(|machine| unsafe { &*std::ptr::from_ref(machine) }.borrow_mut())
}

impl Machine {
    /// The address of BL2's parameters.
    pub const PARAMETERS: u64 = Plat::MEMORY.shared.start as u64 + 0x8000;
    /// The address of the SPMC's manifest.
    pub const MANIFEST: u64 = Plat::MEMORY.shared.start as u64 + 0x2000;

    /// The address of the transfer list.
    pub const LIST: u64 = Plat::MEMORY.lists.start as u64;
    /// The address of the memory for the normal world's transfer list.
    pub const NORMAL_LIST: u64 = Plat::MEMORY.normal_list.start;

    /// Makes a machine of four cores with EL2, on which nothing has happened.
    fn new() -> Self {
        Self {
            return_state: (0, 0),
            el2: true,
            counter: 0,
            interrupt_pending: false,
            cores: (0..4).map(Plat::mpidr).collect(),
            gic_fault: None,
            pending: None,
            doorbells: Vec::new(),
            parameters: Vec::new(),
            manifest: None,
            list: None,
            normal_list: Vec::new(),
            scripts: Default::default(),
            events: Vec::new(),
        }
    }

    /// Adds a step to the script of `world`.
    pub fn plays(&mut self, world: World, step: impl FnOnce(&mut WorldContext) -> Exit + 'static) {
        self.scripts[world as usize].push_back(Box::new(step));
    }

    /// Adds an event to what happened.
    pub fn happens(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Returns what happened since the last call of this.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Has the core sleep until an interrupt comes, which is at once.
    pub fn sleeps(&mut self) {
        self.happens(Event::Slept);
    }

    /// Returns the word of BL2's parameters or of the transfer list at `address`.
    pub fn word(&self, address: u64) -> Option<u64> {
        if let Some(offset) = address.checked_sub(Self::LIST) {
            let bytes = self.list?.get(usize::try_from(offset).ok()?..)?;
            return bytes.first_chunk().map(|word| u64::from_le_bytes(*word));
        }
        let offset = address.checked_sub(Self::PARAMETERS)?;
        self.parameters
            .get(usize::try_from(offset / 8).ok()?)
            .copied()
    }
}

/// Runs the next step of a world's script. SCR_EL3.NS says which world, as on hardware.
pub fn enter(context: &mut WorldContext) -> Exit {
    let world = el3::current_world();
    let [x0, x1, x2, x3, x4, ..] = context.gpr;
    machine().happens(Event::Entered(world, [x0, x1, x2, x3, x4]));
    let step = machine().scripts[world as usize].pop_front();
    match step {
        Some(step) => step(context),
        None => end(End::OutOfScript(world)),
    }
}

/// Leaves Rust for good.
pub fn end(how: End) -> ! {
    // This is no panic of the code under test: print neither message nor back trace.
    resume_unwind(Box::new(how))
}

/// Runs code that does not return. Returns how it ended.
pub fn ends<T>(run: impl FnOnce() -> T) -> End {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else {
        panic!("it returned");
    };
    match payload.downcast::<End>() {
        Ok(end) => *end,
        Err(other) => resume_unwind(other),
    }
}
