//! `cargo xtask bench`.

use anyhow::{Result, bail};
use clap::Args;

/// What is measured.
#[derive(Args)]
pub struct BenchArgs {}

/// Runs the benchmarks.
///
/// # Errors
/// Not there yet.
pub fn run(_args: &BenchArgs) -> Result<bool> {
    bail!("`bench` is not there yet")
}
