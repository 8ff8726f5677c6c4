//! WFI: the one place where a core sleeps at EL3.

#[cfg(target_os = "none")]
use core::arch::global_asm;

// A pending interrupt ends a WFI where SCR_EL3 routes it to EL3. One that is for a lower EL is masked at
// EL3, and there are cores that slept on. So IRQ and FIQ are routed here for as long as the core sleeps;
// PSTATE masks them, so they are not taken. With NS set the GIC signals the non-secure group as it does
// while the normal world runs. Called with the MMU on and off: no stack, no memory. Clobbers x0, x1.
#[cfg(target_os = "none")]
global_asm!(
    ".section .text.sleep_until_interrupt, \"ax\"",
    ".global sleep_until_interrupt",
    ".type sleep_until_interrupt, %function",
    "sleep_until_interrupt:",
    "mrs     x0, scr_el3",
    "orr     x1, x0, #{routing}",
    "msr     scr_el3, x1",
    "isb",
    "dsb     sy",
    "wfi",
    // No ISB: the next context synchronization event, at the latest an ERET, makes this write take effect.
    "msr     scr_el3, x0",
    "ret",
    // Nothing behind it may be executed speculatively.
    "dsb     nsh",
    "isb",
    ".size sleep_until_interrupt, . - sleep_until_interrupt",
    routing = const SCR_NS | SCR_IRQ | SCR_FIQ,
);

#[cfg(target_os = "none")]
const SCR_NS: u64 = 1 << 0;
#[cfg(target_os = "none")]
const SCR_IRQ: u64 = 1 << 1;
#[cfg(target_os = "none")]
const SCR_FIQ: u64 = 1 << 2;

#[cfg(target_os = "none")]
unsafe extern "C" {
    fn sleep_until_interrupt();
}

/// Sleeps until an interrupt is signalled to this core, or for less.
pub fn until_interrupt() {
    #[cfg(target_os = "none")]
    // SAFETY: SCR_EL3 is as before when it returns, and in between no lower EL runs.
    unsafe {
        sleep_until_interrupt();
    }
}

/// Sleeps for good.
pub fn for_ever() -> ! {
    loop {
        until_interrupt();
    }
}
