//! Room on the disk: a full test run needs several gigabytes. Without them it fails with many different messages.

use crate::paths;
use std::path::Path;

/// One gibibyte.
const GIB: u64 = 1 << 30;

/// The bytes that a full test run writes when nothing is there yet, the cache included.
const FULL_RUN: u64 = 8 * GIB;

/// The warning that there may be too little room for a full test run, if that is so.
pub fn warning() -> Option<String> {
    short(free(&paths::target())?)
}

/// The free room, as a text for a person.
pub fn state() -> String {
    let room = |dir: &Path| free(dir).map_or("unknown".to_owned(), gib);
    format!(
        "{} free for builds, {} for the cache; a full test run from nothing takes {}",
        room(&paths::target()),
        room(&paths::cache()),
        gib(FULL_RUN)
    )
}

fn short(free: u64) -> Option<String> {
    (free < FULL_RUN).then(|| {
        format!(
            "only {} free on the disk, and a full test run from nothing takes {}: if something fails for it, make \
             room, or set CARGO_TARGET_DIR and JANUS_CACHE to directories on another disk",
            gib(free),
            gib(FULL_RUN)
        )
    })
}

/// The free bytes on the disk of `dir`, or of its nearest parent that exists.
fn free(dir: &Path) -> Option<u64> {
    let there = dir.ancestors().find(|dir| dir.exists())?;
    fs4::available_space(there).ok()
}

fn gib(bytes: u64) -> String {
    format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_so_below_what_a_run_takes() {
        assert_eq!(short(FULL_RUN), None);
        let line = short(FULL_RUN - 1).unwrap();
        assert!(line.starts_with("only 7.9 GiB free"), "{line}");
    }

    #[test]
    fn a_directory_that_is_not_there_yet() {
        assert!(free(&paths::target().join("not/there")).is_some());
    }
}
