//! What the fuzzing targets (`src/bin/`) have in common. `cargo xtask fuzz --target all` builds and runs them.

use janus_bl31::boot_params::Memory;

/// Where [`Bytes`] begin.
pub const BASE: u64 = 0x0e05_b000;

/// Memory that holds the fuzzer's bytes, from [`BASE`] on.
pub struct Bytes<'a>(pub &'a [u8]);

impl Memory for Bytes<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        let offset = usize::try_from(address.checked_sub(BASE)?).ok()?;
        let word = self.0.get(offset..)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    }
}
