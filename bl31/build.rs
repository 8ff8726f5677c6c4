//! Writes the linker script from the platform's memory map.

use janus_plat::{Plat, Platform};
use std::{env, fs, path::PathBuf};

fn main() {
    let map = Plat::MEMORY;
    let script = include_str!("image.ld")
        .replace("@BASE@", &format!("{:#x}", map.image.start))
        .replace("@LIMIT@", &format!("{:#x}", map.image.end))
        .replace("@LOADED_END@", &format!("{:#x}", map.loaded_end));
    let path = PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("image.ld");
    fs::write(&path, script).expect("OUT_DIR is writable");
    println!("cargo:rerun-if-changed=image.ld");
    println!("cargo:rustc-link-arg-bin=bl31=-T{}", path.display());
    // Position independent: what is left of absolute addresses is in `.relr.dyn`, for entry.S.
    for arg in [
        "-zmax-page-size=4096",
        "-pie",
        "--no-dynamic-linker",
        "-znotext",
        "--pack-dyn-relocs=relr",
    ] {
        println!("cargo:rustc-link-arg-bin=bl31={arg}");
    }
}
