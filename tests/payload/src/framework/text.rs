//! Text of bounded length, because there is no heap.

use core::fmt;

/// Up to 216 bytes of text. Text that does not fit is left out.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; 216],
    len: usize,
}

impl Text {
    /// Makes an empty text.
    pub const fn new() -> Self {
        Self {
            bytes: [0; 216],
            len: 0,
        }
    }

    /// Makes the text of `arguments`, which come from `format_args!`.
    pub fn of(arguments: fmt::Arguments) -> Self {
        let mut text = Self::new();
        // Writing to a `Text` never fails.
        let _ = fmt::Write::write_fmt(&mut text, arguments);
        text
    }

    /// Makes the text of a panic: message and place, on one line.
    pub fn of_panic(info: &core::panic::PanicInfo) -> Self {
        let place = info.location().map_or(("", 0), |l| {
            (l.file().rsplit('/').next().unwrap_or(""), l.line())
        });
        Self::of(format_args!("{} ({}:{})", info.message(), place.0, place.1))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        // The text only has whole characters, because `push` adds ASCII.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("(not UTF-8)")
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one byte of ASCII. Any other byte becomes a question mark.
    pub fn push(&mut self, byte: u8) {
        if self.len < self.bytes.len() {
            self.bytes[self.len] = if byte.is_ascii() { byte } else { b'?' };
            self.len += 1;
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        s.bytes().for_each(|b| self.push(b));
        Ok(())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
