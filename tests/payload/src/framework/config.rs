//! The run's configuration: `key=value` lines that the loader put into
//! non-secure memory. Both images read it.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `mode` | `demo`, `test`, `list` | demo |
//! | `filter` | only cases whose name contains this | all |
//! | `bl31` | `janus` or `c`: what the firmware under test is | janus |
//! | `rounds` | scales long cases | 1 |
//! | `ffa` | FF-A version the hypervisor asks for: `1.0` to `1.3` | 1.2 |
//! | `fuzz`, `seed`, `seconds`, `first`, `fuzz-rounds` | `on`: random calls, from what seed, how long, first round, how many | none |
//! | `spmc` | comma-separated oddities of the SPMC, see [`crate::framework::spmc`] | none |

use crate::machine;
use core::ffi::CStr;

/// Most bytes of it.
const SIZE: usize = 0x1000;

/// The text, or nothing if there is none.
fn text() -> &'static str {
    // SAFETY: this memory is mapped, nobody else's, and not written after reset.
    let bytes = unsafe { core::slice::from_raw_parts(machine::HERE.config as *const u8, SIZE) };
    let text = CStr::from_bytes_until_nul(bytes)
        .ok()
        .and_then(|c| c.to_str().ok());
    text.filter(|t| t.is_ascii()).unwrap_or("")
}

/// The value of `key`, or `default`.
pub fn get(key: &str, default: &'static str) -> &'static str {
    text()
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .find(|(k, _)| *k == key)
        .map_or(default, |(_, v)| v)
}

/// `rounds`: how much longer than usual a long case should be.
pub fn rounds() -> u64 {
    get("rounds", "1").parse().unwrap_or(1)
}

/// Whether the firmware under test is Janus.
pub fn is_janus() -> bool {
    get("bl31", "janus") != "c"
}

/// The FF-A version the hypervisor asks for, as in FFA_VERSION's w1.
pub fn ffa_version() -> u32 {
    match get("ffa", "1.2") {
        "1.0" => 0x1_0000,
        "1.1" => 0x1_0001,
        "1.3" => 0x1_0003,
        _ => 0x1_0002,
    }
}

/// Whether the comma-separated list of the SPMC's oddities has this one.
pub fn spmc_has(oddity: &str) -> bool {
    get("spmc", "").split(',').any(|o| o == oddity)
}

/// Whether the SPMC leaves EL1 and FP state to EL3 also at S-EL2: its manifest has `janus,switch-all`.
pub fn spmc_leaves_all_to_el3() -> bool {
    spmc_has("switch-all") || spmc_has("old")
}
