//! The header of a trace file: magic, version, and what is known of the machine.

use std::fmt;

/// The first bytes of every trace.
pub const MAGIC: [u8; 8] = *b"JANUSTRC";

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u16 = 1;

/// Bytes before the description: magic, version, its length.
const FIXED: usize = 8 + 2 + 4;

/// A description of the machine by the tool that started it: names and values, as text.
///
/// The names in use: `bl31` (whose), `cpu`, `smp`, `stack`, `spmc-base`, `spmc-size` (BL2's record of
/// BL32) and `manifest` (the device tree in hexadecimal).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    entries: Vec<(String, String)>,
}

/// Why a file is no trace that can be read. The message says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The file is empty.
    Empty,
    /// The file does not begin with the magic bytes.
    Foreign,
    /// The file has this version, which is not supported.
    Version(u16),
    /// The file ends within the header.
    CutOff,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "it is empty: QEMU ended before it ran an instruction, or its plugin was not loaded",
            ),
            Self::Foreign => f.write_str(
                "it is no trace: give a file of `cargo xtask run --trace`, a Tarmac trace, or with --console a log",
            ),
            Self::Version(version) => write!(
                f,
                "it is of version {version} of the format, this is a reader of version {VERSION}: read it with the \
                 Janus that recorded it, or record it again"
            ),
            Self::CutOff => f.write_str("it ends within its header: nothing was recorded, record it again"),
        }
    }
}

impl std::error::Error for HeaderError {}

impl Header {
    /// Adds an entry; a line feed in a value would end it, and becomes a space.
    pub fn add(&mut self, name: &str, value: impl fmt::Display) {
        let value = value.to_string().replace('\n', " ");
        self.entries.push((name.to_owned(), value));
    }

    /// The value of an entry.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.entries.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let text: String = self
            .entries()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    /// Reads the header at the front of a file; returns it and how many bytes it has.
    ///
    /// # Errors
    /// The file is no trace, or none of this version.
    pub fn read(file: &[u8]) -> Result<(Header, usize), HeaderError> {
        if file.is_empty() {
            return Err(HeaderError::Empty);
        }
        let magic = &file[..file.len().min(MAGIC.len())];
        if !MAGIC.starts_with(magic) {
            return Err(HeaderError::Foreign);
        }
        let Some(&[v0, v1, l0, l1, l2, l3]) =
            file.get(MAGIC.len()..FIXED).and_then(|b| b.first_chunk())
        else {
            return Err(HeaderError::CutOff);
        };
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(HeaderError::Version(version));
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some(text) = file[FIXED..].get(..length) else {
            return Err(HeaderError::CutOff);
        };
        let mut header = Header::default();
        for line in String::from_utf8_lossy(text).lines() {
            if let Some((name, value)) = line.split_once('=') {
                header.add(name, value);
            }
        }
        Ok((header, FIXED + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back() {
        let mut header = Header::default();
        header.add("bl31", "janus");
        header.add("cpu", "max,a=b");
        header.add("note", "two\nlines");
        let bytes = header.to_bytes();
        let (read, length) = Header::read(&bytes).unwrap();
        assert_eq!((read.get("cpu"), length), (Some("max,a=b"), bytes.len()));
        assert_eq!(read.get("note"), Some("two lines"));
        assert_eq!(read.get("smp"), None);
    }

    #[test]
    fn what_is_no_trace_is_said() {
        let bytes = Header::default().to_bytes();
        assert_eq!(Header::read(&[]), Err(HeaderError::Empty));
        assert_eq!(Header::read(b"MZ, an ELF"), Err(HeaderError::Foreign));
        for end in 1..bytes.len() {
            assert_eq!(
                Header::read(&bytes[..end]),
                Err(HeaderError::CutOff),
                "{end}"
            );
        }
        let mut later = bytes;
        later[8] = 9;
        let error = Header::read(&later).unwrap_err();
        assert_eq!(error, HeaderError::Version(9));
        assert!(error.to_string().contains("version 9"), "{error}");
    }
}
