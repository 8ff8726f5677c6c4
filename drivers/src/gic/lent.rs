//! Borrows a private interrupt (PPI) for EL3, and gives it back as it was.

use super::private::{Groups, change, edge, lane, put};
use super::{IntId, Redistributor};
use safe_mmio::fields::ReadPureWrite;
use safe_mmio::{SharedMmioPointer, field, field_shared};

/// The set-up of a PPI, as it was before EL3 borrowed it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ppi {
    id: IntId,
    groups: Groups,
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
    /// Gives the PPI `id` to EL3, as [`Redistributor::claim_ppi`] does, and makes it inactive. Returns its set-up until now.
    pub fn borrow(&mut self, id: IntId) -> Ppi {
        let number = u32::from(id) & 31;
        let bit = 1 << number;
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        let has = |register| read(register) & bit != 0;
        let word = number as usize / 4;
        let was = Ppi {
            id,
            groups: Groups {
                non_secure: has(field_shared!(sgi, igroupr).get(0)),
                modifier: has(field_shared!(sgi, igrpmodr).get(0)),
            },
            enabled: has(field_shared!(sgi, isenabler).get(0)),
            active: has(field_shared!(sgi, isactiver).get(0)),
            edge: read(field_shared!(sgi, icfgr).get(1)) & edge(number) != 0,
            priority: (read(field_shared!(sgi, ipriorityr).get(word)) >> lane(number)) as u8,
        };
        put(field!(sgi, icactiver), 0, bit);
        self.claim_ppi(id);
        was
    }

    /// Sets a PPI up as it was. It is enabled if it was enabled before and `enable` is true.
    pub fn give_back(&mut self, ppi: &Ppi, enable: bool) {
        let number = u32::from(ppi.id) & 31;
        let bit = 1 << number;
        self.disable_these(bit);
        self.assign(number, ppi.groups, ppi.priority);
        let mut frame = self.frame();
        let mut sgi = field!(frame, sgi);
        let trigger = if ppi.edge { edge(number) } else { 0 };
        change(field!(sgi, icfgr), 1, edge(number), trigger);
        if ppi.active {
            put(field!(sgi, isactiver), 0, bit);
        }
        if ppi.enabled && enable {
            put(field!(sgi, isenabler), 0, bit);
        }
        self.regs().wait_for_pending_write();
    }
}
