//! GICv3 and GICv4: the distributor and the redistributors, as EL3 sets them up.
//!
//! The idea: everything starts as non-secure Group 1 and disabled; a platform table then takes the
//! few secure interrupts out of that, and the SGIs are divided as the caller says ([`Sgis`]). EL3 touches
//! no non-secure interrupt again but those that it gives away ([`Redistributor::give_to_normal_world`]).
//!
//! The order of calls:
//! 1. the boot core: [`Gic::new`], [`Gic::check`], [`Gic::init_distributor`];
//! 2. every core, at boot and after each CPU_ON: [`Gic::redistributor`],
//!    [`Redistributor::init`], [`crate::gic_cpu::init`];
//! 3. CPU_OFF: [`crate::gic_cpu::disable`]; then, on a core that loses its power,
//!    [`Redistributor::sleep`], and on one that only waits for an SGI, [`Redistributor::listen`] and
//!    [`crate::gic_cpu::listen`];
//! 4. a suspend in which the GIC keeps its power: as 3, and on the way back
//!    [`Redistributor::wake`] and [`crate::gic_cpu::init`];
//! 5. a suspend in which it loses it: [`Redistributor::save`] (and [`Gic::save`] on the last core)
//!    before 3, [`Gic::restore`] (first core) and [`Redistributor::restore`] before
//!    [`crate::gic_cpu::init`].
//!
//! `private.rs` sets a core's private interrupts up. `leftovers.rs` handles the interrupts that remain when a core goes
//! off or its secure world is gone.
//!
//! Sections are those of the GIC architecture specification, IHI 0069.

mod leftovers;
mod lent;
mod power;
mod private;

use arm_gic::gicv3::registers::{Gicd, GicdCtlr, GicrSgi, GicrTyper};
use arm_gic::gicv3::{
    GicDistributor, GicDistributorContext, GicError, GicRedistributor, GicRedistributorContext,
    Group as GicGroup, SecureIntGroup,
};
pub use arm_gic::{IntId, Trigger};
use core::ptr::{NonNull, with_exposed_provenance_mut};
use janus_arm::AFFINITY_MASK;
pub use lent::Ppi;
use private::{Groups, Ppis, put};
use safe_mmio::fields::ReadPureWrite;
use safe_mmio::{SharedMmioPointer, UniqueMmioPointer, field, field_shared};

/// The priority of the SGIs that are secure: the highest.
const SECURE_SGI_PRIORITY: u8 = 0;

/// The priority of the others at first: the highest that the normal world can use.
const NORMAL_SGI_PRIORITY: u8 = 0x80;

/// Who handles a secure interrupt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecureGroup {
    /// EL3, which takes it as a FIQ.
    Group0,
    /// The SPMC, at S-EL1 or S-EL2.
    Group1S,
}

/// Where an SPI goes. SGIs and PPIs are private to their core and need none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Any core that takes part (GICD_IROUTER.Interrupt_Routing_Mode).
    Any,
    /// The core with this affinity, in the format of MPIDR_EL1.
    Core(u64),
}

/// A line of the platform's table of secure interrupts.
#[derive(Clone, Copy, Debug)]
pub struct SecureInterrupt {
    /// The INTID of a PPI or an SPI (the extended ranges as well). For SGIs see [`Sgis`].
    pub intid: u32,
    /// Who handles it.
    pub group: SecureGroup,
    /// The priority, from 0, the highest, to 0x7f, the lowest of the secure half.
    pub priority: u8,
    /// Edge or level.
    pub trigger: Trigger,
    /// The core that gets it, if it is an SPI.
    pub target: Target,
}

/// What a platform says about its GIC.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Physical address of the distributor (GICD).
    pub gicd: usize,
    /// Physical addresses of the regions of redistributor frames. Each region ends with the frame
    /// whose GICR_TYPER.Last is set.
    pub gicr: &'static [usize],
    /// The secure interrupts.
    pub secure: &'static [SecureInterrupt],
}

/// How the 16 SGIs are divided, a bit for each: those in neither group are the normal world's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sgis {
    /// Secure Group 1: the SPMC's.
    pub secure: u16,
    /// Group 0, and enabled: EL3's own. None of them is in `secure`.
    pub group0: u16,
    /// The SGIs whose pending state is cleared when the core is set up.
    pub forgotten: u16,
}

impl Sgis {
    /// Returns the priorities of SGIs `4 * word` to `4 * word + 3`, as a word of GICR_IPRIORITYR.
    fn priorities(self, word: usize) -> u32 {
        let four = u32::from(self.secure | self.group0) >> (4 * word) & 0xf;
        // Bit n goes to bit 8 * n.
        let each = four.wrapping_mul(0x0020_4081) & 0x0101_0101;
        let first = u32::from_le_bytes([NORMAL_SGI_PRIORITY; 4]);
        let secure = u32::from_le_bytes([SECURE_SGI_PRIORITY ^ NORMAL_SGI_PRIORITY; 4]);
        first ^ secure & each.wrapping_mul(0xff)
    }
}

/// What waits for this core, as ICC_HPPIR0_EL1 tells EL3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pending {
    /// A Group 0 interrupt: EL3's.
    Group0(IntId),
    /// A secure Group 1 interrupt (1020): the SPMC's.
    SecureGroup1,
    /// A non-secure Group 1 interrupt (1021).
    NonSecureGroup1,
    /// Nothing (1023): it went away, or it is masked. Not an error.
    None,
}

/// Why this GIC cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// Neither GICv3 nor GICv4: GICD_PIDR2.ArchRev is this.
    Version(u32),
    /// GICD_CTLR.DS is set, or GICD_TYPER.SecurityExtn is not: one security state only.
    OneSecurityState,
    /// No frame has the affinity of this core (MPIDR_EL1).
    NoRedistributor,
    /// A line of the platform's table names an interrupt that the GIC does not have.
    BadInterrupt(u32),
    /// The context is too small for the interrupts that the GIC implements.
    ContextTooSmall,
}

impl From<GicError> for Error {
    #[cold]
    #[inline(never)]
    fn from(error: GicError) -> Self {
        match error {
            GicError::InvalidGicrIntid(id) | GicError::InvalidGicdIntid(id) => {
                Error::BadInterrupt(id.into())
            }
            _ => Error::ContextTooSmall,
        }
    }
}

/// The registers of a redistributor with up to 96 private interrupts, while it has no power.
pub type RedistributorContext = GicRedistributorContext<3>;

/// The registers of a distributor with up to `32 * N` SPIs, while it has no power.
pub type DistributorContext<const N: usize> = GicDistributorContext<N, 0>;

/// The GIC of a platform.
#[derive(Debug)]
pub struct Gic {
    config: &'static Config,
    ppis: Ppis,
}

impl Gic {
    /// Makes the GIC that `config` describes.
    ///
    /// # Safety
    ///
    /// The addresses in `config` are those of a GIC's distributor and redistributors, mapped as
    /// device memory, readable and writable, for as long as the value lives. (A GICv2 behind them
    /// is found by [`Gic::check`].) There is one `Gic` for them.
    pub const unsafe fn new(config: &'static Config) -> Self {
        let ppis = Ppis::of(config.secure);
        Self { config, ppis }
    }

    fn gicd(&self) -> UniqueMmioPointer<'_, Gicd> {
        // A platform that gives no address would be found by the first boot.
        let gicd = NonNull::new(with_exposed_provenance_mut(self.config.gicd))
            .unwrap_or(NonNull::dangling());
        // SAFETY: `new`'s caller promises that the distributor is there. The methods that write it
        // belong to the boot core while no other core runs, or to the last core of a suspend, or write
        // nothing that another core writes.
        unsafe { UniqueMmioPointer::new(gicd) }
    }

    /// Checks that this is a GIC that Janus can drive, before anything is written.
    ///
    /// Reads GICD_PIDR2, GICD_CTLR and GICD_TYPER. First make sure by
    /// [`crate::gic_cpu::has_system_registers`] that it is no GICv2: those have nothing at the
    /// address of PIDR2.
    pub fn check(&self) -> Result<(), Error> {
        let gicd = GicDistributor::new(self.gicd());
        let revision = gicd.pidr2().arch_rev();
        if !matches!(revision, 3 | 4) {
            return Err(Error::Version(revision.into()));
        }
        let ctlr = field_shared!(self.gicd(), ctlr).read();
        if ctlr.contains(GicdCtlr::DS) || !gicd.typer().has_security_extension() {
            return Err(Error::OneSecurityState);
        }
        Ok(())
    }

    /// Sets the distributor up: affinity routing for both worlds, all SPIs non-secure Group 1,
    /// disabled, then the platform's secure SPIs, then all groups enabled.
    ///
    /// `spmc`: there is an SPMC, which takes secure Group 1 interrupts; without one they stay disabled. Call this once, on
    /// the boot core.
    pub fn init_distributor(&self, spmc: bool) -> Result<(), Error> {
        let groups = GicdCtlr::EnableGrp0 | GicdCtlr::EnableGrp1S | GicdCtlr::EnableGrp1NS;
        let mut gicd = GicDistributor::new(self.gicd());
        // ARE may only change while all groups are disabled (12.9.4).
        control(&mut gicd, groups, false);
        control(&mut gicd, GicdCtlr::ARE_S | GicdCtlr::ARE_NS, true);
        gicd.enable_all_interrupts(false);
        gicd.configure_default_settings();
        control(&mut gicd, groups, false);
        self.close_to_the_normal_world();
        let mut gicd = GicDistributor::new(self.gicd());
        for line in self.config.secure {
            let id = intid(line.intid)?;
            if id.is_private() {
                continue;
            }
            let index = id.spi_index().or(id.espi_index());
            let typer = gicd.typer();
            let count = if id.is_spi() {
                typer.num_spis()
            } else {
                typer.num_espis()
            };
            if index.is_none_or(|index| index >= count as usize) {
                return Err(Error::BadInterrupt(line.intid));
            }
            Self::make_secure(&mut gicd, id, line, spmc)?;
        }
        control(&mut gicd, groups, true);
        Ok(())
    }

    /// Closes the secure SPIs to the normal world: it can neither make one pending nor send Group 0's
    /// SGIs, whatever GICD_NSACR held.
    fn close_to_the_normal_world(&self) {
        let typer = GicDistributor::new(self.gicd()).typer();
        let mut gicd = self.gicd();
        let mut nsacr = field!(gicd, nsacr);
        // 16 interrupts each; the first two are the private interrupts'.
        let spis = typer.num_spis() as usize / 16;
        for number in 2..2 + spis {
            if let Some(mut register) = nsacr.get(number) {
                register.write(0);
            }
        }
        let mut nsacr = field!(gicd, nsacr_e);
        let spis = typer.num_espis() as usize / 16;
        for mut register in nsacr.iter().take(spis) {
            register.write(0);
        }
    }

    /// Sets up SPI `id` as `line` says.
    fn make_secure(
        gicd: &mut GicDistributor<'_>,
        id: IntId,
        line: &SecureInterrupt,
        spmc: bool,
    ) -> Result<(), GicError> {
        gicd.set_group(id, line.group.into())?;
        gicd.set_interrupt_priority(id, line.priority)?;
        gicd.set_trigger(id, line.trigger)?;
        let core = match line.target {
            Target::Any => None,
            Target::Core(mpidr) => Some(mpidr & AFFINITY_MASK),
        };
        gicd.set_routing(id, core)?;
        if spmc || line.group == SecureGroup::Group0 {
            gicd.enable_interrupt(id, true)?;
        }
        Ok(())
    }

    /// Disables an SPI: a Group 0 interrupt that has no handler and comes again and again.
    pub fn disable_spi(&self, id: IntId) -> Result<(), Error> {
        Ok(GicDistributor::new(self.gicd()).enable_interrupt(id, false)?)
    }

    /// Finds the redistributor of a core by walking the frames. `None`: no frame is the core's.
    ///
    /// `mpidr` is the core's MPIDR_EL1. Only the core itself may call this, and it must drop the returned value before
    /// it calls this again. [`Gic::has_redistributor`] may be called on any core.
    pub fn redistributor(&self, mpidr: u64) -> Option<Redistributor> {
        let frame = self.frame(mpidr)?;
        Some(Redistributor { frame })
    }

    /// Returns whether there is a redistributor for a core with this MPIDR_EL1. For any core; only reads.
    pub fn has_redistributor(&self, mpidr: u64) -> bool {
        self.frame(mpidr).is_some()
    }

    /// Finds the frame of the core with this MPIDR_EL1.
    fn frame(&self, mpidr: u64) -> Option<NonNull<GicrSgi>> {
        let mut own = None;
        self.walk(&mut |frame, affinity| {
            if affinity == mpidr & AFFINITY_MASK {
                own = Some(frame);
            }
            own.is_some()
        });
        own
    }

    /// Returns whether SGI `id` is pending at any core whose affinity `at` accepts; it is not afterwards.
    /// For a doorbell that the core cannot take, because it is off or turns off.
    pub fn take_pending(&self, id: u32, at: &dyn Fn(u64) -> bool) -> Result<bool, Error> {
        let bit = 1 << u32::from(sgi(id)?);
        let mut any = false;
        self.walk(&mut |frame, affinity| {
            if at(affinity) {
                // SAFETY: a frame that the walk reached. Beside its own core this only reads, and
                // writes ones to clear: no other bit of any register can change.
                let mut frame = unsafe { UniqueMmioPointer::new(frame) };
                let mut sgi = field!(frame, sgi);
                let pending = field_shared!(sgi, ispendr).get(0);
                if pending.is_some_and(|register| register.read() & bit != 0) {
                    any = true;
                    if let Some(mut register) = field!(sgi, icpendr).get(0) {
                        register.write(bit);
                    }
                }
            }
            false
        });
        Ok(any)
    }

    /// Walks the redistributors' frames (12.10; GICR_TYPER.Affinity_Value, Last, VLPIS) until `visit`,
    /// which gets each frame with its core's affinity, has what it wants.
    fn walk(&self, visit: &mut dyn FnMut(NonNull<GicrSgi>, u64) -> bool) {
        for &region in self.config.gicr {
            let Some(mut frame) = NonNull::new(with_exposed_provenance_mut(region)) else {
                continue;
            };
            loop {
                let typer = typer(frame);
                if visit(frame, typer.core_mpidr()) {
                    return;
                }
                if typer.last_redistributor() {
                    break;
                }
                // A frame of a GIC with virtual LPIs (GICv4) has twice the size.
                let size = if typer.virtual_lpis_supported() { 2 } else { 1 };
                // SAFETY: this was not the last frame of the region, so another one follows it.
                frame = unsafe { frame.add(size) };
            }
        }
    }

    /// Saves the distributor, for a suspend in which it loses power. Last core only.
    #[inline(never)]
    pub fn save<const N: usize>(&self, context: &mut DistributorContext<N>) -> Result<(), Error> {
        Ok(GicDistributor::new(self.gicd()).save(context)?)
    }

    /// Restores what [`Gic::save`] saved. First core only.
    #[inline(never)]
    pub fn restore<const N: usize>(&self, context: &DistributorContext<N>) -> Result<(), Error> {
        Ok(GicDistributor::new(self.gicd()).restore(context)?)
    }
}

/// GICR_TYPER of a frame that [`Gic::walk`] reached.
fn typer(frame: NonNull<GicrSgi>) -> GicrTyper {
    // SAFETY: `Gic::new`'s caller promises the first frame of each region, and every frame that is
    // not the last is followed by one. TYPER is read-only: reading it disturbs no other core.
    let frame = unsafe { UniqueMmioPointer::new(frame) };
    field_shared!(field_shared!(frame, gicr), typer).read()
}

fn intid(id: u32) -> Result<IntId, Error> {
    IntId::try_from(id).map_err(|_| Error::BadInterrupt(id))
}

impl From<SecureGroup> for GicGroup {
    fn from(group: SecureGroup) -> Self {
        GicGroup::Secure(match group {
            SecureGroup::Group0 => SecureIntGroup::Group0,
            SecureGroup::Group1S => SecureIntGroup::Group1S,
        })
    }
}

/// The redistributor of one core: its SGIs and PPIs.
#[derive(Debug)]
pub struct Redistributor {
    frame: NonNull<GicrSgi>,
}

// SAFETY: the pointer is to device memory, which every core maps alike.
unsafe impl Send for Redistributor {}

impl Redistributor {
    fn regs(&mut self) -> GicRedistributor<'_> {
        // SAFETY: `Gic::redistributor` found the frame, and `&mut self` is the only way to it on
        // the only core that may have it.
        GicRedistributor::new(unsafe { UniqueMmioPointer::new(self.frame) })
    }

    fn frame(&mut self) -> UniqueMmioPointer<'_, GicrSgi> {
        // SAFETY: as in `regs`.
        unsafe { UniqueMmioPointer::new(self.frame) }
    }

    /// Makes SGI `wake` the only private interrupt that is signalled to this core: Group 0, at the
    /// highest priority. Others wait, pending, until [`Redistributor::init`]. For a core that is off
    /// but keeps its power. None is active any more, and SPIs that any core may take go to others. By
    /// whole registers, since every core that turns off pays for it.
    pub fn listen(&mut self, wake: u32) -> Result<(), Error> {
        let number = u32::from(sgi(wake)?);
        let bit = 1 << number;
        self.wake();
        self.take_part(false);
        self.end_active();

        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        // With those of the extended range.
        for word in 0..3 {
            put(field!(sgi, icenabler), word, !0);
        }
        self.assign(number, Groups::GROUP0, 0);
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        put(field!(sgi, isenabler), 0, bit);
        self.regs().wait_for_pending_write();
        Ok(())
    }

    /// Disables a private interrupt of this core.
    pub fn disable(&mut self, id: IntId) -> Result<(), Error> {
        Ok(self.regs().enable_interrupt(id, false)?)
    }

    /// Saves the private interrupts, for a suspend in which the redistributor loses power.
    #[inline(never)]
    pub fn save(&mut self, context: &mut RedistributorContext) -> Result<(), Error> {
        Ok(self.regs().save(context)?)
    }

    /// Wakes the redistributor and restores what [`Redistributor::save`] saved.
    #[inline(never)]
    pub fn restore(&mut self, context: &RedistributorContext) -> Result<(), Error> {
        self.power_on();
        self.regs().restore(context)?;
        let _ = self.regs().mark_core_awake();
        Ok(())
    }

    /// Reads back how SGI `id` is configured.
    pub fn sgi_state(&mut self, id: u32) -> Result<SgiState, Error> {
        let id = sgi(id)?;
        // SAFETY: as in `regs`.
        let frame = unsafe { UniqueMmioPointer::new(self.frame) };
        let sgi = field_shared!(frame, sgi);
        let number = u32::from(id) as usize;
        let set = |register: Option<SharedMmioPointer<'_, ReadPureWrite<u32>>>| {
            register.is_some_and(|register| register.read() & 1 << number != 0)
        };
        let priority = field_shared!(sgi, ipriorityr)
            .get(number / 4)
            .map_or(0, |r| r.read());
        Ok(SgiState {
            non_secure: set(field_shared!(sgi, igroupr).get(0)),
            enabled: set(field_shared!(sgi, isenabler).get(0)),
            priority: (priority >> (number % 4 * 8)) as u8,
        })
    }
}

/// Sets or clears bits of GICD_CTLR, and waits until they have an effect.
#[inline(never)]
fn control(gicd: &mut GicDistributor<'_>, bits: GicdCtlr, on: bool) {
    gicd.modify_control(bits, on);
}

/// `id` as an SGI.
fn sgi(id: u32) -> Result<IntId, Error> {
    if id < IntId::SGI_COUNT {
        Ok(IntId::sgi(id))
    } else {
        Err(Error::BadInterrupt(id))
    }
}

/// The set-up of an SGI in one redistributor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SgiState {
    /// Whether it belongs to Non-secure Group 1.
    pub non_secure: bool,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Its priority, as EL3 sees it: the normal world has 0x80 to 0xff.
    pub priority: u8,
}

#[cfg(test)]
mod tests;
