//! Fuzzing: random calls on all cores at once, with an SPMC that answers at random. Nothing may hang or crash, and no
//! state of another world or core may change.
//!
//! A run has rounds. In a round each core makes its calls. Then every core is checked: PSCI answers, and the system
//! registers that were filled before are unchanged. (Every call checks that x18 to x30 come back unchanged.)
//! Between rounds cores are turned off and on, and suspended. What a core does in a round depends only on the seed, the
//! round and the core's number.

mod normal;
mod random;
mod secure;

pub use secure::came_on;

use crate::framework::case::Case;
use crate::framework::config;
use crate::framework::text::Text;
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[Case::new("fuzz/random", normal::run)
    .secure(secure::answer)
    .in_boot("fuzz", "on")];

/// The number of the round that runs, from 1 on; 0 if none runs.
static ROUND: AtomicU64 = AtomicU64::new(0);

/// Returns the seed of the run.
fn seed() -> u64 {
    config::get("seed", "1").parse().unwrap_or(1)
}

/// Returns the seed and round, for a message about a failure. Empty if no round runs.
pub fn place() -> Text {
    match ROUND.load(SeqCst) {
        0 => Text::new(),
        round => Text::of(format_args!("seed {}, round {round}: ", seed())),
    }
}
