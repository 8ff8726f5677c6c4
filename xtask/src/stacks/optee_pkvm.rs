//! Stack `optee-pkvm`: the same Linux as a protected hypervisor. Its EL2 code has an FF-A proxy of
//! its own between the host's drivers and EL3.

use super::{Mode, Prepared, optee_linux, sees};
use crate::cli::FipArgs;
use anyhow::Result;

/// The drivers' lines come through the proxy, and a client talks to OP-TEE through it.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    let interactive = mode == Mode::Interactive;
    let word = if interactive { "shell" } else { "client" };
    let mut prepared =
        optee_linux::variant(args, "optee-pkvm", word, "kvm-arm.mode=protected", true)?;
    prepared.script.insert(0, sees("kvm [1]: Protected"));
    if !interactive {
        prepared.script.push(sees("@ok optee/client"));
    }
    Ok(prepared)
}
