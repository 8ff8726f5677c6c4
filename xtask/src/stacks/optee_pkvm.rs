//! Stack `optee-pkvm`: the same Linux as a protected hypervisor. Its EL2 code has an FF-A proxy of
//! its own between the host's drivers and EL3.

use super::{Mode, Prepared, optee_linux, sees};
use crate::cli::FipArgs;
use anyhow::Result;

/// The drivers' lines come through the proxy.
///
/// No client follows: the proxy asks the SPMC to retrieve each memory region before it is reclaimed,
/// and OP-TEE (4.10) has no FFA_MEM_RETRIEVE_REQ for the normal world. The C BL31 shows the same.
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
