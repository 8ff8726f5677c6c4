//! Fuzzes the dispatcher: three bytes choose the system, and each further eight bytes are the next event on a core.
//! spmd/tests/invariants.rs says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../../spmd/tests/invariants.rs"]
#[allow(dead_code, unused_imports, reason = "the tests' own parts")]
mod invariants;

fuzz_target!(|bytes: &[u8]| {
    if let Some((system, events)) = bytes.split_first_chunk() {
        invariants::happens(*system, events.as_chunks().0);
    }
});
