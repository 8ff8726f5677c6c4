//! An SPMC like Hafnium v2.4 to v2.6, which leave EL1, EL2 and FP state to EL3.
//!
//! It saves and restores nothing. Whenever it calls EL3, the registers hold the values of the partition that
//! ran last. Whenever it is entered, it checks that they still do. So each message of each case, each secure interrupt
//! and each power message is handled with both worlds' registers in use.
//!
//! It registers its secondary entry point in the 64-bit form, and panics on any answer but the 64-bit
//! FFA_SUCCESS. With the oddity `primary-ep` it registers none, as v2.4 does.

use super::spmc::{self, Secure};
use super::text::Text;
use super::{config, control, ffa};
use crate::arch::{cpu, entry, smc};
use crate::cases::poison::{bank, vector_regs};
use crate::println;

/// Runs the SPMC on a core. Entered once per power-on.
pub fn main(core: usize) -> ! {
    let first = spmc::come_up(core);
    if first && !config::spmc_has("primary-ep") {
        let register = ffa::SECONDARY_EP_REGISTER | ffa::SMC64;
        let got = ffa::call(register, &[entry::secondary_entry()]);
        if got.function() != ffa::SUCCESS | ffa::SMC64 {
            println!("Panic: FFA_SECONDARY_EP_REGISTER_64: {got}, should be FFA_SUCCESS_64");
            cpu::halt();
        }
    }
    let mut partition = Partition::start(core);
    let mut answer = spmc::boot_end();
    loop {
        partition.run();
        let message = smc::call(answer);
        let whole = partition.whole();
        // A control message that begins a case clears the failure, and one that ends it reads it: record it before and
        // after.
        let tell = || {
            if let Err(wrong) = &whole {
                let name = ffa::name(message.function());
                println!("spmc: core {core}: when entered by {name}: {wrong}");
                control::record_failure(Text::of(format_args!(
                    "secure world, core {core}: when entered by {name}: {wrong}"
                )));
            }
        };
        tell();
        answer = spmc::dispatch(&Secure::here(), &message);
        tell();
    }
}

/// The number of patterns of FP state that a core's partition uses.
const FP_PATTERNS: u64 = 8;

/// Returns the seed of the values in Q0 to Q31 of a core's partition in a round.
fn fp_seed(core: usize, round: u64) -> u64 {
    0x10_0000 + core as u64 * FP_PATTERNS + round % FP_PATTERNS
}

/// Returns the seeds of all rounds of a core's partition.
pub fn fp_seeds(core: usize) -> impl Iterator<Item = u64> {
    (0..FP_PATTERNS).map(move |round| fp_seed(core, round))
}

/// The partition that ran last on this core.
struct Partition {
    core: usize,
    round: u64,
}

impl Partition {
    /// Makes the partition, before it has run.
    fn start(core: usize) -> Self {
        vector_regs::open(0);
        bank::probe(true);
        Self { core, round: 0 }
    }

    /// Runs the partition, which leaves new values in every register.
    fn run(&mut self) {
        self.round += 1;
        // This comes first, because it sets the vector length.
        bank::fill(self.round, true);
        vector_regs::fill(fp_seed(self.core, self.round));
    }

    /// Checks that all registers are as the partition left them. (FP is 128 bits of each vector.)
    ///
    /// # Errors
    ///
    /// The names of those that are not.
    fn whole(&self) -> Result<(), Text> {
        bank::check(true).and_then(|()| vector_regs::check(fp_seed(self.core, self.round), 16))
    }
}
