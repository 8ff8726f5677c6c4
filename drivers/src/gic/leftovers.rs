//! What a world that is gone leaves in the GIC: active and pending interrupts, and SPIs that are routed
//! to a core where nobody takes them any more.
//!
//! An interrupt that stays active never comes again; one that stays pending at a core whose interrupts
//! of that group are off hides others on some GICs, and keeps the core from sleeping on all.
//! [`crate::gic_cpu`] has the CPU interface's part.

use super::{AFFINITY_MASK, Gic, Redistributor, SecureGroup};
use arm_gic::gicv3::GicDistributor;
use arm_gic::gicv3::registers::GicrCtlr;
use safe_mmio::fields::ReadPureWrite;
use safe_mmio::{SharedMmioPointer, UniqueMmioPointer, field, field_shared, split_fields};

/// GICD_IROUTER.Interrupt_Routing_Mode: any core that takes part.
const ANY_CORE: u64 = 1 << 31;

/// INTIDs in a register of one bit each.
const BITS: usize = 32;

/// Registers of one bit each.
type Words = [ReadPureWrite<u32>; 32];

/// The registers of one range of SPIs: one bit each, but for the routers.
struct Range<'a, const SPIS: usize> {
    /// GICD_IGROUPR.
    non_secure: UniqueMmioPointer<'a, Words>,
    /// GICD_IGRPMODR.
    modifier: UniqueMmioPointer<'a, Words>,
    /// GICD_ISENABLER.
    enabled: UniqueMmioPointer<'a, Words>,
    /// GICD_ICENABLER.
    disable: UniqueMmioPointer<'a, Words>,
    /// GICD_ICACTIVER.
    inactive: UniqueMmioPointer<'a, Words>,
    /// GICD_IROUTER.
    router: UniqueMmioPointer<'a, [ReadPureWrite<u64>; SPIS]>,
}

impl<const SPIS: usize> Range<'_, SPIS> {
    /// Moves those interrupts of register `word` that `spis` selects. They have the routers `32 * block` and up.
    fn reroute(&mut self, word: usize, block: usize, spis: &Move) {
        let non_secure = read(&mut self.non_secure, word);
        let modifier = read(&mut self.modifier, word);
        let mut rest = spis.group.select(non_secure, modifier) & read(&mut self.enabled, word);
        while rest != 0 {
            let number = rest.trailing_zeros();
            let bit = 1 << number;
            rest &= !bit;
            let Some(mut router) = self.router.get(block << 5 | number as usize) else {
                return;
            };
            if router.read() & (ANY_CORE | AFFINITY_MASK) != spis.from {
                continue;
            }
            match spis.to {
                Some(to) => router.write(to),
                None => write(&mut self.disable, word, bit),
            }
            write(&mut self.inactive, word, bit);
        }
    }
}

/// One of the registers; zero beyond their end.
fn read(registers: &mut UniqueMmioPointer<'_, Words>, word: usize) -> u32 {
    registers.get(word).map_or(0, |register| register.read())
}

/// Writes one of the registers; does nothing beyond their end.
fn write(registers: &mut UniqueMmioPointer<'_, Words>, word: usize, value: u32) {
    if let Some(mut register) = registers.get(word) {
        register.write(value);
    }
}

/// Makes a [`Range`] from the names of the distributor's fields.
macro_rules! range {
    ($gicd:expr, $group:ident $modifier:ident $enabled:ident $disable:ident $inactive:ident $router:ident) => {{
        // SAFETY: the fields are different ones.
        let (non_secure, modifier, enabled, disable, inactive, router) = unsafe {
            split_fields!(
                $gicd, $group, $modifier, $enabled, $disable, $inactive, $router
            )
        };
        Range {
            non_secure,
            modifier,
            enabled,
            disable,
            inactive,
            router,
        }
    }};
}

/// Which SPIs go where.
struct Move {
    group: SecureGroup,
    from: u64,
    to: Option<u64>,
}

impl SecureGroup {
    /// The interrupts of the group, a bit each, by what GICx_IGROUPR and GICx_IGRPMODR say of them.
    const fn select(self, non_secure: u32, modifier: u32) -> u32 {
        match self {
            SecureGroup::Group0 => !non_secure & !modifier,
            SecureGroup::Group1S => !non_secure & modifier,
        }
    }
}

impl Gic {
    /// Takes the enabled SPIs of `group` that are routed to the core `from` away from it, which does not
    /// take them any more: they go to the core `to` (both in the format of MPIDR_EL1) or, with `None`, are
    /// disabled. Pending ones stay pending and go with it; active ones, whose handler is gone, are
    /// active no more. Those that any core may take ([`super::Target::Any`]) stay.
    ///
    /// May run while other cores do: it writes the registers of these interrupts alone, and bits of ones
    /// that set or clear.
    pub fn reroute_spis(&self, group: SecureGroup, from: u64, to: Option<u64>) {
        let spis = Move {
            group,
            from: from & AFFINITY_MASK,
            to: to.map(|to| to & AFFINITY_MASK),
        };
        let typer = GicDistributor::new(self.gicd()).typer();
        let mut range = range!(self.gicd(), igroupr igrpmodr isenabler icenabler icactiver irouter);
        // Word 0 belongs to the private interrupts.
        for block in 0..typer.num_spis() as usize / BITS {
            range.reroute(block.wrapping_add(1), block, &spis);
        }
        let mut range =
            range!(self.gicd(), igroupr_e igrpmodr_e isenabler_e icenabler_e icactive_e irouter_e);
        for word in 0..typer.num_espis() as usize / BITS {
            range.reroute(word, word, &spis);
        }
    }
}

/// The bits that keep the GIC from choosing a core for SPIs that any core may take, for all groups.
const TAKES_NO_PART: GicrCtlr = GicrCtlr::DPG0
    .union(GicrCtlr::DPG1S)
    .union(GicrCtlr::DPG1NS);

impl Redistributor {
    /// Ends secure Group 1 interrupts on this core, because nobody takes them any more. Disables the private ones and
    /// clears their pending state, and makes the GIC choose other cores for SPIs that any core may take. Ends the
    /// active state of the private interrupts of Group 0 and secure Group 1.
    pub fn end_secure_group1(&mut self) {
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        // With those of the extended range.
        for word in 0..3 {
            let read = |register: Option<SharedMmioPointer<'_, ReadPureWrite<u32>>>| {
                register.map_or(!0, |register| register.read())
            };
            let non_secure = read(field_shared!(sgi, igroupr).get(word));
            let modifier = read(field_shared!(sgi, igrpmodr).get(word));
            let group1 = SecureGroup::Group1S.select(non_secure, modifier);
            if let Some(mut register) = field!(sgi, icenabler).get(word) {
                register.write(group1);
            }
            if let Some(mut register) = field!(sgi, icpendr).get(word) {
                register.write(group1);
            }
            if let Some(mut register) = field!(sgi, icactiver).get(word) {
                register.write(!non_secure);
            }
        }
        let mut gicr = field!(frame, gicr);
        field!(gicr, ctlr).modify(|ctlr| ctlr | GicrCtlr::DPG1S);
        self.regs().wait_for_pending_write();
    }

    /// Ends the active state of all private interrupts of this core, whoever took them.
    pub(super) fn end_active(&mut self) {
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        for word in 0..3 {
            if let Some(mut register) = field!(sgi, icactiver).get(word) {
                register.write(!0);
            }
        }
    }

    /// Sets whether the GIC may choose this core for SPIs that any core may take: it may from reset on, but not while
    /// the core is off.
    pub(super) fn take_part(&mut self, yes: bool) {
        let mut frame = self.frame();
        let mut gicr = field!(frame, gicr);
        field!(gicr, ctlr).modify(|ctlr| match yes {
            true => ctlr - TAKES_NO_PART,
            false => ctlr | TAKES_NO_PART,
        });
    }
}
