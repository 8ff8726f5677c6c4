//! `cargo xtask test`.

use anyhow::{Result, bail};
use clap::Args;

/// What is tested.
#[derive(Args)]
pub struct TestArgs {}

/// Runs the tests.
///
/// # Errors
/// Not there yet.
pub fn run(_args: &TestArgs) -> Result<bool> {
    bail!("`test` is not there yet")
}
