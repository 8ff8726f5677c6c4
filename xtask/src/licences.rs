//! Checks that each source file of the crates that others can use names its licence: such files are copied one by one.

use crate::paths;

/// The first line of each file.
const FIRST: &str = "// SPDX-License-Identifier: BSD-3-Clause";

#[test]
fn the_published_crates_name_their_licence() {
    let crates = [
        "arm/*.rs",
        "lfa/*.rs",
        "manifest/*.rs",
        "psci/*.rs",
        "spmd/*.rs",
    ];
    let without: Vec<String> = paths::tracked(&crates)
        .into_iter()
        .filter(|file| {
            let text = std::fs::read_to_string(paths::root().join(file)).expect("a source");
            text.lines().next() != Some(FIRST)
        })
        .collect();
    assert!(
        without.is_empty(),
        "to begin with `{FIRST}`: {}",
        without.join(" ")
    );
}
