//! Hands the linker each image's script: the load address is the only difference.
use std::{env, fs, path::PathBuf};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (normal, spmc) = match env::var_os("CARGO_FEATURE_FVP") {
        Some(_) => ("0x88000000", "0x06000000"),
        None => ("0x60000000", "0x0e100000"),
    };
    for (bin, base) in [("bench-normal", normal), ("bench-spmc", spmc)] {
        let script = out.join(bin).with_extension("ld");
        fs::write(&script, include_str!("image.ld").replace("@BASE@", base))
            .expect("OUT_DIR is writable");
        println!("cargo:rustc-link-arg-bin={bin}=-T{}", script.display());
    }
    println!("cargo:rerun-if-changed=image.ld");
}
