//! The BL31 under test: Janus, or TF-A's C one as the reference.

use crate::cli::{BuildArgs, Runtime};
use crate::tfa::Built;
use anyhow::Result;
use std::path::PathBuf;

/// Builds or finds the BL31 that was asked for, as a flat image.
///
/// # Errors
/// It does not build, or does not fit where BL2 puts it.
pub fn image(args: &BuildArgs, tfa: impl FnOnce() -> Result<Built>) -> Result<PathBuf> {
    match args.bl31 {
        Runtime::C => Ok(tfa()?.bl31),
        Runtime::Janus => anyhow::bail!("Janus' BL31 is not built here yet; use --bl31 c"),
    }
}
