//! The messages on EL3's console: `error!`, `warning!` and `info!`.
//!
//! Numbers in messages are u32, u64 (in hexadecimal) or [`Signed`]: each other type adds some hundred bytes of `core`'s
//! formatting code to the image.

use crate::hw::console;
use core::fmt;
use log::Level;

/// A number in a message that may be negative, such as an error code.
pub struct Signed(pub i32);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        self.0.unsigned_abs().fmt(f)
    }
}

/// Prints one line of EL3's own, if its level is one that is shown. The macros below use it.
///
/// The macros of `log` itself would build a record at each use, with a module, a file and a line that are not
/// printed: more than a hundred bytes per message, and as much of the stack.
#[cold]
#[inline(never)]
pub fn say(level: Level, text: core::fmt::Arguments<'_>) {
    if level <= log::max_level() {
        console::own_line(level, text);
    }
}

/// Prints a line about a core with this number, as [`say`] does.
#[cold]
#[inline(never)]
pub fn say_of(core: usize, level: Level, text: core::fmt::Arguments<'_>) {
    say(level, format_args!("core {}: {text}", core as u32));
}

/// Reports that something does not work. Takes the arguments of `format_args!`, behind `of: CORE,` if it is about one
/// core.
macro_rules! error {
    (of: $core:expr, $($text:tt)+) => {
        $crate::messages::say_of($core, log::Level::Error, format_args!($($text)+))
    };
    ($($text:tt)+) => { $crate::messages::say(log::Level::Error, format_args!($($text)+)) };
}
/// Reports that something works but should be looked at. Takes what [`error!`] takes.
macro_rules! warning {
    (of: $core:expr, $($text:tt)+) => {
        $crate::messages::say_of($core, log::Level::Warn, format_args!($($text)+))
    };
    ($($text:tt)+) => { $crate::messages::say(log::Level::Warn, format_args!($($text)+)) };
}
/// Reports progress that a person wants to see at boot. Takes the arguments of `format_args!`.
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
