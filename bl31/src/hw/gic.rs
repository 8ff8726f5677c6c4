//! The interrupt controller of this image: the platform's GIC, with the driver of `janus-drivers`.

use crate::messages::warning;
use crate::sgis::{self, Owners};
use crate::system::Spmc;
use aarch64_cpu::registers::{MPIDR_EL1, Readable};
use core::fmt;
use janus_drivers::gic::{
    DistributorContext, Error, Gic, Redistributor, RedistributorContext, SecureGroup,
    SecureInterrupt,
};
pub use janus_drivers::gic::{IntId, Pending, Ppi};
use janus_drivers::gic_cpu;
pub use janus_drivers::gic_cpu::{acknowledge_group0, end_group0, pending};
use janus_plat::{Plat, Platform};
use spin::mutex::SpinMutex;

// SAFETY: the addresses are those of the platform's GIC, and mmu.rs maps them as devices. This is the only `Gic` of the
// image.
static GIC: Gic = unsafe { Gic::new(&Plat::GIC) };

/// A fault of the GIC, for the console.
pub struct GicFault(Error);

impl From<Error> for GicFault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for GicFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::Version(version) => {
                write!(
                    f,
                    "GICv{version} is not supported, use GICv3{}",
                    Plat::GIC_HINTS.version
                )
            }
            Error::OneSecurityState => {
                let hint = Plat::GIC_HINTS.security;
                write!(f, "the GIC has one security state{hint}")
            }
            Error::NoRedistributor => {
                let mpidr = MPIDR_EL1.get();
                write!(
                    f,
                    "no redistributor for core {mpidr:#x}: check the platform's GICR regions"
                )
            }
            Error::BadInterrupt(id) => {
                write!(
                    f,
                    "the GIC has no interrupt {id}: check the platform's secure interrupts"
                )
            }
            Error::ContextTooSmall => f.write_str("more interrupts than the GIC context can hold"),
        }
    }
}

/// Sets the distributor up. Call it once, on the boot core. `spmc` says whether there is an SPMC.
///
/// # Errors
///
/// The fault of the GIC. Interrupts then stay as boot firmware left them.
pub fn init(spmc: bool) -> Result<(), GicFault> {
    if !gic_cpu::has_system_registers() {
        return Err(GicFault(Error::Version(2)));
    }
    let checked = GIC.check().and_then(|()| GIC.init_distributor(spmc));
    checked.map_err(GicFault)
}

/// Returns this core's redistributor.
fn own_redistributor() -> Option<Redistributor> {
    GIC.redistributor(MPIDR_EL1.get())
}

/// Sets this core's redistributor and CPU interface up, when it comes on. `spmc` as in [`init`].
///
/// # Errors
///
/// What is wrong with the redistributor.
pub fn init_core(sgis: &Owners, spmc: bool) -> Result<(), GicFault> {
    let mut redistributor = own_redistributor().ok_or(Error::NoRedistributor)?;
    redistributor.init(&GIC, &sgis.at_start, spmc)?;
    gic_cpu::init();
    Ok(())
}

/// The number of cores whose redistributors can be saved while they have no power.
const SAVED_CORES: usize = Plat::POWER.room_at(Plat::POWER.gic.redistributor, Plat::MAX_CORES);
const SAVED_DISTRIBUTORS: usize = Plat::POWER.room_at(Plat::POWER.gic.distributor, 1);

/// The largest number of SPIs, in units of 32.
const SPIS: usize = 31;

/// The state of the GIC while it has no power. None: nothing was saved.
struct Saved {
    cores: [SpinMutex<Option<RedistributorContext>>; SAVED_CORES],
    distributors: [SpinMutex<Option<DistributorContext<SPIS>>>; SAVED_DISTRIBUTORS],
}

static SAVED: Saved = Saved {
    cores: [const { SpinMutex::new(None) }; SAVED_CORES],
    distributors: [const { SpinMutex::new(None) }; SAVED_DISTRIBUTORS],
};

/// Stops interrupts to this core, which is about to lose its power. From now on they have the power controller wake the
/// core.
pub fn sleep() {
    gic_cpu::disable();
    if let Some(mut redistributor) = own_redistributor() {
        redistributor.sleep();
    }
}

/// Saves this core's interrupts for [`restore_core`], and stops them as [`sleep`] does. `all` says that its
/// redistributor loses its state.
#[inline(never)]
pub fn save_core(index: usize, all: bool) {
    if let Some(slot) = SAVED.cores.get(index) {
        let mut slot = slot.lock();
        *slot = None;
        if all && let Some(mut redistributor) = own_redistributor() {
            // Filled in place, because it is too large for the stack.
            let context = slot.insert(RedistributorContext::default());
            if redistributor.save(context).is_err() {
                *slot = None;
            }
        }
    }
    sleep();
}

/// Sets this core's interrupts up again after [`save_core`].
///
/// # Errors
///
/// What is wrong with the redistributor.
#[inline(never)]
pub fn restore_core(index: usize) -> Result<(), GicFault> {
    let mut redistributor = own_redistributor().ok_or(Error::NoRedistributor)?;
    let slot = SAVED.cores.get(index).map(SpinMutex::lock);
    match slot.as_ref().and_then(|slot| slot.as_ref()) {
        Some(context) => redistributor.restore(context)?,
        None => redistributor.wake(),
    }
    gic_cpu::init();
    Ok(())
}

/// Saves the distributor. Called on the last core.
#[inline(never)]
pub fn save_distributor() {
    if let Some(slot) = SAVED.distributors.first() {
        let mut slot = slot.lock();
        let context = slot.insert(DistributorContext::default());
        if GIC.save(context).is_err() {
            *slot = None;
        }
    }
}

/// Restores what [`save_distributor`] saved. Called on the first core.
pub fn restore_distributor() {
    if let Some(slot) = SAVED.distributors.first()
        && let Some(context) = slot.lock().as_ref()
    {
        // The state was saved from this distributor, so it fits.
        let _ = GIC.restore(context);
    }
}

/// Gives the schedule receiver interrupt to the normal world of this core. Called after the SPMC has started here,
/// because it may expect the SGI to be secure, as after reset. Warns if the normal world would not get the interrupt.
/// The secure world is current.
///
/// # Errors
///
/// What is wrong with the redistributor.
pub fn give_sri(spmc: &Spmc) -> Result<(), GicFault> {
    let sri = &spmc.sri;
    let mut redistributor = own_redistributor().ok_or(Error::NoRedistributor)?;
    redistributor.give_to_normal_world(sri.id, sgis::SRI_PRIORITY)?;
    sgis::breaches(redistributor.sgi_state(sri.id)?, warn_of_breach);
    if sri.doorbell.is_none() && !gic_cpu::secure_el_sends_sgis(spmc.sel2) {
        warning!("SRI: the SPMC has no GIC system registers to send it; use janus,doorbell-sgi");
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn warn_of_breach(breach: &str) {
    warning!(
        "SRI: the SGI {breach}; choose another by janus,sri-id, or check the platform's secure interrupts"
    );
}

/// Returns whether a core with this affinity exists: then the GIC has a redistributor for it.
pub fn has_core(affinity: u64) -> bool {
    GIC.has_redistributor(affinity)
}

/// Stops all interrupts to this core, which is about to park, except the one that [`wake`] sends. The others stay
/// pending in the redistributor.
pub fn listen_for_wake(sgis: &Owners) {
    gic_cpu::disable();
    // Each core with a number has a redistributor.
    if let Some(mut redistributor) = own_redistributor() {
        // This cannot fail: the SGI exists.
        let _ = redistributor.listen(sgis.wake);
    }
    gic_cpu::listen();
}

/// Ends the WFI of the parked core with this affinity.
pub fn wake(sgis: &Owners, affinity: u64) {
    gic_cpu::send_group0_sgi(sgis.wake, affinity);
}

/// Takes the SPMC's doorbell at all cores for whose affinity `at` returns true. Returns whether it was rung at one of
/// them.
pub fn take_doorbells(doorbell: u32, at: &dyn Fn(u64) -> bool) -> bool {
    GIC.take_pending(doorbell, at).unwrap_or(false)
}

/// Disables a private interrupt of this core, or an SPI.
pub fn disable(id: IntId) {
    // This cannot fail: the interrupt was acknowledged, so it exists.
    if !id.is_private() {
        let _ = GIC.disable_spi(id);
    } else if let Some(mut redistributor) = own_redistributor() {
        let _ = redistributor.disable(id);
    }
}

/// Cleans up after the SPMC of this core: secure interrupts are no longer signalled here, and those that it had taken
/// are no longer active. Secure SPIs that are routed to this core are routed to the core with the affinity `to`. With
/// None, no core takes them.
pub fn end_secure_world(to: Option<u64>) {
    gic_cpu::end_secure_group1();
    if let Some(mut redistributor) = own_redistributor() {
        redistributor.end_secure_group1();
    }
    GIC.reroute_spis(SecureGroup::Group1S, MPIDR_EL1.get(), to);
}

/// Routes EL3's own SPIs from this core, which is about to park, to the core whose affinity `to` returns, if any: a
/// parked core takes no interrupt but its wake-up.
pub fn hand_over_spis(to: fn() -> Option<u64>) {
    // Platforms without such SPIs, which are most, pay nothing.
    const ANY: bool = has_group0_spi(Plat::GIC.secure);
    if ANY && let Some(to) = to() {
        GIC.reroute_spis(SecureGroup::Group0, MPIDR_EL1.get(), Some(to));
    }
}

const fn has_group0_spi(table: &[SecureInterrupt]) -> bool {
    let mut i = 0;
    while i < table.len() {
        // SPIs and extended SPIs. The numbers between them are extended PPIs, among others.
        let spi = matches!(table[i].intid, 32..=1019 | 4096..);
        if spi && matches!(table[i].group, SecureGroup::Group0) {
            return true;
        }
        i += 1;
    }
    false
}

/// The interrupt of the secure physical timer, on every platform (BSA).
const SECURE_TIMER: u32 = 29;

/// Returns whether `id` is the interrupt of [`take_secure_timer`].
pub fn is_secure_timer(id: IntId) -> bool {
    u32::from(id) == SECURE_TIMER
}

/// Gives the secure physical timer's interrupt to EL3 on this core, with the highest priority. It is for the time
/// before the system stops, while the secure world runs with FIQs routed to EL3. Interrupts of the normal world are
/// disabled: they would come to EL3, too, and keep the secure world from running.
pub fn take_secure_timer() {
    gic_cpu::set_normal_group1(false);
    // This cannot fail: this core has a redistributor, which has the interrupt.
    if let Ok(id) = IntId::try_from(SECURE_TIMER)
        && let Some(mut redistributor) = own_redistributor()
    {
        redistributor.claim_ppi(id);
    }
}

/// Makes the secure physical timer's interrupt EL3's on this core, before all others, until
/// [`return_secure_timer`].
pub fn borrow_secure_timer() -> Option<Ppi> {
    let id = IntId::try_from(SECURE_TIMER).ok()?;
    let mut redistributor = own_redistributor()?;
    Some(redistributor.borrow(id))
}

/// The secure physical timer's interrupt is as it was. `enable`: somebody takes it.
pub fn return_secure_timer(interrupt: &Ppi, enable: bool) {
    if let Some(mut redistributor) = own_redistributor() {
        redistributor.give_back(interrupt, enable);
    }
}

/// Runs `work` with no secure priority active on this core: an interrupt that EL3, or the SPMC, is in keeps none away.
pub fn without_secure_priorities<T>(work: impl FnOnce() -> T) -> T {
    if gic_cpu::in_secure_interrupt() {
        gic_cpu::without_secure_priorities(work)
    } else {
        work()
    }
}

/// The normal world's interrupts do not come to this core, if `hold`, or come again. Returns whether they came.
pub fn hold_normal_world(hold: bool) -> bool {
    gic_cpu::set_normal_group1(!hold)
}

/// Sends SGI `id` to the normal world of the core with this affinity.
pub fn send_to_normal_world(id: u32, affinity: u64) {
    gic_cpu::send_ns_sgi(id, affinity);
}
