//! Stack `optee-pkvm`: the Linux of `optee-linux` as a protected hypervisor. Its EL2 code has its own FF-A proxy
//! between the host's drivers and EL3.

use super::{Mode, Prepared, optee_linux, sees};
use crate::cli::FipArgs;
use anyhow::Result;

/// Runs until the drivers have printed their lines, which shows that the proxy works.
///
/// No client is run. The proxy asks the SPMC to retrieve each memory region before it is reclaimed, and OP-TEE (4.10)
/// has no FFA_MEM_RETRIEVE_REQ for the normal world. It is so on the C BL31 too.
pub fn prepare(args: &FipArgs, mode: Mode) -> Result<Prepared> {
    let word = if mode == Mode::Interactive {
        "shell"
    } else {
        "demo"
    };
    let mut prepared =
        optee_linux::variant(args, "optee-pkvm", word, "kvm-arm.mode=protected", false)?;
    prepared.script.insert(0, sees("kvm [1]: Protected"));
    Ok(prepared)
}
