//! Checks that an image is built for one platform: with none, or with two, it does not compile, and the compiler says
//! why.

use crate::paths;
use std::process::Command;

/// What the compiler says of `plat` for an image with these features.
fn compiler_says(features: &str) -> (bool, String) {
    let out = Command::new(env!("CARGO"))
        .args([
            "check",
            "--quiet",
            "-p",
            "janus-plat",
            "--features",
            features,
        ])
        .current_dir(paths::root())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.success(), said)
}

#[test]
fn an_image_has_one_platform() {
    let (compiles, said) = compiler_says("image");
    assert!(!compiles);
    assert!(
        said.contains("an image needs a platform: select one of"),
        "{said}"
    );
    assert!(said.contains("`qemu`") && said.contains("`fvp`"), "{said}");
    let (compiles, said) = compiler_says("image,qemu,fvp");
    assert!(!compiles);
    assert!(
        said.contains("an image is built for one platform: `fvp`"),
        "{said}"
    );
    for platform in ["image,qemu", "image,fvp", "image,example-board"] {
        let (compiles, said) = compiler_says(platform);
        assert!(compiles, "{platform}: {said}");
    }
}
