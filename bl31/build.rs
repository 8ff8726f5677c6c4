//! Links the image by its linker script.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/image.ld");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rustc-link-arg-bin=bl31=-T{script}");
    // The image is position independent. `.relr.dyn` lists the absolute addresses that are left, for entry.S.
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
