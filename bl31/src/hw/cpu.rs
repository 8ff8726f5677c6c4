//! The core that runs this: what EL3 reads of it and has it do, but for the worlds' registers, which
//! are [`crate::context`]'s.

use aarch64_cpu::registers::{
    CNTFRQ_EL0, CNTPCT_EL0, ELR_EL3, ESR_EL3, ID_AA64PFR0_EL1, Readable, SPSR_EL3, Writeable,
};
use core::sync::atomic::AtomicU32;
use janus_drivers::{gic_cpu, wait};
use janus_plat::{Plat, Platform};

/// ID_AA64PFR0_EL1.EL2, bits 11:8.
const PFR0_EL2: u64 = 0xf << 8;

/// ESR_EL3: why the last exception was taken.
#[inline(always)]
pub fn syndrome() -> u64 {
    ESR_EL3.get()
}

/// ELR_EL3 and SPSR_EL3: where the last exception came from.
#[inline(always)]
pub fn return_state() -> (u64, u64) {
    (ELR_EL3.get(), SPSR_EL3.get())
}

/// Sets ELR_EL3 and SPSR_EL3: where the next ERET goes.
///
/// # Safety
///
/// They are what an exception from a lower EL left, or [`crate::spsr`] says that they lead to one.
#[inline(always)]
pub unsafe fn set_return_state(elr: u64, spsr: u64) {
    ELR_EL3.set(elr);
    SPSR_EL3.set(spsr);
}

/// Whether there is an EL2, in either world.
pub fn has_el2() -> bool {
    ID_AA64PFR0_EL1.get() & PFR0_EL2 != 0
}

/// The system counter.
pub fn counter() -> u64 {
    CNTPCT_EL0.get()
}

/// The system counter's frequency, in Hz.
pub fn counter_frequency() -> u64 {
    CNTFRQ_EL0.get()
}

/// Tells this core the system counter's frequency, where its reset does not.
pub fn set_counter_frequency() {
    if let Some(frequency) = Plat::counter_frequency() {
        // SAFETY: a register that only tells software; no code at EL3 depends on it.
        unsafe {
            core::arch::asm!("msr cntfrq_el0, {}", in(reg) frequency,
                options(nomem, nostack, preserves_flags));
        }
    }
}

/// Whether an interrupt or SError waits for this core, whatever masks it.
pub fn interrupt_pending() -> bool {
    gic_cpu::unmasked(is_signalled)
}

/// Whether an interrupt or SError is signalled to this core (ISR_EL1), whether masked in PSTATE or not.
fn is_signalled() -> bool {
    let isr: u64;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mrs {}, isr_el1", out(reg) isr, options(nomem, nostack, preserves_flags));
    }
    isr != 0
}

/// Sleeps until an interrupt waits for this core, as in a WFI of the world whose registers are in the CPU: it is
/// its timers that wake, and its priority mask that holds. What waits stays pending.
pub fn wait_for_interrupt() {
    while !is_signalled() {
        wait::until_interrupt();
    }
}

/// Sleeps until an interrupt waits for this core, as in a power-down state: neither a mask nor an interrupt that
/// the secure world is in keeps the one away that is to wake it.
pub fn wait_for_wake_up() {
    gic_cpu::without_secure_priorities(|| gic_cpu::unmasked(wait_for_interrupt));
}

/// Stops this core for good.
pub fn stop() -> ! {
    wait::for_ever()
}

/// 64 bits of RNDRRS, whose generator is reseeded before; None if it has none just now. Only where the
/// CPU has FEAT_RNG.
pub fn random() -> Option<u64> {
    let (value, valid): (u64, u64);
    // SAFETY: reads a register that the caller knows to exist, and whether the read worked: Z is set if
    // not.
    unsafe {
        core::arch::asm!(
            "mrs {value}, S3_3_C2_C4_1",
            "cset {valid}, ne",
            value = out(reg) value,
            valid = out(reg) valid,
            options(nomem, nostack),
        );
    }
    (valid != 0).then_some(value)
}

/// Writes two words as two relaxed stores would, in one instruction.
#[inline(always)]
pub fn store_pair(words: &[AtomicU32; 2], first: u64, second: u64) {
    // SAFETY: writes what the reference may write; Rust has no name for a pair of atomic stores.
    unsafe {
        core::arch::asm!("stp {:w}, {:w}, [{}]", in(reg) first, in(reg) second, in(reg) words,
            options(nostack, preserves_flags));
    }
}
