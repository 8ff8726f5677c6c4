//! Numbers and strings in messages.
//!
//! What `core` prints them with (`{}` of a number or a `&str`, `{:#x}`) can pad, align and sign, and
//! takes 2.5 KB of an image for it. These take a tenth, so that firmware can afford messages that say
//! what is wrong: `info!("SPMC {} at {}", hex(id), hex(entry))`. The first `{}` of a plain number
//! anywhere in the image brings all of `core`'s back; `cargo xtask size` shows it.

use core::fmt::{self, Write};

/// A number, to be displayed.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    value: u64,
    style: Style,
}

/// How; two bytes, because every message builds it.
#[derive(Clone, Copy, Debug)]
struct Style {
    kind: Kind,
    /// The number of digits, at least.
    digits: u8,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Decimal,
    Negative,
    Hex,
    HexDigits,
}

/// `value` in decimal.
pub fn dec(value: impl TryInto<u64>) -> Number {
    number(value, Kind::Decimal, 1)
}

/// `value` in decimal, with its sign.
pub fn signed(value: i32) -> Number {
    let kind = if value < 0 {
        Kind::Negative
    } else {
        Kind::Decimal
    };
    number(value.unsigned_abs(), kind, 1)
}

/// `value` in hexadecimal, with `0x` before it.
pub fn hex(value: impl TryInto<u64>) -> Number {
    number(value, Kind::Hex, 1)
}

/// `value` in hexadecimal, with as many `digits` at least (up to 16) and nothing before them.
pub fn hex_digits(value: impl TryInto<u64>, digits: u8) -> Number {
    number(value, Kind::HexDigits, digits)
}

/// Unsigned values of up to 64 bits always fit; others are cut to the largest that does.
#[inline(always)]
fn number(value: impl TryInto<u64>, kind: Kind, digits: u8) -> Number {
    Number {
        value: value.try_into().unwrap_or(u64::MAX),
        style: Style { kind, digits },
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, radix) = match self.style.kind {
            Kind::Decimal => ("", 10),
            Kind::Negative => ("-", 10),
            Kind::Hex => ("0x", 16),
            Kind::HexDigits => ("", 16),
        };
        f.write_str(prefix)?;
        // The value of the first digit's place, and then of each one after it.
        let (mut place, mut digits) = (1u64, 1);
        while digits < self.style.digits || self.value / place >= radix {
            place = place.saturating_mul(radix).max(1);
            digits = digits.saturating_add(1);
        }
        while let Some(above) = self.value.checked_div(place) {
            let digit = DIGITS.get((above % radix) as usize).copied();
            f.write_char(char::from(digit.unwrap_or(b'?')))?;
            place /= radix;
        }
        Ok(())
    }
}

/// A string, to be displayed as it is.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{format, string::ToString};

    #[test]
    fn numbers_are_as_core_writes_them() {
        for value in [
            0,
            1,
            9,
            10,
            15,
            16,
            99,
            100,
            255,
            0x8000,
            u64::MAX / 10,
            u64::MAX,
        ] {
            assert_eq!(dec(value).to_string(), value.to_string());
            assert_eq!(hex(value).to_string(), format!("{value:#x}"));
            assert_eq!(hex_digits(value, 2).to_string(), format!("{value:02x}"));
            assert_eq!(hex_digits(value, 16).to_string(), format!("{value:016x}"));
        }
        for value in [0, 1, -1, i32::MAX, i32::MIN] {
            assert_eq!(signed(value).to_string(), value.to_string());
        }
        assert_eq!(Text("a string").to_string(), "a string");
    }
}
