//! The private interrupts of a core, SGIs and PPIs, by whole registers.
//!
//! Every core that comes on sets them up. To make that short, the registers' values for PPIs are computed from the
//! platform's table when the image is built ([`Ppis`]). Extended PPIs, which few platforms have, are set up one by
//! one.

use super::{
    Error, Gic, NORMAL_SGI_PRIORITY, Redistributor, SecureGroup, SecureInterrupt, Sgis, intid, sgi,
    typer,
};
use arm_gic::gicv3::registers::Sgi;
use arm_gic::{IntId, Trigger};
use safe_mmio::fields::ReadPureWrite;
use safe_mmio::{UniqueMmioPointer, field};

/// The values of a redistributor's registers for PPIs 16 to 31, from the platform's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ppis {
    /// The PPIs of secure Group 1, a bit for each INTID.
    secure: u32,
    /// The PPIs of Group 0, a bit for each INTID.
    group0: u32,
    /// GICR_ICFGR1.
    triggers: u32,
    /// GICR_IPRIORITYR4 to 7.
    priorities: [u32; 4],
    /// Whether the table has other private interrupts, too.
    others: bool,
}

impl Ppis {
    /// Makes the values from the platform's table.
    pub const fn of(table: &[SecureInterrupt]) -> Self {
        let mut ppis = Self {
            secure: 0,
            group0: 0,
            triggers: 0,
            priorities: [u32::from_le_bytes([NORMAL_SGI_PRIORITY; 4]); 4],
            others: false,
        };
        let mut i = 0;
        while i < table.len() {
            let line = &table[i];
            match line.intid {
                number @ 16..=31 => ppis.add(number, line),
                // SPIs are the distributor's.
                32..=1019 | 4096.. => {}
                _ => ppis.others = true,
            }
            i += 1;
        }
        ppis
    }

    const fn add(&mut self, number: u32, line: &SecureInterrupt) {
        match line.group {
            SecureGroup::Group0 => self.group0 |= 1 << number,
            SecureGroup::Group1S => self.secure |= 1 << number,
        }
        if matches!(line.trigger, Trigger::Edge) {
            self.triggers |= edge(number);
        }
        let word = &mut self.priorities[(number - 16) as usize / 4];
        *word = *word & !(0xff << lane(number)) | (line.priority as u32) << lane(number);
    }
}

/// Returns the bit of GICR_ICFGR0 or 1 that makes private interrupt `number` edge-triggered.
pub(super) const fn edge(number: u32) -> u32 {
    2 << (number % 16 * 2)
}

/// Returns the lowest bit of an interrupt's priority in its GICR_IPRIORITYR.
pub(super) const fn lane(number: u32) -> u32 {
    number % 4 * 8
}

/// Which group a private interrupt belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Groups {
    /// Its bit of GICR_IGROUPR0.
    pub non_secure: bool,
    /// Its bit of GICR_IGRPMODR0.
    pub modifier: bool,
}

impl Groups {
    /// Group 0: EL3's.
    pub const GROUP0: Self = Self {
        non_secure: false,
        modifier: false,
    };
    /// Non-secure Group 1: the normal world's.
    pub const NON_SECURE: Self = Self {
        non_secure: true,
        modifier: false,
    };
}

/// Writes register `index` of several; does nothing beyond their end.
pub(super) fn put<const N: usize>(
    mut registers: UniqueMmioPointer<'_, [ReadPureWrite<u32>; N]>,
    index: usize,
    value: u32,
) {
    if let Some(mut register) = registers.get(index) {
        register.write(value);
    }
}

/// Changes the bits `mask` of register `index` to those of `value`; does nothing beyond their end.
pub(super) fn change<const N: usize>(
    mut registers: UniqueMmioPointer<'_, [ReadPureWrite<u32>; N]>,
    index: usize,
    mask: u32,
    value: u32,
) {
    if let Some(mut register) = registers.get(index) {
        register.modify(|old| old & !mask | value & mask);
    }
}

/// Sets up SGIs and PPIs 0 to 31, which are disabled. Those of secure Group 1 are enabled if `enable` says so.
///
/// Not inlined, so that the registers' addresses are offsets from one base.
#[inline(never)]
fn write_all(mut sgi: UniqueMmioPointer<'_, Sgi>, ppis: &Ppis, sgis: Sgis, enable: bool) {
    let secure = u32::from(sgis.secure) | ppis.secure;
    let group0 = u32::from(sgis.group0) | ppis.group0;
    put(field!(sgi, igroupr), 0, !(secure | group0));
    put(field!(sgi, igrpmodr), 0, secure);
    // The normal world can send none of the secure SGIs.
    field!(sgi, nsacr).write(0);
    put(field!(sgi, icpendr), 0, sgis.forgotten.into());
    // The trigger of an SGI is fixed.
    put(field!(sgi, icfgr), 1, ppis.triggers);
    let [ppis0, ppis4, ppis8, ppis12] = ppis.priorities;
    // Not a loop, which takes twice as long.
    put(field!(sgi, ipriorityr), 0, sgis.priorities(0));
    put(field!(sgi, ipriorityr), 1, sgis.priorities(1));
    put(field!(sgi, ipriorityr), 2, sgis.priorities(2));
    put(field!(sgi, ipriorityr), 3, sgis.priorities(3));
    put(field!(sgi, ipriorityr), 4, ppis0);
    put(field!(sgi, ipriorityr), 5, ppis4);
    put(field!(sgi, ipriorityr), 6, ppis8);
    put(field!(sgi, ipriorityr), 7, ppis12);
    let enabled = group0 | if enable { secure } else { 0 };
    put(field!(sgi, isenabler), 0, enabled);
}

impl Redistributor {
    /// Wakes the redistributor up and gives the private interrupts their groups: PPIs non-secure
    /// except those of `gic`'s table, SGIs as `sgis` says. Everything a core needs at boot and when
    /// CPU_ON brings it up.
    ///
    /// `spmc` as in [`Gic::init_distributor`].
    ///
    /// # Errors
    ///
    /// [`Error::BadInterrupt`]: the table has an interrupt that this redistributor does not.
    pub fn init(&mut self, gic: &Gic, sgis: &Sgis, spmc: bool) -> Result<(), Error> {
        self.wake();
        self.take_part(true);
        self.end_active();
        if typer(self.frame).max_eppi_count() != 0 {
            self.reset_extended();
        }
        self.disable_these(!0);
        let mut frame = self.frame();
        write_all(field!(frame, sgi), &gic.ppis, *sgis, spmc);
        if gic.ppis.others {
            self.set_up_others(gic.config.secure, spmc)?;
        }
        self.regs().wait_for_pending_write();
        Ok(())
    }

    /// Gives all private interrupts, the extended ones too, the normal world's group and priority.
    #[cold]
    #[inline(never)]
    fn reset_extended(&mut self) {
        self.regs().configure_default_settings();
    }

    /// Sets up the table's private interrupts that [`Ppis`] does not have: the extended ones.
    #[cold]
    #[inline(never)]
    fn set_up_others(&mut self, table: &[SecureInterrupt], spmc: bool) -> Result<(), Error> {
        for line in table {
            let id = intid(line.intid)?;
            if !id.is_private() || matches!(line.intid, 16..=31) {
                continue;
            }
            let mut regs = self.regs();
            regs.set_group(id, line.group.into())?;
            regs.set_interrupt_priority(id, line.priority)?;
            // The trigger of an SGI is fixed.
            if !id.is_sgi() {
                regs.set_trigger(id, line.trigger)?;
            }
            if spmc || line.group == SecureGroup::Group0 {
                regs.enable_interrupt(id, true)?;
            }
        }
        Ok(())
    }

    /// Disables those private interrupts 0 to 31 whose bits are set, and waits until they are.
    pub(super) fn disable_these(&mut self, bits: u32) {
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        put(field!(sgi, icenabler), 0, bits);
        self.regs().wait_for_pending_write();
    }

    /// Gives private interrupt `number` (0 to 31), which is disabled, to a group, with a priority.
    pub(super) fn assign(&mut self, number: u32, groups: Groups, priority: u8) {
        let bit = 1 << number;
        let set = |on: bool| if on { bit } else { 0 };
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        change(field!(sgi, igroupr), 0, bit, set(groups.non_secure));
        change(field!(sgi, igrpmodr), 0, bit, set(groups.modifier));
        let lane = lane(number);
        let (mask, priority) = (0xff << lane, u32::from(priority) << lane);
        change(field!(sgi, ipriorityr), number as usize / 4, mask, priority);
    }

    /// Gives SGI `id` to the normal world, enabled: non-secure Group 1, with this priority (of which the normal
    /// world has 0x80 to 0xff).
    ///
    /// # Errors
    ///
    /// [`Error::BadInterrupt`]: `id` is no SGI.
    pub fn give_to_normal_world(&mut self, id: u32, priority: u8) -> Result<(), Error> {
        let number = u32::from(sgi(id)?);
        self.set_up(number, Groups::NON_SECURE, priority, false);
        Ok(())
    }

    /// Gives a PPI of this core to EL3 (Group 0, level-sensitive, highest priority), and enables it.
    pub fn claim_ppi(&mut self, id: IntId) {
        self.set_up(u32::from(id) & 31, Groups::GROUP0, 0, true);
    }

    /// Sets up private interrupt `number` (0 to 31) anew, and enables it. If `level` it becomes a level, else it keeps
    /// its trigger.
    fn set_up(&mut self, number: u32, groups: Groups, priority: u8, level: bool) {
        let bit = 1 << number;
        self.disable_these(bit);
        self.assign(number, groups, priority);
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        if level {
            change(field!(sgi, icfgr), number as usize / 16, edge(number), 0);
        }
        put(field!(sgi, isenabler), 0, bit);
        self.regs().wait_for_pending_write();
    }
}
