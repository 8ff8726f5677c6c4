//! A trace in memory: its bytes, and where in them each event is.
//!
//! The events stay as they were recorded, some 50 bytes each, and are decoded when they are looked at: a
//! million of them fit into 100 MB.

use anyhow::{Context, Result, bail};
use janus_trace_format::{Ending, Event, Header, Reader, Record};
use std::path::Path;

use crate::tarmac;

/// A trace.
pub struct Trace {
    /// What is known of the machine.
    pub header: Header,
    /// How the file ends.
    pub ending: Ending,
    bytes: Vec<u8>,
    offsets: Vec<u32>,
}

impl Trace {
    /// Reads a trace: one of ours or a Tarmac trace.
    ///
    /// # Errors
    /// The file cannot be read or is neither: the message says what it is and what to do.
    pub fn open(path: &Path) -> Result<Trace> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let trace = Self::read(bytes).with_context(|| path.display().to_string())?;
        if trace.is_empty() {
            bail!(
                "{}: no core came to EL3 or left it: BL31 was not reached, or is not where its code was looked for",
                path.display()
            );
        }
        Ok(trace)
    }

    /// Reads a trace from a file's bytes.
    ///
    /// # Errors
    /// They are no trace.
    pub fn read(bytes: Vec<u8>) -> Result<Trace> {
        if tarmac::is_tarmac(&bytes) {
            return tarmac::read(&bytes);
        }
        let (header, mut reader) = Reader::new(&bytes)?;
        let mut offsets = Vec::new();
        loop {
            let at = u32::try_from(reader.offset()).context("larger than 4 GiB")?;
            if reader.next().is_none() {
                break;
            }
            offsets.push(at);
        }
        let ending = reader.ending().unwrap_or(Ending::NoEnd);
        Ok(Trace {
            header,
            ending,
            bytes,
            offsets,
        })
    }

    /// A trace of events that come from elsewhere.
    pub fn of(header: Header, events: impl Iterator<Item = Event>) -> Trace {
        let (mut bytes, mut offsets) = (Vec::new(), Vec::new());
        for event in events {
            offsets.push(bytes.len() as u32);
            Record::Event(event).write(&mut bytes);
        }
        Trace {
            header,
            ending: Ending::Complete,
            bytes,
            offsets,
        }
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Returns whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// An event by its number.
    pub fn event(&self, number: u32) -> Event {
        let at = self.offsets[number as usize] as usize;
        Reader::event_at(&self.bytes, at).expect("it was read before")
    }

    /// All events in their order.
    pub fn events(&self) -> impl Iterator<Item = (u32, Event)> + '_ {
        (0..self.len() as u32).map(|number| (number, self.event(number)))
    }
}
