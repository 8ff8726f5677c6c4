//! Random calls on all cores at once, beside an SPMC that answers at random: nothing may hang, crash, or change
//! what is another's.
//!
//! A run is rounds. In a round each core makes its calls; then every core is looked at: PSCI answers, and the system
//! registers that were filled before are whole. (That x18 to x30 come back unchanged is checked at every call.)
//! Between rounds cores are turned off and on, and suspended. What a core does in a round follows from the seed, the
//! round and the core's number alone.

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

/// The round that runs, from 1 on; 0: none.
static ROUND: AtomicU64 = AtomicU64::new(0);

/// The seed that all follows from.
fn seed() -> u64 {
    config::get("seed", "1").parse().unwrap_or(1)
}

/// Where it happened, for a message about a failure; empty when nothing is fuzzed.
pub fn place() -> Text {
    match ROUND.load(SeqCst) {
        0 => Text::new(),
        round => Text::of(format_args!("seed {}, round {round}: ", seed())),
    }
}
