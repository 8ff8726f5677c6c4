//! `cargo xtask size`: how large the image is, against TF-A's C BL31.

use anyhow::{Result, bail};
use clap::Args;

/// What is shown.
#[derive(Args)]
pub struct SizeArgs {
    /// For scripts.
    #[arg(long)]
    json: bool,
}

/// Prints the table.
///
/// # Errors
/// Not there yet.
pub fn run(_args: &SizeArgs) -> Result<bool> {
    bail!("`size` is not there yet")
}
