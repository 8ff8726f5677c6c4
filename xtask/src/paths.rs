//! Where things are: the checkout, cargo's target directory, the cache.

use std::path::{Path, PathBuf};

/// The top of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask/ lies in the checkout")
        .to_owned()
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => {
            std::path::absolute(PathBuf::from(dir)).unwrap_or_else(|_| root().join("target"))
        }
        None => root().join("target"),
    }
}

/// Downloads and builds of other projects: `$JANUS_CACHE`, or `target/cache`.
pub fn cache() -> PathBuf {
    match std::env::var_os("JANUS_CACHE") {
        Some(dir) => {
            std::path::absolute(PathBuf::from(dir)).unwrap_or_else(|_| target().join("cache"))
        }
        None => target().join("cache"),
    }
}

/// What a command of ours makes from this checkout: images, flash contents, logs.
pub fn out() -> PathBuf {
    target().join("janus")
}

/// Files for fiptool: manifests, layouts.
pub fn fiptool_cfg(name: &str) -> PathBuf {
    root().join("fiptool-cfg").join(name)
}
