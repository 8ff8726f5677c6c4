//! The poisoned system registers of a core: probe, fill, check, restore.

use super::registers::{Bank, EL1_CRITICAL, REGISTERS, Register};
use crate::arch::exceptions::attempt;
use crate::arch::{MAX_CORES, cpu};
use crate::framework::{config, text::Text};
use core::cell::UnsafeCell;
use core::fmt::Write;

/// The largest number of registers.
const MOST: usize = 192;

/// What is known of each register on a core.
struct Known {
    /// The bits that can be written; 0 if the register is left alone.
    mask: [u64; MOST],
    original: [u64; MOST],
    last: [u64; MOST],
}

struct PerCore(UnsafeCell<[Known; MAX_CORES]>);

// SAFETY: each core uses only its own element, with interrupts masked.
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
    // SAFETY: this is the core's own element, and no function of this module calls another while it holds this.
    unsafe { &mut (*KNOWN.0.get())[cpu::number()] }
}

/// Returns all registers with their indices.
fn all() -> impl Iterator<Item = (usize, &'static Register)> {
    REGISTERS.iter().chain(EL1_CRITICAL).enumerate()
}

/// Returns whether this payload fills `register`.
fn fills(register: &Register, secure: bool) -> bool {
    let (sel2, all) = (cpu::el() == 2, config::spmc_leaves_all_to_el3());
    match register.bank {
        _ if !secure => true,
        Bank::El2 => sel2,
        Bank::El1 => !sel2 && !EL1_CRITICAL.iter().any(|r| r.name == register.name) || sel2 && all,
        Bank::Normal => false,
        // At S-EL1, registers of EL2 do not exist. An SPMC at S-EL2 saves those of EL1 itself.
        Bank::Kept => register.name.ends_with("_EL2") || !sel2 || all,
        Bank::Pstate => true,
    }
}

/// Returns the value of register `index` in round `seed`. It differs on every core. Two rounds later it is the
/// complement.
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

/// Finds out which registers exist and which of their bits can be written. Returns the number of registers.
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
    // Missing registers caused exceptions above, which changed ESR, ELR and others: read the original values now.
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        known.original[i] = (r.read)();
        known.last[i] = known.original[i];
    }
    count
}

/// Fills the registers with the patterns of round `seed`.
pub fn fill(seed: u64, secure: bool) {
    let known = known();
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        (r.write)(known.original[i] & !known.mask[i] | pattern(i, seed, secure) & known.mask[i]);
    }
    // Some registers depend on others, and some bits take only certain values: the values that are there now count.
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        known.last[i] = (r.read)() & !r.keep;
    }
}

/// Checks that the registers are as this world left them.
///
/// # Errors
///
/// The names of those that are not, the first with its values.
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

/// Returns the name of a register that holds a value that [`fill`] puts there in any round, in this core's secure or
/// normal world. Call it after [`probe`]. Registers with few writable bits are left out, and for the normal world's
/// values its timers and breakpoints, too: it may find these again after its core was off.
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

/// Restores the original values.
pub fn restore() {
    let known = known();
    for (i, r) in all().filter(|(i, _)| known.mask[*i] != 0) {
        (r.write)(known.original[i]);
        known.last[i] = known.original[i];
    }
}
