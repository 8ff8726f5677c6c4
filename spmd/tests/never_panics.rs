// SPDX-License-Identifier: BSD-3-Clause

//! The dispatcher is total: the optimised code of its entry points has no path to a panic.
//!
//! examples/probe.rs is built as the firmware is (release profile, bare-metal target) with a panic
//! handler that calls a function which does not exist. If that name is in the
//! linked code, something can panic; the callers of panics are then named.

use object::{Object, ObjectSymbol, read::archive::ArchiveFile};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "aarch64-unknown-none-softfloat";

#[test]
fn no_entry_point_can_panic() {
    let Some(library) = build() else {
        // Not on a developer's host without the firmware's target; CI has it.
        eprintln!("skipped: please run: rustup target add {TARGET}");
        return;
    };
    let bytes = std::fs::read(&library).expect("the library that was built");
    let archive = ArchiveFile::parse(&*bytes).expect("a static library");
    let (mut entry_points, mut panics) = (Vec::new(), Vec::new());
    for member in archive.members() {
        let member = member.expect("a member");
        let Ok(object) = object::File::parse(member.data(&*bytes).expect("its data")) else {
            continue;
        };
        for symbol in object.symbols() {
            let name = symbol.name().unwrap_or_default().to_owned();
            if name.starts_with("probe_") && symbol.is_definition() {
                entry_points.push(name);
            } else if name.contains("janus_spmd_can_panic") || name.contains("9panicking") {
                panics.push(name);
            }
        }
    }
    entry_points.sort();
    assert_eq!(
        entry_points,
        [
            "probe_call",
            "probe_console",
            "probe_new",
            "probe_normal",
            "probe_rest",
            "probe_secure"
        ],
        "the entry points that are looked at"
    );
    assert!(
        panics.is_empty(),
        "the dispatcher can panic; these functions are linked: {panics:#?}"
    );
}

/// Builds the probe; `None` where the firmware cannot be built either.
fn build() -> Option<PathBuf> {
    let installed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_ok_and(|output| {
            output.status.success()
                && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
        });
    if !installed {
        return None;
    }
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe");
    let status = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--example",
            "probe",
            "--features",
            "probe",
        ])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env_remove("RUSTFLAGS")
        .status();
    assert!(status.expect("cargo").success(), "the probe builds");
    Some(target_dir.join(TARGET).join("release/examples/libprobe.a"))
}
