//! The cache: one directory per thing, complete when its stamp file exists.
//!
//! An entry's name says everything that decides its content (versions, options), so a complete entry never has to be
//! checked again. Several runs may share the cache: whoever fills an entry holds its lock, and an entry that was left
//! incomplete is begun anew.

use crate::paths;
use anyhow::{Context, Result};
use fs4::FileExt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const STAMP: &str = ".complete";

/// A lock on a name in the cache, held until it is dropped.
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

/// Waits for the lock of `name`.
///
/// # Errors
/// The cache cannot be written.
pub fn lock(name: &str) -> Result<Lock> {
    let dir = paths::cache().join("locks");
    fs::create_dir_all(&dir).with_context(|| {
        format!(
            "cannot make {} (set JANUS_CACHE to a directory that can be written)",
            dir.display()
        )
    })?;
    let file = File::create(dir.join(name.replace('/', "_")))?;
    FileExt::lock(&file)?;
    Ok(Lock(file))
}

/// The entry `name` if it is complete.
pub fn complete(name: &str) -> Option<PathBuf> {
    let dir = paths::cache().join(name);
    dir.join(STAMP).is_file().then_some(dir)
}

/// A complete entry whose name begins with `prefix`, the last by name if there are several.
pub fn any_complete(prefix: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(paths::cache()).ok()?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| {
            p.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with(prefix))
        })
        .filter(|p| p.join(STAMP).is_file())
        .collect();
    found.sort();
    found.pop()
}

/// The names of all complete entries.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(paths::cache()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|e| e.path().join(STAMP).is_file())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The directory of the entry `name`, filled by `fill` when it is not there yet.
///
/// # Errors
/// Those of `fill`; the entry then stays incomplete, for its logs to be read.
pub fn entry(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    if let Some(dir) = complete(name) {
        return Ok(dir);
    }
    let _lock = lock(name)?;
    if let Some(dir) = complete(name) {
        return Ok(dir);
    }
    let dir = paths::cache().join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    fs::create_dir_all(&dir)?;
    fill(&dir)?;
    fs::write(dir.join(STAMP), "")?;
    Ok(dir)
}

/// A short name for texts: equal texts have equal names.
pub fn digest(texts: &[&str]) -> String {
    // FNV-1a, each text with its length before it.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for text in texts {
        for byte in (text.len() as u64)
            .to_le_bytes()
            .iter()
            .chain(text.as_bytes())
        {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn digests_tell_texts_apart() {
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        for other in [&["ab"][..], &["a", "c"], &["b", "a"], &["a", "b", ""]] {
            assert_ne!(digest(&["a", "b"]), digest(other));
        }
    }
}
