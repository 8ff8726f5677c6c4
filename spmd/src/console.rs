// SPDX-License-Identifier: BSD-3-Clause

//! FFA_CONSOLE_LOG: what the SPMC prints on the EL3 console.
//!
//! SPMCs log whole lines, halves or single characters. Each core gathers its own until a line is
//! complete, so that what is printed is always a whole line with the SPMC's mark before it, and cores
//! do not mix. Whatever is not printable ASCII is written as an escape: no line can be forged.

use crate::action::{Action, Work, refuse};
use crate::call::{ErrorCode, Regs, set_success};
use crate::state::Core;
use core::fmt::{self, Write};

/// Longest line, in characters as they came; a longer one is broken.
const LINE: usize = 120;

/// A checked FFA_CONSOLE_LOG whose characters are still in the secure registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConsoleLog {
    count: u8,
    wide: bool,
}

/// FFA_CONSOLE_LOG: w1 = the number of characters in w2 to w7 (SMC32, 24) or x2 to x17 (SMC64, 128).
pub(crate) fn from_secure(wide: bool, caller: &mut Regs) -> Action {
    let most = if wide { 128 } else { 24 };
    match caller[1] as u32 {
        count @ 1..=128 if count <= most => Action::El3(Work::ConsoleLog(ConsoleLog {
            count: count as u8,
            wide,
        })),
        _ => refuse(caller, ErrorCode::InvalidParameters),
    }
}

impl ConsoleLog {
    /// Takes the characters out of the `secure` registers, writes FFA_SUCCESS there and gives every
    /// line that is complete now to `print` (without a line feed at its end).
    pub fn lines(self, core: &mut Core, secure: &mut Regs, mut print: impl FnMut(Line<'_>)) {
        let bytes_per_register = if self.wide { 8 } else { 4 };
        let bytes = secure[2..]
            .iter()
            .flat_map(|reg| reg.to_le_bytes().into_iter().take(bytes_per_register));
        for byte in bytes.take(usize::from(self.count)) {
            if byte == b'\n' || core.line.is_full() {
                print(core.line.line());
                core.line.length = 0;
            }
            if byte != b'\n' {
                core.line.push(byte);
            }
        }
        set_success(secure, 0);
    }
}

/// A line that is not complete yet.
///
/// It is aligned so that EL3, which may not make unaligned accesses, does not copy it byte by byte.
#[derive(Debug)]
#[repr(align(8))]
pub struct LineBuffer {
    bytes: [u8; LINE],
    length: u8,
}

impl LineBuffer {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; LINE],
            length: 0,
        }
    }

    fn is_full(&self) -> bool {
        usize::from(self.length) >= LINE
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.length)) {
            *slot = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    fn line(&self) -> Line<'_> {
        Line(self.bytes.get(..usize::from(self.length)).unwrap_or(&[]))
    }
}

impl Core {
    /// Passes what the SPMC has logged of a line without its end to `print`, and empties the buffer: for the
    /// report that it died.
    pub fn take_unfinished_line(&mut self, print: impl FnOnce(Line<'_>)) {
        if self.line.length != 0 {
            print(self.line.line());
            self.line.length = 0;
        }
    }
}

/// One line of the SPMC's, to be displayed: escaped, without mark and line feed.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(&'a [u8]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.0.strip_suffix(b"\r").unwrap_or(self.0);
        for &byte in ended {
            match byte {
                b'\t' => f.write_str("\\t")?,
                b'\\' => f.write_str("\\\\")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{:02x}", u64::from(byte))?,
            }
        }
        Ok(())
    }
}
