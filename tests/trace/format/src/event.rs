//! One record: an entry to EL3, an exit from it, or the end of the trace.

use crate::bytes::{put_number, take_number};

/// Which way the core went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A lower EL took an exception to EL3, or EL3 took one from itself.
    Entry {
        /// The vector, as an offset from VBAR_EL3.
        vector: u16,
        /// ESR_EL3.
        esr: u64,
    },
    /// EL3 executed ERET.
    Exit,
}

/// The state of a core at an entry (before EL3's first instruction) or at an exit (before its ERET).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Entry or exit.
    pub way: Way,
    /// The core: the affinity fields of its MPIDR.
    pub core: u64,
    /// Instructions that this core has executed.
    pub own: u64,
    /// Instructions that all cores together have executed: the time of the trace.
    pub all: u64,
    /// SCR_EL3: of the world that was left, or that is entered.
    pub scr: u64,
    /// SPSR_EL3.
    pub spsr: u64,
    /// ELR_EL3.
    pub elr: u64,
    /// x0 to x17.
    pub regs: [u64; 18],
}

/// A record of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are events")]
pub enum Record {
    /// An entry to EL3 or an exit from it.
    Event(Event),
    /// The trace was ended in good order after this many events.
    End(u64),
}

const ENTRY: u8 = 1;
const EXIT: u8 = 2;
const END: u8 = 3;

impl Record {
    /// Appends the record with its length byte.
    pub fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.push(0);
        match self {
            Record::Event(event) => event.write(to),
            Record::End(events) => {
                to.push(END);
                put_number(to, *events);
            }
        }
        let length = to.len() - start - 1;
        // The longest event, with every number at its longest, has 250 bytes.
        to[start] = u8::try_from(length).expect("no record is longer");
    }

    /// Reads the bytes of a record, without its length byte. `None`: they are no record of this version.
    pub fn read(bytes: &[u8]) -> Option<Record> {
        let (&kind, mut rest) = bytes.split_first()?;
        let record = match kind {
            ENTRY | EXIT => Record::Event(Event::read(kind, &mut rest)?),
            END => Record::End(take_number(&mut rest)?),
            _ => return None,
        };
        rest.is_empty().then_some(record)
    }
}

impl Event {
    fn write(&self, to: &mut Vec<u8>) {
        match self.way {
            Way::Entry { vector, esr } => {
                to.push(ENTRY);
                put_number(to, vector.into());
                put_number(to, esr);
            }
            Way::Exit => to.push(EXIT),
        }
        for number in [self.core, self.own, self.all, self.scr, self.spsr, self.elr] {
            put_number(to, number);
        }
        let set = self.regs.iter().rev();
        let mask = set.fold(0, |mask, &reg| mask << 1 | u64::from(reg != 0));
        put_number(to, mask);
        for &reg in self.regs.iter().filter(|reg| **reg != 0) {
            put_number(to, reg);
        }
    }

    fn read(kind: u8, from: &mut &[u8]) -> Option<Event> {
        let way = if kind == ENTRY {
            let vector = u16::try_from(take_number(from)?).ok()?;
            let esr = take_number(from)?;
            Way::Entry { vector, esr }
        } else {
            Way::Exit
        };
        let mut event = Event {
            way,
            core: take_number(from)?,
            own: take_number(from)?,
            all: take_number(from)?,
            scr: take_number(from)?,
            spsr: take_number(from)?,
            elr: take_number(from)?,
            regs: [0; 18],
        };
        let mask = take_number(from)?;
        for (index, reg) in event.regs.iter_mut().enumerate() {
            if mask >> index & 1 != 0 {
                *reg = take_number(from)?;
            }
        }
        Some(event)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An event with every number at its longest.
    pub const LONGEST: Event = Event {
        way: Way::Entry {
            vector: u16::MAX,
            esr: u64::MAX,
        },
        core: 0xff_00ff_ffff,
        own: u64::MAX,
        all: u64::MAX,
        scr: u64::MAX,
        spsr: u64::MAX,
        elr: u64::MAX,
        regs: [u64::MAX; 18],
    };

    #[test]
    fn records_come_back() {
        let mut exit = Event {
            way: Way::Exit,
            core: 1,
            own: 5,
            all: 9,
            ..LONGEST
        };
        exit.regs = [0; 18];
        exit.regs[0] = 0x8400_0061;
        exit.regs[17] = 1;
        for record in [Record::Event(LONGEST), Record::Event(exit), Record::End(7)] {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            assert_eq!(usize::from(bytes[0]), bytes.len() - 1);
            assert_eq!(Record::read(&bytes[1..]), Some(record));
            for end in 1..bytes.len() {
                assert_eq!(Record::read(&bytes[1..end]), None, "cut off at {end}");
            }
        }
    }
}
