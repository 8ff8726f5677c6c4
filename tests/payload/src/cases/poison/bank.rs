//! One core's poisoned registers: probe, fill, check, put back.

use super::registers::{Bank, EL1_CRITICAL, REGISTERS, Register};
use crate::arch::exceptions::attempt;
use crate::arch::{MAX_CORES, cpu};
use crate::framework::{config, text::Text};
use core::cell::UnsafeCell;
use core::fmt::Write;

/// Room for all registers.
const MOST: usize = 192;

/// What this core knows of each register.
struct Known {
    /// Bits that can be written, 0: leave it alone.
    mask: [u64; MOST],
    original: [u64; MOST],
    last: [u64; MOST],
}

struct PerCore(UnsafeCell<[Known; MAX_CORES]>);

// SAFETY: a core uses its own element only, and with interrupts masked.
unsafe impl Sync for PerCore {}

static KNOWN: PerCore = PerCore(UnsafeCell::new(
    [const {
        Known {
            mask: [0; MOST],
            original: [0; MOST],
            last: [0; MOST],
        }
    }; MAX_CORES],
));

fn known() -> &'static mut Known {
    // SAFETY: see `PerCore`; no function of this module calls another while it holds this.
    unsafe { &mut (*KNOWN.0.get())[cpu::number()] }
}

/// All registers with their indices.
fn all() -> impl Iterator<Item = (usize, &'static Register)> {
    REGISTERS.iter().chain(EL1_CRITICAL).enumerate()
}

/// Whether this payload fills registers of `bank`.
fn fills(register: &Register, secure: bool) -> bool {
    let (sel2, all) = (cpu::el() == 2, config::spmc_leaves_all_to_el3());
    match register.bank {
        _ if !secure => true,
        Bank::El2 => sel2,
        Bank::El1 => !sel2 && !EL1_CRITICAL.iter().any(|r| r.name == register.name) || sel2 && all,
        Bank::Normal => false,
        // Those of EL2 are not there at S-EL1; those of EL1 an SPMC at S-EL2 saves itself.
        Bank::Kept => register.name.ends_with("_EL2") || !sel2 || all,
        Bank::Pstate => true,
    }
}

/// A value for register `index` in round `seed`: another on every core, its complement two rounds on.
fn pattern(index: usize, seed: u64, secure: bool) -> u64 {
    let n = (index as u64 + 1) * 64 + cpu::number() as u64 * 2 + u64::from(secure);
    let value = n
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left((seed as u32 / 2 * 13) % 64);
    if seed.is_multiple_of(2) {
        value
    } else {
        !value
    }
}

/// Finds out which registers there are and which bits can be written. How many that is.
pub fn probe(secure: bool) -> usize {
    let known = known();
    let mut count = 0;
    for (i, r) in all() {
        known.mask[i] = 0;
        if !fills(r, secure) {
            continue;
        }
        let mut original = 0;
        if !attempt(|| original = (r.read)()) {
            continue;
        }
        let (mut ones, mut zeros) = (0, 0);
        let there = attempt(|| {
            (r.write)(original | !r.keep);
            ones = (r.read)();
            (r.write)(original & r.keep);
            zeros = (r.read)();
            (r.write)(original);
        });
        if there {
            known.mask[i] = ones & !zeros & !r.keep;
            known.original[i] = original;
            known.last[i] = original;
            count += usize::from(known.mask[i] != 0);
        }
    }
    // What was not there raised exceptions here, which ESR, ELR and the like tell of.
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        known.original[i] = (r.read)();
        known.last[i] = known.original[i];
    }
    count
}

/// Fills them with the patterns of round `seed`.
pub fn fill(seed: u64, secure: bool) {
    let known = known();
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        (r.write)(known.original[i] & !known.mask[i] | pattern(i, seed, secure) & known.mask[i]);
    }
    // Some depend on others, and some bits only take certain values: what is there now counts.
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        known.last[i] = (r.read)() & !r.keep;
    }
}

/// Names the registers that are not as this world left them, the first with its values.
pub fn check(secure: bool) -> Result<(), Text> {
    let known = known();
    let mut wrong = Text::new();
    let mine = |r: &Register| !secure || r.bank != Bank::Kept;
    for (i, r) in all().filter(|(i, r)| known.mask[*i] != 0 && mine(r)) {
        let (now, was) = ((r.read)() & !r.keep, known.last[i] & !r.keep);
        if now != was {
            // Writing to a `Text` never fails.
            let _ = if wrong.is_empty() {
                write!(wrong, "{} is {now:#x}, was {was:#x}", r.name)
            } else {
                write!(wrong, ", also {}", r.name)
            };
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The name of a register that holds what [`fill`] puts there, in any round, of this core's normal or secure
/// world. After [`probe`]. Registers of which little can be written are not looked at, nor, for the
/// normal world's values, its timers and breakpoints: it may find them again when its core was off.
pub fn shows(secure: bool) -> Option<&'static str> {
    const ROUNDS: u64 = 128; // then the patterns come again
    let known = known();
    let mut candidates = all()
        .filter(|(i, _)| known.mask[*i].count_ones() >= 32)
        .filter(|(_, r)| secure || matches!(r.bank, Bank::El1 | Bank::El2));
    candidates.find_map(|(i, r)| {
        let (now, mask) = ((r.read)(), known.mask[i]);
        (0..ROUNDS)
            .any(|seed| (now ^ pattern(i, seed, secure)) & mask == 0)
            .then_some(r.name)
    })
}

/// Puts back what was there before.
pub fn restore() {
    let known = known();
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        (r.write)(known.original[i]);
        known.last[i] = known.original[i];
    }
}
