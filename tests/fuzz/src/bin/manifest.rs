//! Fuzzes the SPMC manifest: any page of bytes, and what is derived from it.
#![no_main]

use janus_spmd::manifest::{Known, Manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let manifest = match Manifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for warning in manifest.warnings() {
        assert!(!warning.to_string().is_empty());
    }
    for (base, size, entry) in [
        (0, 0, 0),
        (0x0e10_0000, 0x1000, 0x0e10_0000),
        (u64::MAX, u64::MAX, u64::MAX),
    ] {
        match manifest.image(base, size, entry) {
            Ok(image) => assert!(image.range.contains(&image.entry)),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    for cpu_has_sel2 in [false, true] {
        for bl2_level in [None, Some(1), Some(2)] {
            let known = Known {
                cpu_has_sel2,
                bl2_level,
            };
            if let Ok((sel2, _)) = manifest.at_sel2(known) {
                assert!(cpu_has_sel2 || !sel2, "S-EL2 on a CPU without it");
            }
        }
    }
});
