//! The trace file: one thread at a time writes, and what it wrote survives if QEMU is killed.

use janus_trace_format::{Header, Record};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file of this run.
pub static OUT: Out = Out(Mutex::new(Trace {
    file: None,
    events: 0,
    record: Vec::new(),
}));

/// [`OUT`]'s type.
pub struct Out(Mutex<Trace>);

impl Out {
    /// Takes the file for one record.
    pub fn lock(&self) -> MutexGuard<'_, Trace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A trace under way.
pub struct Trace {
    file: Option<File>,
    events: u64,
    record: Vec<u8>,
}

/// Opens the file and appends to the header that the tool that starts QEMU has written. Writes an empty header
/// if there is none.
///
/// # Errors
/// It cannot be written.
pub fn open(path: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    if file.metadata()?.len() == 0 {
        file.write_all(&Header::default().to_bytes())?;
    }
    OUT.lock().file = Some(file);
    Ok(())
}

impl Trace {
    /// Appends a record. The first record that cannot be written, because the disk is full, is reported and
    /// ends the trace; the machine goes on.
    pub fn write(&mut self, record: &Record) {
        let Some(file) = &mut self.file else { return };
        self.record.clear();
        record.write(&mut self.record);
        match file.write_all(&self.record) {
            Ok(()) => self.events += 1,
            Err(error) => {
                eprintln!("janus-trace-plugin: the trace ends here: {error}");
                self.file = None;
            }
        }
    }

    /// Appends the end.
    pub fn end(&mut self) {
        let end = Record::End(self.events);
        self.write(&end);
        self.file = None;
    }
}
