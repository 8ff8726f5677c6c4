//! The data that each core owns.
//!
//! When a core enters Rust, it gets the one `&'static mut CoreData` that is its own, and passes it down to
//! what it calls. Nothing in EL3 looks up "the current core". Only the crash report finds its record by
//! TPIDR_EL3, because it cannot rely on anything else.
//!
//! Data that cores share are elsewhere: in atomics, or constant after the boot ([`crate::system`]).

use crate::black_box::BlackBox;
use crate::crash_record::CrashRecord;
use crate::hw::{layout, shared, vectors};
use crate::patience::Watch;
use crate::spmc_event::SpmcEvent;
use crate::sri;
use crate::system::{self, System};
use crate::topology::MAX_CORES;
use crate::world::{Exit, WorldContext};
use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, offset_of};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};
use janus_context::secure_only::SecureOnly;
use janus_context::{CommonBank, OpenGroups, Policy, Switch, SysRegs, el3};
use janus_plat::{Plat, Platform};
use janus_spmd::{StateName, World};

/// One core's state. The contexts come first, within the reach of LDP and STP.
#[repr(C, align(64))]
pub struct CoreData {
    /// The normal world's context.
    pub normal: WorldContext,
    /// The secure world's context.
    pub secure: WorldContext,
    /// What all cores share.
    pub system: &'static System,
    /// This core's linear number.
    pub index: usize,
    /// The vector and matrix registers, as far as they are switched.
    pub live: OpenGroups,
    /// The system registers of the world that is not current. They lie in the page of the core's stack, which would be
    /// larger than the stack has to be.
    pub parked: Parked,
    /// What the next entry into the normal world has to do for the schedule receiver interrupt.
    pub sri: sri::Requests,
    /// The dispatcher's state on this core.
    pub spmd: janus_spmd::Core,
    /// What the SPMC finished last on EL3's behalf.
    pub event: SpmcEvent,
    /// w0 and w1 of the SPMC's last call that EL3 did not simply forward, for the black box.
    pub asked: [u32; 2],
    /// The registers that only the secure world has, saved while this core has no power. The array is empty on
    /// platforms whose cores never lose their power.
    pub secure_only: [SecureOnly; Plat::POWER.room()],
    /// How long the SPMC may be silent, while that matters.
    pub watch: Option<Watch>,
    /// The Group 0 handlers that are called again before the normal world runs, as [`crate::group0`] has it.
    pub later: u32,
    /// The registers at an exception of EL3 itself. The vectors write it and find it by TPIDR_EL3.
    pub crash: CrashRecord,
}

/// Beside the contexts, a forwarded call uses what is last in `live`, `parked`, `sri` and what is first in `spmd`. They are
/// in one line of the cache.
const _: () = {
    const LINE: usize = 64;
    let last = offset_of!(CoreData, parked) - 2 * size_of::<u64>();
    let first = offset_of!(CoreData, spmd) + size_of::<u64>() - 1;
    assert!(
        last / LINE == first / LINE,
        "their order, or the fields before them"
    );
};

impl CoreData {
    /// Initialises the data of a core that starts for the first time: in place, because a whole `CoreData` is
    /// too large for the stack, and field by field, so that the image holds no copy of an empty one.
    #[inline(never)]
    fn first_start(slot: &mut MaybeUninit<Self>, index: usize) {
        let core = slot.as_mut_ptr();
        let vectors = layout::vectors(index);
        // SAFETY: the platform sets this memory aside for this core alone, every value of it is valid as bytes, and
        // a core starts for the first time only once.
        let vectors = unsafe { slice::from_raw_parts_mut(vectors.start as *mut u8, vectors.len()) };
        // SAFETY: the pointer is to the slot's own memory, and every field is written. The memory of `parked` is this
        // core's alone, too, and never its stack from here on. `layout` checks that `vectors` has room for FP.
        unsafe {
            (&raw mut (*core).crash).write(CrashRecord::EMPTY);
            (&raw mut (*core).normal).write(WorldContext::EMPTY);
            (&raw mut (*core).secure).write(WorldContext::EMPTY);
            let parked = layout::parked(index);
            parked.write(SysRegs::EMPTY);
            (&raw mut (*core).parked).write(Parked::new(&mut *parked));
            (&raw mut (*core).normal.black_box).write(BlackBox::new(index));
            (&raw mut (*core).system).write(system::get());
            (&raw mut (*core).sri).write(sri::Requests::NONE);
            (&raw mut (*core).index).write(index);
            (&raw mut (*core).live).write(OpenGroups::new(vectors));
            (&raw mut (*core).spmd).write(janus_spmd::Core::new());
            (&raw mut (*core).secure_only).write([SecureOnly::EMPTY; Plat::POWER.room()]);
            (&raw mut (*core).event).write(SpmcEvent::Ready);
            (&raw mut (*core).asked).write([0; 2]);
            (&raw mut (*core).watch).write(None);
            (&raw mut (*core).later).write(0);
        }
    }

    /// Notes the SPMC's call of `function` for the black box, before the answer overwrites its registers.
    pub fn note_call(&mut self, function: u32) {
        self.asked = [function, self.secure.gpr[1] as u32];
    }

    /// Returns the context of `world`.
    pub fn context(&mut self, world: World) -> &mut WorldContext {
        match world {
            World::Normal => &mut self.normal,
            World::Secure => &mut self.secure,
        }
    }

    /// Returns the world whose system registers are in the CPU.
    pub fn current(&self) -> World {
        el3::current_world()
    }

    /// Makes `world` the current one: puts its system registers into the CPU, parks those of the other world
    /// and then calls `due`. Exchanges nothing if `world` is current already.
    #[inline(always)]
    pub fn switch_to(&mut self, world: World, due: impl FnOnce(&mut Self)) -> Here {
        if self.current() != world {
            self.exchange::<false>(world);
            due(self);
        }
        Here(())
    }

    /// Makes `world` the current one, as [`CoreData::switch_to`] does, where the other world is current for certain.
    ///
    /// # Safety
    ///
    /// Nobody has switched since the `Here` was made.
    #[inline(always)]
    pub unsafe fn hand_over(&mut self, world: World, _: Here, due: impl FnOnce(&mut Self)) -> Here {
        debug_assert!(self.current() != world);
        self.exchange::<true>(world);
        due(self);
        Here(())
    }

    /// Runs `world` until an exception brings the core back to EL3. Returns the exception, and the world's x0 and x1.
    ///
    /// # Safety
    ///
    /// The `Here` is of `world`, and nobody has switched since it was made.
    #[inline(always)]
    pub unsafe fn enter(&mut self, world: World, _: &Here) -> (Exit, u64, u64) {
        debug_assert!(self.current() == world);
        // SAFETY: the switch that made the `Here` put the world's registers into the CPU, ELR_EL3 and SPSR_EL3 among
        // them; as the caller promises, they are still there.
        unsafe { vectors::enter(self.context(world), world) }
    }

    /// Exchanges the system registers of the worlds: `world`, which is not current, becomes current. `STRAIGHT` is as in
    /// [`Policy::to_secure`].
    #[inline(always)]
    fn exchange<const STRAIGHT: bool>(&mut self, world: World) {
        let switched = self.live.switched();
        if switched.is(Switch::Beside) {
            self.leave_beside(world);
        }
        let (normal, secure, parked) = (&mut self.normal, &mut self.secure, &mut *self.parked);
        match world {
            World::Secure => {
                normal.save_return();
                Policy::to_secure::<STRAIGHT>(switched, parked, &secure.el3);
                secure.load_return();
            }
            World::Normal => {
                secure.save_return();
                Policy::to_normal::<STRAIGHT>(switched, parked, &normal.el3);
                normal.load_return();
                if switched.is(Switch::Beside) {
                    self.enter_beside();
                }
            }
        }
    }

    /// Switches to `world` what is not in a bank: the part before the exchange.
    #[cold]
    #[inline(never)]
    fn leave_beside(&mut self, world: World) {
        let (policy, parked) = (&self.system.policy, &mut *self.parked);
        match world {
            World::Secure => self.live.leave_normal(policy, parked, &self.secure.el3),
            World::Normal => self.live.leave_secure(policy, parked, &self.normal.el3),
        }
    }

    /// Switches to the normal world what is not in a bank: the part after the exchange.
    #[cold]
    #[inline(never)]
    fn enter_beside(&mut self) {
        self.live.enter_normal();
    }

    /// Makes the normal world current without an exchange: [`janus_context::Policy::init_el3`] has put its system
    /// registers into the CPU. Where it goes on is in its context.
    pub fn begin_normal(&mut self) {
        Policy::enter_normal(&self.live, &self.normal.el3);
        self.normal.load_return();
    }
}

const _: () =
    assert!(offset_of!(SysRegs, common) == 0 && size_of::<SysRegs>() > CommonBank::AROUND);

/// A core's parked registers: a reference that points where the code that exchanges them wants it, so that no switch has
/// to compute that.
pub struct Parked(NonNull<u8>);

impl Parked {
    fn new(at: &'static mut SysRegs) -> Self {
        // SAFETY: the result is in `at`: the common bank comes first, and the others are larger than that.
        Self(unsafe { NonNull::from(at).cast().byte_add(CommonBank::AROUND) })
    }
}

impl Deref for Parked {
    type Target = SysRegs;

    #[inline(always)]
    fn deref(&self) -> &SysRegs {
        // SAFETY: `new` was given this reference, and has kept it.
        unsafe { self.0.byte_sub(CommonBank::AROUND).cast().as_ref() }
    }
}

impl DerefMut for Parked {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut SysRegs {
        // SAFETY: as in `deref`.
        unsafe { self.0.byte_sub(CommonBank::AROUND).cast().as_mut() }
    }
}

/// Says that the registers of the world that runs, or has just come to EL3, are in the CPU. A switch makes it, and it
/// is void after the next switch. It cannot be copied: code that switches, or lets a world run, does not hand it on, and
/// [`CoreData::switch_to`] makes a new one. It saves a test of the current world for each call.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Here(());

/// The offset of the crash record in a core's data.
pub const CRASH_RECORD: usize = offset_of!(CoreData, crash);

shared! {
    /// The cores that have started at least once.
    static STARTED: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];
}

impl CoreData {
    /// Returns the number of the core whose crash record is at address `record`, and the world that it serves, for a
    /// crash report. Returns None if no core has its record there, or the core's data are not set up yet.
    pub fn of_crash_record(record: usize) -> Option<(usize, World)> {
        let mut slots = CORES.iter().zip(STARTED.iter());
        let (slot, started) =
            slots.find(|(slot, _)| slot.0.get() as usize + CRASH_RECORD == record)?;
        if !started.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the core that crashed asks about itself, and does not use its other reference any more.
        let core = unsafe { (*slot.0.get()).assume_init_ref() };
        // On a core that comes on, no switch has written SCR_EL3 yet. The SPMC is off there.
        let world = match core.spmd.state() {
            StateName::Off => World::Normal,
            _ => core.current(),
        };
        Some((core.index, world))
    }
}

/// The place of one core's data. Only that core borrows them.
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

/// Returns this core's data: initialised when the core starts for the first time, else as the core left them.
/// Call [`system::set`] before the first call.
///
/// # Safety
///
/// `index` must be the number of the core that calls, and no other reference to its data may live:
/// call it once each time a core enters Rust from entry.S.
pub unsafe fn claim(index: usize) -> &'static mut CoreData {
    let (Some(slot), Some(started)) = (CORES.get(index), STARTED.get(index)) else {
        panic!("core_data: no room for this core");
    };
    // SAFETY: the caller promises that no other reference lives.
    let slot = unsafe { &mut *slot.0.get() };
    if !started.load(Ordering::Relaxed) {
        CoreData::first_start(slot, index);
        // Set last: [`CoreData::of_crash_record`] must not find data that are half initialised.
        started.store(true, Ordering::Release);
    }
    // SAFETY: `first_start` has initialised it, now or before.
    unsafe { slot.assume_init_mut() }
}
