//! What EL3 says on its console: `error!`, `warning!` and `info!`.
//!
//! A number in a message is a u32, a u64 or a usize: each other type brings a few hundred bytes of core's
//! code to format it.

use log::{Level, Record};

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
