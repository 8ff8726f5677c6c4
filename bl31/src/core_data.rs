//! What each core owns.
//!
//! Every core gets the one `&'static mut CoreData` that is its own when it enters Rust, and hands it
//! down to whatever it calls: nothing in EL3 looks up "the current core". Only the crash report
//! finds its record by TPIDR_EL3, because it cannot rely on anything else.
//!
//! What cores share is elsewhere, in atomics or never changed: [`crate::system`].

use crate::black_box::BlackBox;
use crate::context::secure_only::SecureOnly;
use crate::context::{OpenGroups, SysRegs};
use crate::crash_record::CrashRecord;
use crate::flow::SpmcEvent;
use crate::hw::{layout, shared, vectors};
use crate::sri;
use crate::system::{self, System};
use crate::topology::MAX_CORES;
use crate::world::{Exit, WorldContext};
use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, offset_of};
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};
use janus_plat::{Plat, Platform, Stop};
use janus_spmd::World;

/// One core's state. What a forwarded call touches comes first, within the reach of LDP and STP.
#[repr(C, align(64))]
pub struct CoreData {
    /// The normal world's context.
    pub normal: WorldContext,
    /// The secure world's context.
    pub secure: WorldContext,
    /// The system registers of the world that is not current.
    pub parked: SysRegs,
    /// The world whose system registers are in the CPU.
    current: World,
    /// What all cores share.
    pub system: &'static System,
    /// What the next entry into the normal world does for the schedule receiver interrupt.
    pub sri: sri::Requests,
    /// This core's linear number.
    pub index: usize,
    /// The dispatcher's state on this core.
    pub spmd: janus_spmd::Core,
    /// What the SPMC finished last of what EL3 asked of it.
    pub event: SpmcEvent,
    /// w0 and w1 of the SPMC's last call that EL3 did not simply forward: for the black box.
    pub asked: [u32; 2],
    /// The vector and matrix registers, as far as they are switched.
    pub live: OpenGroups,
    /// What only the secure world has, while this core has no power. None where it always has.
    pub secure_only: [SecureOnly; Plat::POWER.room()],
    /// How the system stops, and when at the latest by the system counter: the SPMC has been told.
    pub stopping: Option<(Stop, u64)>,
    /// Written by the vectors when EL3 itself takes an exception: at TPIDR_EL3.
    pub crash: CrashRecord,
}

impl CoreData {
    /// A core that starts for the first time. In place, because a whole `CoreData` is too large for
    /// a stack, and field by field, so that the image holds no copy of an empty one.
    fn first_start(slot: &mut MaybeUninit<Self>, index: usize) -> &mut Self {
        let core = slot.as_mut_ptr();
        let vectors = layout::vectors(index);
        // SAFETY: memory of the platform's for this core alone, any of whose values are bytes; a core
        // starts for the first time once.
        let vectors = unsafe { slice::from_raw_parts_mut(vectors.start as *mut u8, vectors.len()) };
        // SAFETY: every field is written, in memory that is the slot's.
        unsafe {
            (&raw mut (*core).crash).write(CrashRecord::EMPTY);
            (&raw mut (*core).normal).write(WorldContext::EMPTY);
            (&raw mut (*core).secure).write(WorldContext::EMPTY);
            (&raw mut (*core).parked).write(SysRegs::EMPTY);
            (&raw mut (*core).normal.black_box).write(BlackBox::new(index));
            (&raw mut (*core).current).write(World::Normal);
            (&raw mut (*core).system).write(system::get());
            (&raw mut (*core).sri).write(sri::Requests::NONE);
            (&raw mut (*core).index).write(index);
            (&raw mut (*core).live).write(OpenGroups::new(vectors));
            (&raw mut (*core).spmd).write(janus_spmd::Core::new());
            (&raw mut (*core).secure_only).write([SecureOnly::EMPTY; Plat::POWER.room()]);
            (&raw mut (*core).event).write(SpmcEvent::Ready);
            (&raw mut (*core).asked).write([0; 2]);
            (&raw mut (*core).stopping).write(None);
            slot.assume_init_mut()
        }
    }

    /// Notes for the black box what the SPMC calls, `function`, before the answer takes its registers.
    pub fn note_call(&mut self, function: u32) {
        self.asked = [function, self.secure.gpr[1] as u32];
    }

    /// The context of `world`.
    pub fn context(&mut self, world: World) -> &mut WorldContext {
        match world {
            World::Normal => &mut self.normal,
            World::Secure => &mut self.secure,
        }
    }

    /// The world whose system registers are in the CPU.
    pub fn current(&self) -> World {
        self.current
    }

    /// Puts the system registers of `world` into the CPU and parks those of the other world, unless
    /// they are there already; then does what is `due` when they change hands. Returns what `world` can
    /// be entered with.
    #[inline(always)]
    pub fn switch_to(&mut self, world: World, due: impl FnOnce(&mut Self)) -> Current<'_> {
        if self.current != world {
            self.exchange(world);
            due(self);
        }
        Current(self.context(world), world)
    }

    /// The registers change hands: `world` becomes current, which it is not.
    #[inline(always)]
    fn exchange(&mut self, world: World) {
        self.current = world;
        let policy = &self.system.policy;
        let (normal, secure, parked) = (&mut self.normal, &mut self.secure, &mut self.parked);
        match world {
            World::Secure => {
                normal.save_return();
                policy.to_secure(&mut self.live, parked, &secure.el3);
                secure.load_return();
            }
            World::Normal => {
                secure.save_return();
                policy.to_normal(&mut self.live, parked, &normal.el3);
                normal.load_return();
            }
        }
    }

    /// Makes the normal world current: its system registers are in the CPU, by
    /// [`crate::context::Policy::init_el3`], where it goes on is in its context.
    pub fn begin_normal(&mut self) {
        self.current = World::Normal;
        let policy = &self.system.policy;
        policy.enter_normal(&self.live, &self.normal.el3);
        self.normal.load_return();
    }
}

/// The context of the world whose registers are in the CPU. Only [`CoreData::switch_to`] makes it, and as
/// long as it is there nothing else can change hands: so that it can be entered.
pub struct Current<'a>(&'a mut WorldContext, World);

impl Current<'_> {
    /// Runs the world until an exception brings the core back to EL3, and returns which one, with
    /// what the black box is told of it.
    #[inline(always)]
    pub fn enter(self) -> (Exit, u64, u64) {
        // SAFETY: the switch has put the world's registers into the CPU, those of its return with
        // them, and this borrow of the core's data has kept everybody from switching since.
        unsafe { vectors::enter(self.0, self.1) }
    }
}

/// Where in a core's data its crash record is.
pub const CRASH_RECORD: usize = offset_of!(CoreData, crash);

shared! {
    /// Which cores have ever started.
    static STARTED: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];
}

impl CoreData {
    /// Returns the number of the core whose crash record is at `record`, and the world that it serves: for a
    /// crash report. `None`: the address is no core's, or the core's data are not set up yet.
    pub fn of_crash_record(record: usize) -> Option<(usize, World)> {
        let mut slots = CORES.iter().zip(STARTED.iter());
        let (slot, started) =
            slots.find(|(slot, _)| slot.0.get() as usize + CRASH_RECORD == record)?;
        if !started.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the core that crashed asks about itself; it has no use for its data any more.
        let core = unsafe { (*slot.0.get()).assume_init_ref() };
        Some((core.index, core.current))
    }
}

/// A core's data, borrowed by that core alone.
#[repr(transparent)]
struct Slot(UnsafeCell<MaybeUninit<CoreData>>);

// SAFETY: `claim` is the only way in, and its callers promise that each core takes its own slot.
unsafe impl Sync for Slot {}

shared! {
    /// Every core's data. entry.S computes TPIDR_EL3 from this symbol.
    #[unsafe(no_mangle)]
    #[unsafe(link_section = ".noinit.cores")]
    static CORES: [Slot; MAX_CORES] =
        [const { Slot(UnsafeCell::new(MaybeUninit::uninit())) }; MAX_CORES];
}

/// Returns this core's data: as new when the core starts for the first time, else as it left them. Call
/// [`system::set`] before the first time.
///
/// # Safety
///
/// `index` must be the number of the core that calls, and no other reference to its data may live:
/// call it once each time a core enters Rust from entry.S.
pub unsafe fn claim(index: usize) -> &'static mut CoreData {
    let (Some(slot), Some(started)) = (CORES.get(index), STARTED.get(index)) else {
        panic!("core_data: no room for this core");
    };
    // SAFETY: as the caller promises.
    let slot = unsafe { &mut *slot.0.get() };
    if started.load(Ordering::Relaxed) {
        // SAFETY: written when the core started for the first time.
        return unsafe { slot.assume_init_mut() };
    }
    let core = CoreData::first_start(slot, index);
    // A crash on the way here finds no data ([`CoreData::of_crash_record`]), rather than half of them.
    started.store(true, Ordering::Release);
    core
}
