//! The trace file: every entry to EL3 and every exit from it, in the order in which they were seen.
//!
//! A file is a [`Header`] and then records, each a length byte and as many bytes. Numbers in a record
//! are LEB128, and of the registers only those that are not zero are there: a record takes some 50
//! bytes. The last record is [`Record::End`]; a file without it was cut off, and everything up to
//! there can be read all the same.
//!
//! * [`Record`] and [`Event`] are what is recorded, [`Header`] what is known of the machine.
//! * [`Reader`] goes through the bytes of a file, and copes with any bytes.
//! * [`arch`] reads the fields of the EL3 registers in an event.
//! * [`example`] makes traces up, for tests.

pub mod arch;
mod bytes;
mod event;
pub mod example;
mod header;
mod reader;

pub use event::{Event, Record, Way};
pub use header::{Header, HeaderError, MAGIC, VERSION};
pub use reader::{Ending, Reader};
