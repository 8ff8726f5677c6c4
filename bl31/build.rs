//! Links the image by its linker script.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/image.ld");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rustc-link-arg-bin=bl31=-T{script}");
    // Position independent: what is left of absolute addresses is in `.relr.dyn`, for entry.S.
    for arg in [
        "-zmax-page-size=4096",
        "-pie",
        "--no-dynamic-linker",
        "-znotext",
        "--pack-dyn-relocs=relr",
        "--build-id=fast",
    ] {
        println!("cargo:rustc-link-arg-bin=bl31={arg}");
    }
}
