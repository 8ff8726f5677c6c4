//! The core that runs the code: its registers and instructions that EL3 needs. The worlds' registers are in
//! [`janus_context`].

use aarch64_cpu::registers::{
    CNTFRQ_EL0, CNTPCT_EL0, ELR_EL3, ID_AA64PFR0_EL1, Readable, SPSR_EL3, Writeable,
};
use janus_drivers::{gic_cpu, wait};
use janus_plat::{Plat, Platform};

/// ID_AA64PFR0_EL1.EL2, bits 11:8.
const PFR0_EL2: u64 = 0xf << 8;

/// Returns ELR_EL3 and SPSR_EL3: where the last exception came from.
#[inline(always)]
pub fn return_state() -> (u64, u64) {
    (ELR_EL3.get(), SPSR_EL3.get())
}

/// Sets ELR_EL3 and SPSR_EL3: where the next ERET goes.
///
/// # Safety
///
/// The values were left by an exception from a lower EL, or [`janus_context::spsr`] has made or checked them.
#[inline(always)]
pub unsafe fn set_return_state(elr: u64, spsr: u64) {
    ELR_EL3.set(elr);
    SPSR_EL3.set(spsr);
}

/// Returns whether the CPU has EL2.
pub fn has_el2() -> bool {
    ID_AA64PFR0_EL1.get() & PFR0_EL2 != 0
}

/// Returns the system counter.
pub fn counter() -> u64 {
    CNTPCT_EL0.get()
}

/// Returns the system counter's frequency in Hz.
pub fn counter_frequency() -> u64 {
    CNTFRQ_EL0.get()
}

/// Returns the system counter's ticks in so many milliseconds.
pub fn ticks(milliseconds: u32) -> u64 {
    u64::from(milliseconds).saturating_mul(counter_frequency()) / 1000
}

/// Sets CNTFRQ_EL0 on this core, if the platform says that reset does not set it.
pub fn set_counter_frequency() {
    if let Some(frequency) = Plat::counter_frequency() {
        // SAFETY: the register only informs software, and no code at EL3 depends on it.
        unsafe {
            core::arch::asm!("msr cntfrq_el0, {}", in(reg) frequency,
                options(nomem, nostack, preserves_flags));
        }
    }
}

/// Returns whether an interrupt or SError is pending for this core, even if the priority mask or PSTATE masks it.
pub fn interrupt_pending() -> bool {
    gic_cpu::unmasked(is_signalled)
}

/// Returns whether an interrupt or SError is signalled to this core (ISR_EL1), even if PSTATE masks it.
fn is_signalled() -> bool {
    let isr: u64;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mrs {}, isr_el1", out(reg) isr, options(nomem, nostack, preserves_flags));
    }
    isr != 0
}

/// Sleeps until an interrupt is signalled to this core, as in a WFI of the world whose registers are in the CPU: its
/// timers wake the core, and its priority mask applies. The interrupt stays pending.
pub fn wait_for_interrupt() {
    while !is_signalled() {
        wait::until_interrupt();
    }
}

/// Sleeps until an interrupt is pending for this core, as in a power-down state: neither the priority mask nor an
/// active interrupt of the secure world keeps an interrupt from waking it.
pub fn wait_for_wake_up() {
    gic_cpu::without_secure_priorities(|| gic_cpu::unmasked(wait_for_interrupt));
}

/// Stops this core for good.
pub fn stop() -> ! {
    wait::for_ever()
}

/// Returns 64 bits of RNDRRS, whose generator is reseeded before; None if it has no entropy at present. The CPU must
/// have FEAT_RNG.
pub fn random() -> Option<u64> {
    let (value, valid): (u64, u64);
    // SAFETY: reads a register that exists, as the caller knows. Z is set if the read failed.
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

/// Returns `it`. The compiler does not know that the reference is the same, and computes addresses of fields again.
/// Else it would keep them on the stack while a world runs, and to load one costs more than an addition.
#[inline(always)]
pub fn anew<T>(it: &mut T) -> &mut T {
    let mut at = core::ptr::from_mut(it);
    // SAFETY: the assembly is a comment.
    unsafe { core::arch::asm!("/* {} */", inout(reg) at, options(nostack, preserves_flags)) };
    // SAFETY: the same reference, which the caller has given up.
    unsafe { &mut *at }
}

/// Writes two words, `AT` bytes into `it`, in one instruction, with the effect of two relaxed stores.
///
/// # Safety
///
/// Two [`AtomicU32`](core::sync::atomic::AtomicU32) are there.
#[inline(always)]
pub unsafe fn store_pair<T, const AT: usize>(it: &T, first: u64, second: u64) {
    // SAFETY: as the caller promises, both are atomics. Rust has no operation for a pair of atomic stores.
    unsafe {
        core::arch::asm!("stp {:w}, {:w}, [{}, #{}]", in(reg) first, in(reg) second, in(reg) it, const AT,
            options(nostack, preserves_flags));
    }
}
