//! A machine for the tests on the host: the names of `hw/`, with nothing behind them but what a test says
//! and what it wants to see.
//!
//! Each test (each thread) has a machine of its own, [`Machine`], statics included ([`shared!`]). Worlds are
//! played by scripts: entering a world runs the next step of its script on the world's registers. A core that
//! leaves Rust for good (it parks, stops, or has no script any more) ends the test's call by a panic that
//! [`ends`] catches.

mod machine;
mod per_test;

pub use machine::{End, Event, Machine, Step, ends, machine};
pub use per_test::PerTest;

use machine::end;

/// Declares what all cores share and change: one for each test.
macro_rules! shared {
    ($($(#[$meta:meta])* $vis:vis static $NAME:ident: $T:ty = $init:expr;)+) => {
        $(
            #[doc = "One for each test."]
            $vis static $NAME: $crate::hw::PerTest<$T> = $crate::hw::PerTest::new(|| $init);
        )+
    };
}
pub(crate) use shared;

pub mod cache {
    //! There is none.

    /// All is coherent.
    pub fn clean<T: ?Sized>(_: &T) {}
}

pub mod no_vectors {
    //! The table is a range of addresses.

    /// Its address.
    pub fn address() -> u64 {
        0xe0a_0800
    }

    /// Whether an instruction at `pc` is one of the table's.
    pub fn contains(pc: u64) -> bool {
        (address()..address() + 0x800).contains(&pc)
    }

    /// There is nothing to write.
    pub fn fill() {}
}

pub mod console {
    //! The console of a test: the machine keeps its lines.

    use super::{Event, machine};
    use log::{LevelFilter, Log, Metadata, Record};

    struct Logger;

    impl Log for Logger {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            let line = format!("{}: {}", record.level(), record.args());
            machine().happens(Event::Said(line));
        }

        fn flush(&self) {}
    }

    /// Sends `log`'s records to the machine of the test.
    pub fn init() {
        // Another test may have done so.
        let _ = log::set_logger(&Logger);
        log::set_max_level(LevelFilter::Info);
    }

    /// Prints a line of a report.
    pub fn line(parts: &[&[u8]], _: bool) {
        let text = std::string::String::from_utf8_lossy(&parts.concat()).into_owned();
        machine().happens(Event::Said(text));
    }

    /// Prints a line of the SPMC's.
    pub fn spmc_line(line: janus_spmd::Line<'_>) {
        machine().happens(Event::SpmcSaid(line.to_string()));
    }
}

pub mod cpu {
    //! The core that runs this.

    use super::{End, end, machine};
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    /// ESR_EL3.
    pub fn syndrome() -> u64 {
        machine().esr
    }

    /// ELR_EL3 and SPSR_EL3.
    pub fn return_state() -> (u64, u64) {
        machine().return_state
    }

    /// Sets ELR_EL3 and SPSR_EL3.
    ///
    /// # Safety
    ///
    /// None needed here.
    pub unsafe fn set_return_state(elr: u64, spsr: u64) {
        machine().return_state = (elr, spsr);
    }

    /// Whether there is an EL2.
    pub fn has_el2() -> bool {
        machine().el2
    }

    /// The system counter: it counts how often it is asked.
    pub fn counter() -> u64 {
        let mut machine = machine();
        machine.counter += 1;
        machine.counter
    }

    /// 62.5 MHz, as QEMU's.
    pub fn counter_frequency() -> u64 {
        62_500_000
    }

    /// Nothing to tell.
    pub fn set_counter_frequency() {}

    /// Whether an interrupt waits.
    pub fn interrupt_pending() -> bool {
        machine().interrupt_pending
    }

    /// One comes.
    pub fn wait_for_interrupt() {
        machine().sleeps();
    }

    /// One comes.
    pub fn wait_for_wake_up() {
        machine().sleeps();
    }

    /// Writes two words.
    pub fn store_pair(words: &[AtomicU32; 2], first: u64, second: u64) {
        words[0].store(first as u32, Relaxed);
        words[1].store(second as u32, Relaxed);
    }

    /// The core stops.
    pub fn stop() -> ! {
        end(End::Stopped)
    }

    /// There is no FEAT_RNG.
    pub fn random() -> Option<u64> {
        None
    }
}

pub mod entry {
    //! The way out of Rust.

    use super::{End, Event, end, machine};
    use crate::core_data::CoreData;
    use janus_plat::Composite;

    /// All held cores are now ours.
    pub fn open() {
        machine().happens(Event::HeldCoresReleased);
    }

    /// The core waits for its next start.
    pub fn park(core: &mut CoreData) -> ! {
        end(End::Parked(core.index))
    }

    /// The core loses its power.
    pub fn power_down_with(core: &mut CoreData, _: &Composite, last: impl FnOnce()) -> ! {
        last();
        end(End::Parked(core.index))
    }
}

pub mod gic {
    //! An interrupt controller of which a test says what is pending.

    use super::{Event, machine};
    use crate::system::{Spmc, Sri};
    use core::fmt;
    pub use janus_drivers::gic::{IntId, Pending};

    /// What a test says is wrong.
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
    pub fn init_core(_: Option<&Sri>) -> Result<(), GicFault> {
        result()
    }

    /// Stops interrupts to this core.
    pub fn sleep() {}

    /// Keeps this core's interrupts.
    pub fn save_core(_: usize, _: bool) {}

    /// Sets this core's interrupts up again.
    ///
    /// # Errors
    ///
    /// [`super::Machine::gic_fault`].
    pub fn restore_core(_: usize) -> Result<(), GicFault> {
        result()
    }

    /// Keeps the distributor.
    pub fn save_distributor() {}

    /// Puts it back.
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

    /// Whether a core with this affinity exists.
    pub fn has_core(affinity: u64) -> bool {
        machine().cores.contains(&affinity)
    }

    /// What waits for this core.
    pub fn pending() -> Pending {
        machine().pending.unwrap_or(Pending::None)
    }

    /// Takes the pending Group 0 interrupt.
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

    /// Ends it.
    pub fn end_group0(id: IntId) {
        machine().happens(Event::Ended(id.into()));
    }

    /// Only the wake-up of a parked core is heard from here on.
    pub fn listen_for_wake(_: Option<&Sri>) {
        machine().happens(Event::ListensForWake);
    }

    /// Whether the doorbell was rung at one of these cores.
    pub fn take_doorbells(_: u32, at: &dyn Fn(u64) -> bool) -> bool {
        let mut machine = machine();
        let before = machine.doorbells.len();
        machine.doorbells.retain(|&affinity| !at(affinity));
        machine.doorbells.len() != before
    }

    /// Disables an interrupt.
    pub fn disable(id: IntId) {
        machine().happens(Event::Disabled(id.into()));
    }

    /// Nobody on this core takes secure interrupts any more.
    pub fn end_secure_world(to: Option<u64>) {
        machine().happens(Event::SecureInterruptsTo(to));
    }

    /// No platform of the tests has SPIs of EL3's.
    pub fn hand_over_spis(_: fn() -> Option<u64>) {}

    /// Whether it is the secure timer's interrupt.
    pub fn is_secure_timer(id: IntId) -> bool {
        u32::from(id) == 29
    }

    /// Sends SGI `id` to the normal world of the core with this affinity.
    pub fn send_to_normal_world(id: u32, affinity: u64) {
        machine().happens(Event::Sent(id, affinity));
    }
}

pub mod layout {
    //! Memory that the image lays out.

    use core::ops::Range;

    /// A core has no room for vector registers.
    pub fn vectors(_: usize) -> Range<usize> {
        16..16
    }
}

pub mod pen {
    //! Where cores wait while they are off.

    use super::{Event, machine};
    use crate::system::System;

    /// Core `index` waits here.
    pub fn hold(_: usize) {}

    /// Nobody does by CPU_FREEZE alone.
    pub fn holds(_: usize) -> bool {
        false
    }

    /// Lets core `index` out.
    pub fn release(_: &System, index: usize) {
        machine().happens(Event::Released(index));
    }

    /// Nothing to do.
    pub fn init() {}
}

pub mod power {
    //! The end of a run.

    use super::{End, Event, end, machine};
    use janus_plat::Stop;

    /// An interrupt is to come then.
    pub fn interrupt_at(when: u64) {
        machine().happens(Event::InterruptAt(when));
    }

    /// The system stops.
    pub fn stop_system(how: Stop) -> ! {
        end(End::SystemStopped(how))
    }
}

pub mod shared_ram {
    //! What boot firmware left, as the test has it.

    use super::machine;
    use crate::boot_params::Memory;
    use crate::transfer_list::ListFault;

    /// The test's words.
    pub struct SharedRam;

    impl Memory for SharedRam {
        fn word(&self, address: u64) -> Option<u64> {
            machine().word(address)
        }
    }

    /// The transfer list that the test has at this address.
    pub fn list_from(at: u64) -> Option<&'static [u8]> {
        machine().list.filter(|_| at == super::Machine::LIST)
    }

    /// Has `write` fill the normal world's memory.
    pub fn write_normal_list<T>(
        write: impl FnOnce(&mut [u8], u64) -> Result<T, ListFault>,
    ) -> Option<Result<T, ListFault>> {
        let mut bytes = vec![0; 0x4000];
        let written = write(&mut bytes, super::Machine::NORMAL_LIST);
        machine().normal_list = bytes;
        Some(written)
    }

    /// The manifest that the test has at this address.
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
    use janus_spmd::World;

    /// Nobody speculates here.
    pub fn guard() {}

    /// Runs the next step of the world's script.
    ///
    /// # Safety
    ///
    /// None needed here.
    pub unsafe fn enter(context: &mut WorldContext, world: World) -> (Exit, u64, u64) {
        if world == World::Normal {
            context.black_box.goes_on(&context.gpr);
        }
        let exit = machine::enter(context);
        match (exit, context.gpr) {
            (Exit::Synchronous, [x0, x1, ..]) => (exit, x0, x1),
            (exit, _) => (exit, exit as u64, 0),
        }
    }
}
