//! Goes through the records of a file.

use crate::event::{Event, Record};
use crate::header::{Header, HeaderError};

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the end record.
    Complete,
    /// Between two records: QEMU was killed, or still runs.
    NoEnd,
    /// Within a record, at this offset.
    CutOff(usize),
    /// The bytes at this offset are no record.
    Damaged(usize),
    /// The end record counts more events than the file has.
    Missing(u64),
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::NoEnd => f.write_str("has no end: QEMU was killed, or is still running"),
            Self::CutOff(at) => write!(f, "is cut off within the record at byte {at}"),
            Self::Damaged(at) => write!(f, "is damaged: what is at byte {at} is no record"),
            Self::Missing(count) => write!(f, "is damaged: {count} events are missing"),
        }
    }
}

/// The events of a trace, from its bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    events: u64,
    ending: Option<Ending>,
}

impl<'a> Reader<'a> {
    /// Begins to read a whole file.
    ///
    /// # Errors
    /// See [`Header::read`].
    pub fn new(file: &'a [u8]) -> Result<(Header, Reader<'a>), HeaderError> {
        let (header, at) = Header::read(file)?;
        let reader = Reader {
            file,
            at,
            events: 0,
            ending: None,
        };
        Ok((header, reader))
    }

    /// How the file ends, once all events were read.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The offset of the next record.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The event at an offset that [`Reader::offset`] gave before it was read.
    pub fn event_at(file: &[u8], at: usize) -> Option<Event> {
        let (&length, rest) = file.get(at..)?.split_first()?;
        match Record::read(rest.get(..usize::from(length))?)? {
            Record::Event(event) => Some(event),
            Record::End(_) => None,
        }
    }

    fn end(&mut self, how: Ending) -> Option<Event> {
        self.ending = Some(how);
        None
    }
}

impl Iterator for Reader<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.ending.is_some() {
            return None;
        }
        let at = self.at;
        let Some((&length, rest)) = self.file[at..].split_first() else {
            return self.end(Ending::NoEnd);
        };
        let Some(bytes) = rest.get(..usize::from(length)) else {
            return self.end(Ending::CutOff(at));
        };
        self.at += 1 + usize::from(length);
        match Record::read(bytes) {
            Some(Record::Event(event)) => {
                self.events += 1;
                Some(event)
            }
            Some(Record::End(count)) if count == self.events => self.end(Ending::Complete),
            Some(Record::End(count)) => {
                let missing = count.saturating_sub(self.events);
                self.end(Ending::Missing(missing))
            }
            None => self.end(Ending::Damaged(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::LONGEST;

    fn file(events: u64, end: Option<u64>) -> Vec<u8> {
        let mut bytes = Header::default().to_bytes();
        for own in 0..events {
            Record::Event(Event { own, ..LONGEST }).write(&mut bytes);
        }
        if let Some(count) = end {
            Record::End(count).write(&mut bytes);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (u64, Option<Ending>) {
        let (_, mut reader) = Reader::new(bytes).unwrap();
        let count = reader.by_ref().count() as u64;
        (count, reader.ending())
    }

    #[test]
    fn a_file_and_its_endings() {
        assert_eq!(read(&file(3, Some(3))), (3, Some(Ending::Complete)));
        assert_eq!(read(&file(3, None)), (3, Some(Ending::NoEnd)));
        assert_eq!(read(&file(3, Some(5))), (3, Some(Ending::Missing(2))));
        let whole = file(2, None);
        let first = file(1, None).len();
        for end in first + 1..whole.len() {
            assert_eq!(
                read(&whole[..end]),
                (1, Some(Ending::CutOff(first))),
                "cut at {end}"
            );
        }
        let mut damaged = whole;
        damaged[first + 1] = 9;
        assert_eq!(read(&damaged), (1, Some(Ending::Damaged(first))));
    }

    #[test]
    fn an_event_is_found_again() {
        let bytes = file(2, Some(2));
        let (_, mut reader) = Reader::new(&bytes).unwrap();
        reader.next();
        let at = reader.offset();
        let second = reader.next();
        assert_eq!(Reader::event_at(&bytes, at), second);
        assert_eq!(Reader::event_at(&bytes, bytes.len()), None);
    }

    #[test]
    fn no_bytes_are_too_much() {
        let mut seed = 1_u32;
        for _ in 0..2000 {
            let mut bytes = file(1, None);
            for _ in 0..64 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.push((seed >> 24) as u8);
            }
            let (count, ending) = read(&bytes);
            assert!(count >= 1 && ending.is_some());
        }
    }
}
