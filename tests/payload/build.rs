//! Links each payload at the address where BL2 (or QEMU) puts it.

fn main() {
    let script = format!("{}/payload.ld", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed={script}");
    // The feature selects the machine.
    let fvp = std::env::var_os("CARGO_FEATURE_FVP").is_some();
    let (spmc, hypervisor) = if fvp {
        (0x0600_0000u64, 0x8800_0000u64)
    } else {
        (0x0e10_0000, 0x6000_0000)
    };
    for (bin, base) in [
        ("spmc", spmc),
        ("old-spmc", spmc),
        ("hypervisor", hypervisor),
    ] {
        println!("cargo:rustc-link-arg-bin={bin}=-T{script}");
        println!("cargo:rustc-link-arg-bin={bin}=--defsym=BASE={base:#x}");
        println!("cargo:rustc-link-arg-bin={bin}=--gc-sections");
    }
}
