//! A private interrupt that becomes EL3's for a while, and is then as it was.

use super::{Error, IntId, Redistributor};
use safe_mmio::fields::ReadPureWrite;
use safe_mmio::{SharedMmioPointer, field, field_shared};

/// How a PPI was set up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ppi {
    id: IntId,
    non_secure: bool,
    modifier: bool,
    enabled: bool,
    active: bool,
    edge: bool,
    priority: u8,
}

/// A register of a redistributor.
type Register<'a> = Option<SharedMmioPointer<'a, ReadPureWrite<u32>>>;

fn read(register: Register<'_>) -> u32 {
    register.map_or(0, |register| register.read())
}

impl Redistributor {
    /// Makes the PPI `id` EL3's, as [`Redistributor::take`] does, and active no more. Returns how it was.
    pub fn borrow(&mut self, id: IntId) -> Result<Ppi, Error> {
        let number = u32::from(id) & 31;
        let bit = 1 << number;
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        let has = |register| read(register) & bit != 0;
        let (word, lane) = (number as usize / 4, number % 4 * 8);
        let was = Ppi {
            id,
            non_secure: has(field_shared!(sgi, igroupr).get(0)),
            modifier: has(field_shared!(sgi, igrpmodr).get(0)),
            enabled: has(field_shared!(sgi, isenabler).get(0)),
            active: has(field_shared!(sgi, isactiver).get(0)),
            edge: read(field_shared!(sgi, icfgr).get(1)) & edge(number) != 0,
            priority: (read(field_shared!(sgi, ipriorityr).get(word)) >> lane) as u8,
        };
        if let Some(mut register) = field!(sgi, icactiver).get(0) {
            register.write(bit);
        }
        self.claim_ppi(id)?;
        Ok(was)
    }

    /// Sets a PPI up as it was. It is enabled only if `enable` says so too.
    pub fn give_back(&mut self, ppi: &Ppi, enable: bool) {
        let number = u32::from(ppi.id) & 31;
        let bit = 1 << number;
        let set = |on: bool, bit: u32| if on { bit } else { 0 };
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        if let Some(mut register) = field!(sgi, icenabler).get(0) {
            register.write(bit);
        }
        self.regs().wait_for_pending_write();
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        if let Some(mut register) = field!(sgi, igroupr).get(0) {
            register.modify(|groups| groups & !bit | set(ppi.non_secure, bit));
        }
        if let Some(mut register) = field!(sgi, igrpmodr).get(0) {
            register.modify(|groups| groups & !bit | set(ppi.modifier, bit));
        }
        let lane = number % 4 * 8;
        if let Some(mut register) = field!(sgi, ipriorityr).get(number as usize / 4) {
            register.modify(|priorities| {
                priorities & !(0xff << lane) | u32::from(ppi.priority) << lane
            });
        }
        if let Some(mut register) = field!(sgi, icfgr).get(1) {
            register.modify(|triggers| triggers & !edge(number) | set(ppi.edge, edge(number)));
        }
        if ppi.active
            && let Some(mut register) = field!(sgi, isactiver).get(0)
        {
            register.write(bit);
        }
        if ppi.enabled
            && enable
            && let Some(mut register) = field!(sgi, isenabler).get(0)
        {
            register.write(bit);
        }
        self.regs().wait_for_pending_write();
    }
}

/// GICR_ICFGR1: the bit that makes PPI `number` edge-triggered.
const fn edge(number: u32) -> u32 {
    2 << (number % 16 * 2)
}
