//! The machine of the tests on the host. It has the functions of `hw/`, but they only return what a test has set up and
//! record what happens.
//!
//! Each test (each thread) has a [`Machine`] of its own, with its own statics ([`shared!`]). Scripts play the worlds:
//! entering a world runs the next step of its script on the world's registers. A core that leaves Rust for good
//! (because it parks, stops, or its script has ended) ends the test's call by a panic that [`ends`] catches.

mod machine;
mod per_test;

pub use machine::{End, Event, Machine, Step, ends, machine};
pub use per_test::PerTest;

use machine::end;

/// Declares statics that all cores share and change. Each test has its own.
macro_rules! shared {
    ($($(#[$meta:meta])* $vis:vis static $NAME:ident: $T:ty = $init:expr;)+) => {
        $(
            #[doc = "Each test has its own."]
            $vis static $NAME: $crate::hw::PerTest<$T> = $crate::hw::PerTest::new(|| $init);
        )+
    };
}
pub(crate) use shared;

pub mod cache {
    //! Cache maintenance, which this machine does not need.
    /// Does nothing: all memory is coherent.
    pub fn clean<T: ?Sized>(_: &T) {}
}

pub mod no_vectors {
    //! The SPMC's first vectors, as a range of addresses.
    /// Returns the table's address.
    pub fn address() -> u64 {
        0xe0a_0800
    }

    /// Returns whether `pc` is in the table.
    pub fn contains(pc: u64) -> bool {
        (address()..address() + 0x800).contains(&pc)
    }

    /// Does nothing: the table has no contents.
    pub fn fill() {}
}

pub mod console {
    //! The console of a test: the machine keeps its lines.

    use super::{Event, machine};
    use log::{Level, LevelFilter};

    /// Shows what an image shows.
    pub fn init() {
        log::set_max_level(LevelFilter::Info);
    }

    /// Records a line of EL3's own.
    pub fn own_line(level: Level, text: core::fmt::Arguments<'_>) {
        machine().happens(Event::Said(format!("{level}: {text}")));
    }

    /// Records a line of a report.
    pub fn line(parts: &[&[u8]], _: bool) {
        let text = std::string::String::from_utf8_lossy(&parts.concat()).into_owned();
        machine().happens(Event::Said(text));
    }

    /// Records a line of the SPMC.
    pub fn spmc_line(line: janus_spmd::Line<'_>) {
        machine().happens(Event::SpmcSaid(line.to_string()));
    }
}

pub mod cpu {
    //! The core that runs the test.

    use super::{End, end, machine};
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    /// Nothing to hide here.
    pub fn anew<T>(it: &mut T) -> &mut T {
        it
    }

    /// Returns ELR_EL3 and SPSR_EL3.
    pub fn return_state() -> (u64, u64) {
        machine().return_state
    }

    /// Sets ELR_EL3 and SPSR_EL3.
    ///
    /// # Safety
    ///
    /// There is no condition here.
    pub unsafe fn set_return_state(elr: u64, spsr: u64) {
        machine().return_state = (elr, spsr);
    }

    /// Returns whether the machine has EL2.
    pub fn has_el2() -> bool {
        machine().el2
    }

    /// Returns the system counter, which goes up by one at each call.
    pub fn counter() -> u64 {
        let mut machine = machine();
        machine.counter += 1;
        machine.counter
    }

    /// Returns QEMU's frequency, 62.5 MHz.
    pub fn counter_frequency() -> u64 {
        62_500_000
    }

    /// Returns the system counter's ticks in so many milliseconds.
    pub fn ticks(milliseconds: u32) -> u64 {
        u64::from(milliseconds) * counter_frequency() / 1000
    }

    /// Does nothing.
    pub fn set_counter_frequency() {}

    /// Returns whether an interrupt is pending.
    pub fn interrupt_pending() -> bool {
        machine().interrupt_pending
    }

    /// Sleeps until an interrupt comes, which is at once.
    pub fn wait_for_interrupt() {
        machine().sleeps();
    }

    /// Sleeps until an interrupt comes, which is at once.
    pub fn wait_for_wake_up() {
        machine().sleeps();
    }

    /// Writes two words.
    ///
    /// # Safety
    ///
    /// Two words are `AT` bytes into `it`.
    pub unsafe fn store_pair<T, const AT: usize>(it: &T, first: u64, second: u64) {
        let words = core::ptr::from_ref(it)
            .wrapping_byte_add(AT)
            .cast::<[AtomicU32; 2]>();
        // SAFETY: as the caller promises.
        let [one, two] = unsafe { &*words };
        one.store(first as u32, Relaxed);
        two.store(second as u32, Relaxed);
    }

    /// Stops the core.
    pub fn stop() -> ! {
        end(End::Stopped)
    }

    /// Returns None: the machine has no FEAT_RNG.
    pub fn random() -> Option<u64> {
        None
    }
}

pub mod entry {
    //! The way out of Rust.

    use super::{End, Event, end, machine};
    use crate::core_data::CoreData;
    use janus_plat::Composite;

    /// Records that boot firmware's held cores are released.
    pub fn open() {
        machine().happens(Event::HeldCoresReleased);
    }

    /// Goes on with the run loop.
    pub fn run(core: &mut CoreData) -> ! {
        crate::run::run_core(core)
    }

    /// Ends a power-down state.
    pub fn come_back(core: &mut CoreData, pc: u64, context: u64, system: bool) -> ! {
        crate::boot::come_back_core(core, 0, pc, context, system)
    }

    /// Parks the core.
    pub fn park(core: &mut CoreData) -> ! {
        end(End::Parked(core.index))
    }

    /// Calls `last` and parks the core, as if it lost its power.
    pub fn power_down_with(core: &mut CoreData, _: &Composite, last: impl FnOnce()) -> ! {
        last();
        end(End::Parked(core.index))
    }
}

pub mod gic {
    //! The interrupt controller. The test sets up what is pending.

    use super::{Event, machine};
    use crate::sgis::Owners;
    use crate::system::Spmc;
    use core::fmt;
    pub use janus_drivers::gic::{IntId, Pending};

    /// The fault that the test has set up.
    pub struct GicFault(pub &'static str);

    impl fmt::Display for GicFault {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    fn result() -> Result<(), GicFault> {
        machine().gic_fault.map_or(Ok(()), |why| Err(GicFault(why)))
    }

    /// Sets the distributor up.
    ///
    /// # Errors
    ///
    /// [`super::Machine::gic_fault`].
    pub fn init(_: bool) -> Result<(), GicFault> {
        result()
    }

    /// Sets this core's redistributor and CPU interface up.
    ///
    /// # Errors
    ///
    /// [`super::Machine::gic_fault`].
    pub fn init_core(_: &Owners, _: bool) -> Result<(), GicFault> {
        result()
    }

    /// Does nothing.
    pub fn sleep() {}

    /// Does nothing.
    pub fn save_core(_: usize, _: bool) {}

    /// Sets this core's interrupts up again.
    ///
    /// # Errors
    ///
    /// [`super::Machine::gic_fault`].
    pub fn restore_core(_: usize) -> Result<(), GicFault> {
        result()
    }

    /// Does nothing.
    pub fn save_distributor() {}

    /// Does nothing.
    pub fn restore_distributor() {}

    /// Gives the schedule receiver interrupt to the normal world.
    ///
    /// # Errors
    ///
    /// [`super::Machine::gic_fault`].
    pub fn give_sri(_: &Spmc) -> Result<(), GicFault> {
        machine().happens(Event::SriGiven);
        result()
    }

    /// Returns whether a core with this affinity exists.
    pub fn has_core(affinity: u64) -> bool {
        machine().cores.contains(&affinity)
    }

    /// Returns the interrupt that is pending for this core.
    pub fn pending() -> Pending {
        machine().pending.unwrap_or(Pending::None)
    }

    /// Acknowledges the pending Group 0 interrupt.
    pub fn acknowledge_group0() -> Option<IntId> {
        let mut machine = machine();
        match machine.pending.take() {
            Some(Pending::Group0(id)) => Some(id),
            other => {
                machine.pending = other;
                None
            }
        }
    }

    /// Records that a Group 0 interrupt was ended.
    pub fn end_group0(id: IntId) {
        machine().happens(Event::Ended(id.into()));
    }

    /// Records that only the wake-up of the parked core is not stopped.
    pub fn listen_for_wake(_: &Owners) {
        machine().happens(Event::ListensForWake);
    }

    /// Takes the doorbells of these cores. Returns whether one was rung.
    pub fn take_doorbells(_: u32, at: &dyn Fn(u64) -> bool) -> bool {
        let mut machine = machine();
        let before = machine.doorbells.len();
        machine.doorbells.retain(|&affinity| !at(affinity));
        machine.doorbells.len() != before
    }

    /// Records that an interrupt was disabled.
    pub fn disable(id: IntId) {
        machine().happens(Event::Disabled(id.into()));
    }

    /// Records that no SPMC takes secure interrupts on this core any more.
    pub fn end_secure_world(to: Option<u64>) {
        machine().happens(Event::SecureInterruptsTo(to));
    }

    /// Does nothing: the tests' platform has no Group 0 SPIs.
    pub fn hand_over_spis(_: fn() -> Option<u64>) {}

    /// Returns whether `id` is the secure timer's interrupt.
    pub fn is_secure_timer(id: IntId) -> bool {
        u32::from(id) == 29
    }

    /// Interrupts that are active keep none away here.
    pub fn without_secure_priorities<T>(work: impl FnOnce() -> T) -> T {
        work()
    }

    /// Records that SGI `id` was sent to the normal world of the core with this affinity.
    pub fn send_to_normal_world(id: u32, affinity: u64) {
        machine().happens(Event::Sent(id, affinity));
    }
}

pub mod layout {
    //! The memory of the image.

    use core::ops::Range;
    use janus_context::SysRegs;
    use std::boxed::Box;

    /// Returns an empty range: a core has no room for vector registers.
    pub fn vectors(_: usize) -> Range<usize> {
        16..16
    }

    /// Returns memory of its own for each core.
    pub fn parked(_: usize) -> *mut SysRegs {
        Box::into_raw(Box::new(SysRegs::EMPTY))
    }
}

pub mod pen {
    //! The pen of the cores that are off.

    use super::{Event, machine};
    use crate::system::System;

    /// Does nothing.
    pub fn hold(_: usize) {}

    /// Returns false: no core waits here because of CPU_FREEZE.
    pub fn holds(_: usize) -> bool {
        false
    }

    /// Records that core `index` was released.
    pub fn release(_: &System, index: usize) {
        machine().happens(Event::Released(index));
    }

    /// Does nothing.
    pub fn init() {}
}

pub mod power {
    //! The end of the system.

    use super::{End, Event, end, machine};
    use janus_plat::Stop;

    /// Records when the secure timer is to fire.
    pub fn interrupt_at(when: u64) {
        machine().happens(Event::InterruptAt(when));
    }

    /// What the timer was set to.
    pub struct Lent;

    /// An interrupt is to come then, for a while.
    pub fn borrow_timer(when: u64, hold: bool) -> Lent {
        machine().happens(Event::TimerBorrowed(when, hold));
        Lent
    }

    /// The SPMC has set it for itself.
    pub fn take_timer_again(_: &mut Lent, when: u64) {
        machine().happens(Event::InterruptAt(when));
    }

    /// The timer is as it was.
    pub fn return_timer(_: Lent, _: u64, alive: bool) {
        machine().happens(Event::TimerReturned(alive));
    }

    /// Stops the system.
    pub fn stop_system(how: Stop) -> ! {
        end(End::SystemStopped(how))
    }
}

pub mod shared_ram {
    //! The memory of boot firmware, as the test has set it up.

    use super::machine;
    use crate::boot_params::Memory;
    use crate::transfer_list::ListFault;

    /// The memory of boot firmware.
    pub struct SharedRam;

    impl Memory for SharedRam {
        fn word(&self, address: u64) -> Option<u64> {
            machine().word(address)
        }
    }

    /// Returns the test's transfer list, if it is at this address.
    pub fn list_from(at: u64) -> Option<&'static [u8]> {
        machine().list.filter(|_| at == super::Machine::LIST)
    }

    /// Has `write` fill the memory for the normal world's transfer list.
    pub fn write_normal_list<T>(
        write: impl FnOnce(&mut [u8], u64) -> Result<T, ListFault>,
    ) -> Option<Result<T, ListFault>> {
        let mut bytes = vec![0; 0x4000];
        let written = write(&mut bytes, super::Machine::NORMAL_LIST);
        machine().normal_list = bytes;
        Some(written)
    }

    /// Returns the test's manifest, if it is at this address.
    pub fn page_from(at: u64) -> Option<&'static [u8]> {
        machine()
            .manifest
            .filter(|_| at == super::Machine::MANIFEST)
    }
}

pub mod vectors {
    //! The way into a world and back.

    use super::machine;
    use crate::world::{Exit, WorldContext};
    use janus_plat::{Plat, Platform};
    use janus_spmd::World;

    /// Does nothing: the host needs no measures against speculation.
    pub fn guard() {}

    /// Runs the next step of the world's script. Fails if the world's registers are not in the CPU, as those of EL3 for it
    /// show, and ELR_EL3: tests run each world in its own memory.
    ///
    /// # Safety
    ///
    /// There is no condition here.
    pub unsafe fn enter(context: &mut WorldContext, world: World) -> (Exit, u64, u64) {
        assert!(context.el3.are_in_cpu(), "{world:?}: not its EL3 registers");
        let (elr, _) = machine().return_state;
        let of_secure = Plat::SECURE_RAM.contains(&elr);
        assert_eq!(of_secure, world == World::Secure, "it goes on at {elr:#x}");
        if world == World::Normal {
            context.black_box.goes_on(&context.gpr);
        }
        let exit = machine::enter(context);
        let [x0, x1, ..] = context.gpr;
        (exit, x0, x1)
    }
}
