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
    match setting("JANUS_CACHE") {
        Some(dir) => {
            std::path::absolute(PathBuf::from(dir)).unwrap_or_else(|_| target().join("cache"))
        }
        None => target().join("cache"),
    }
}

/// The directory for what our commands make from this checkout: images, flash contents, logs.
pub fn out() -> PathBuf {
    target().join("janus")
}

/// The path of a file for fiptool: a manifest, or a layout.
pub fn fiptool_cfg(name: &str) -> PathBuf {
    root().join("fiptool-cfg").join(name)
}

/// Reads a setting of the environment.
pub fn setting(name: &str) -> Option<std::ffi::OsString> {
    #[cfg(test)]
    if let Some(value) = SETTINGS.with_borrow(|s| s.get(name).cloned()) {
        return Some(value.into());
    }
    std::env::var_os(name)
}

#[cfg(test)]
thread_local! {
    /// The settings of a test, instead of the environment, which all tests share.
    pub static SETTINGS: std::cell::RefCell<std::collections::BTreeMap<&'static str, String>> =
        const { std::cell::RefCell::new(std::collections::BTreeMap::new()) };
}

/// The files that git knows and `patterns` match (all files, without patterns), relative to [`root`].
#[cfg(test)]
pub fn tracked(patterns: &[&str]) -> Vec<String> {
    let list = std::process::Command::new("git")
        .args(["ls-files", "--"])
        .args(patterns)
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(list.status.success(), "git lists the files");
    let list = String::from_utf8_lossy(&list.stdout);
    list.lines().map(str::to_owned).collect()
}
