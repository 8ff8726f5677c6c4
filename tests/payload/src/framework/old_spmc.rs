//! An SPMC as Hafnium v2.4 to v2.6 are: it leaves EL1, EL2 and FP state to EL3.
//!
//! It saves nothing and restores nothing. Whenever it calls EL3, the registers hold what the partition that
//! ran last has left in them, and whenever it is entered, they must hold that still: it looks each time. So
//! every message of every case, every secure interrupt and every power message goes through with both worlds'
//! registers in use.
//!
//! It registers its secondary entry point by the 64-bit form, and panics on any answer but the 64-bit
//! FFA_SUCCESS. With the oddity `primary-ep` it registers none, as v2.4.

use super::spmc::{self, Secure};
use super::text::Text;
use super::{config, control, ffa};
use crate::arch::{cpu, entry, smc};
use crate::cases::poison::{bank, vector_regs};
use crate::println;

/// Entered on each core once per power-on.
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
        // The message that begins or ends a case may carry it: before and after.
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

/// How many patterns of FP state a core's partition has.
const FP_PATTERNS: u64 = 8;

/// The seed of what a core's partition fills Q0 to Q31 with in a round.
fn fp_seed(core: usize, round: u64) -> u64 {
    0x10_0000 + core as u64 * FP_PATTERNS + round % FP_PATTERNS
}

/// All of them.
pub fn fp_seeds(core: usize) -> impl Iterator<Item = u64> {
    (0..FP_PATTERNS).map(move |round| fp_seed(core, round))
}

/// The partition that ran last on this core.
struct Partition {
    core: usize,
    round: u64,
}

impl Partition {
    /// Nothing of it is in the registers yet.
    fn start(core: usize) -> Self {
        vector_regs::open(0);
        bank::probe(true);
        Self { core, round: 0 }
    }

    /// It runs, and leaves other values than before in every register.
    fn run(&mut self) {
        self.round += 1;
        // Sets the vectors' length.
        bank::fill(self.round, true);
        vector_regs::fill(fp_seed(self.core, self.round));
    }

    /// Names what is not as it left it. (FP is 128 bits of each vector.)
    fn whole(&self) -> Result<(), Text> {
        bank::check(true).and_then(|()| vector_regs::check(fp_seed(self.core, self.round), 16))
    }
}
