//! Stack `optee-xtest`: OP-TEE's own test suite, on Linux.

use super::{Mode, Prepared, optee_linux, sees};
use crate::cli::FipArgs;
use crate::console::Limits;
use anyhow::Result;

/// Runs regression 1001 to 1010, or the whole suite; on a terminal, a shell that has `xtest`.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    let (word, limits) = match mode {
        Mode::Interactive => ("shell", Limits::secs(600, 1200)),
        Mode::Demo | Mode::Test { full: false } => ("xtest", Limits::secs(240, 1200)),
        Mode::Test { full: true } => ("xtest-full", Limits::secs(900, 4 * 3600)),
    };
    let mut prepared = optee_linux::variant(args, "optee-xtest", word, "", true)?;
    prepared.limits = limits;
    prepared
        .hints
        .push("xtest and tee-supplicant are in the initramfs: `xtest 1001`".to_owned());
    if mode != Mode::Interactive {
        prepared.script.push(sees("@ok xtest/"));
    }
    Ok(prepared)
}
