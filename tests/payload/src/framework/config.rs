//! The configuration of a run: `key=value` lines that the loader has put into non-secure memory. Both images read it.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `mode` | `demo`, `test`, `list` | demo |
//! | `filter` | run only cases whose name contains this | all |
//! | `bl31` | the firmware under test: `janus` or `c` | janus |
//! | `rounds` | makes long cases so many times longer | 1 |
//! | `ffa` | the FF-A version that the hypervisor asks for: `1.0` to `1.3` | 1.2 |
//! | `fuzz` | `on`: run the fuzzing case | off |
//! | `seed` | its seed | 1 |
//! | `seconds` | its duration | none |
//! | `first`, `fuzz-rounds`, `fuzz-calls` | its first round, the number of its rounds, and of its calls | 1, no limit, no limit |
//! | `crash` | `log`: run the case that two cores of an image with a bug crash in | none |
//! | `spmc` | comma-separated oddities of the SPMC, see [`crate::framework::spmc`] | none |

use crate::machine;
use core::ffi::CStr;

/// The largest size of the configuration in bytes.
const SIZE: usize = 0x1000;

/// Returns the text, which is empty if there is no configuration.
fn text() -> &'static str {
    // SAFETY: this memory is mapped, has no other use, and is not written after reset.
    let bytes = unsafe { core::slice::from_raw_parts(machine::HERE.config as *const u8, SIZE) };
    let text = CStr::from_bytes_until_nul(bytes)
        .ok()
        .and_then(|c| c.to_str().ok());
    text.filter(|t| t.is_ascii()).unwrap_or("")
}

/// Returns the value of `key`, or `default`.
pub fn get(key: &str, default: &'static str) -> &'static str {
    text()
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .find(|(k, _)| *k == key)
        .map_or(default, |(_, v)| v)
}

/// Returns how many times longer than usual a long case is to run.
pub fn rounds() -> u64 {
    get("rounds", "1").parse().unwrap_or(1)
}

/// Returns whether the firmware under test is Janus.
pub fn is_janus() -> bool {
    get("bl31", "janus") != "c"
}

/// Returns the FF-A version that the hypervisor asks for, as in w1 of FFA_VERSION.
pub fn ffa_version() -> u32 {
    match get("ffa", "1.2") {
        "1.0" => 0x1_0000,
        "1.1" => 0x1_0001,
        "1.3" => 0x1_0003,
        _ => 0x1_0002,
    }
}

/// Returns whether the SPMC has this oddity.
pub fn spmc_has(oddity: &str) -> bool {
    get("spmc", "").split(',').any(|o| o == oddity)
}

/// Returns whether the SPMC leaves EL1 and FP state to EL3 at S-EL2, too: its manifest has `janus,switch-all`.
pub fn spmc_leaves_all_to_el3() -> bool {
    spmc_has("switch-all") || spmc_has("old")
}
