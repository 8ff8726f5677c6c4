//! Links each payload at the address where BL2 (or QEMU) puts it.

fn main() {
    let script = format!("{}/payload.ld", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed={script}");
    for (bin, base) in [("spmc", 0x0e10_0000u64), ("hypervisor", 0x6000_0000)] {
        println!("cargo:rustc-link-arg-bin={bin}=-T{script}");
        println!("cargo:rustc-link-arg-bin={bin}=--defsym=BASE={base:#x}");
        println!("cargo:rustc-link-arg-bin={bin}=--gc-sections");
    }
}
