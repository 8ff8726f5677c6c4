//! What EL3 says on its console: `error!`, `warning!` and `info!`.
//!
//! A number in a message is a u32, a u64 or a usize, or [`Signed`]: each other type brings a few hundred bytes of
//! core's code to format it.

use core::fmt;
use log::{Level, Record};

/// A number in a message that may be negative: an error code.
pub struct Signed(pub i32);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        self.0.unsigned_abs().fmt(f)
    }
}

/// Passes one line of EL3's own on to `log`.
///
/// For the macros below. Those of `log` say the same, but build each record where they are used,
/// with a module, a file and a line that nobody prints: a hundred bytes and more a message.
#[cold]
#[inline(never)]
pub fn say(level: Level, text: core::fmt::Arguments<'_>) {
    if level <= log::max_level() {
        log::logger().log(&Record::builder().level(level).args(text).build());
    }
}

/// Something does not work. Arguments as for `format_args!`.
macro_rules! error {
    ($($text:tt)+) => { $crate::messages::say(log::Level::Error, format_args!($($text)+)) };
}
/// Something works, and should be looked at.
macro_rules! warning {
    ($($text:tt)+) => { $crate::messages::say(log::Level::Warn, format_args!($($text)+)) };
}
/// What a person wants to see at boot.
macro_rules! info {
    ($($text:tt)+) => { $crate::messages::say(log::Level::Info, format_args!($($text)+)) };
}
pub(crate) use {error, info, warning};

#[cfg(test)]
mod tests {
    use super::Signed;

    #[test]
    fn a_signed_number_looks_as_core_has_it() {
        for number in [0, 1, -1, 17, -8, i32::MAX, i32::MIN] {
            assert_eq!(Signed(number).to_string(), number.to_string());
        }
    }
}
