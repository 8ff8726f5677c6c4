//! A power-down on a machine that has none: waits for an interrupt, and destroys what a core would have lost.
//!
//! For tests of what EL3 saves and restores. All state that a world or EL3 could miss is overwritten: general
//! registers on the way here and back, the system registers of all exception levels that both worlds use,
//! vector registers, the GIC's CPU interface, the redistributor, and with the whole system the distributor.
//! Timers go on, as if they had power of their own: one of them is what wakes.
//!
//! A core that is off waits for [`power_on`]. What a power controller would know is a word per core in the half
//! of BL1's page that its hold pen leaves free, and SGI 15 stands for the power.

use crate::{Composite, NoPower, wait_for_interrupt};
use janus_drivers::gic::Config;
#[cfg(target_os = "none")]
use janus_drivers::{gic::Gic, gic_cpu};

/// The pattern for registers that take any value.
const PATTERN: u64 = 0xdead_5ca1_ab1e_f00d;

/// The words of the power controller: one in 64 bytes, for up to 16 cores.
const SWITCHES: usize = 0x0e00_0800;

/// The address of the word of core `index`.
fn word(index: usize) -> usize {
    SWITCHES | (index & 0xf) << 6
}

/// The core has power.
const ON: u32 = 0;
/// The core is on its way to [`OFF`].
const GOING_OFF: u32 = 1;
/// The core is off.
const OFF: u32 = 2;
/// The core gets power.
const COMING: u32 = 3;

/// The SGI that wakes a core that is off.
#[cfg(target_os = "none")]
const WAKE: u32 = 15;

/// The word of core `index`, past the caches.
fn switch(index: usize) -> u32 {
    clean(index);
    #[cfg(target_os = "none")]
    return read(word(index));
    #[cfg(not(target_os = "none"))]
    return OFF;
}

/// Sets the word of core `index`, past the caches.
fn set_switch(index: usize, value: u32) {
    #[cfg(target_os = "none")]
    write(word(index), value);
    let _ = value;
    clean(index);
}

/// Cleans and invalidates the word of core `index`.
fn clean(index: usize) {
    #[cfg(target_os = "none")]
    // SAFETY: cache maintenance of memory that only this module uses.
    unsafe {
        core::arch::asm!("dsb sy", "dc civac, {}", "dsb sy", in(reg) word(index), options(nostack));
    }
    let _ = word(index);
}

/// Notes that core `index` is about to turn off.
pub fn going_off(index: usize) {
    set_switch(index, GOING_OFF);
}

/// Gives core `index`, with this affinity, its power.
///
/// # Errors
///
/// The core does not turn off in time.
pub fn power_on(index: usize, affinity: u64) -> Result<(), NoPower> {
    for _ in 0..100_000_000 {
        if switch(index) == OFF {
            set_switch(index, COMING);
            #[cfg(target_os = "none")]
            gic_cpu::send_group0_sgi(WAKE, affinity);
            let _ = affinity;
            return Ok(());
        }
        core::hint::spin_loop();
    }
    Err(NoPower("it has not turned off"))
}

/// Waits until core `index`, which calls this, gets power again.
fn stay_off(gic: &'static Config, index: usize) {
    #[cfg(target_os = "none")]
    {
        // SAFETY: the platform's addresses; this core alone uses its redistributor.
        let gic = unsafe { Gic::new(gic) };
        if let Some(mut redistributor) = gic.redistributor(mpidr()) {
            let _ = redistributor.listen(WAKE);
        }
        gic_cpu::listen();
        set_switch(index, OFF);
        while switch(index) != COMING {
            wait_for_interrupt();
            end_wake_up();
        }
    }
    let _ = (gic, COMING);
    set_switch(index, ON);
}

/// Destroys what the states `target` lose of core `index`, when an interrupt is there for it; or, where it is off
/// (no states, or [`going_off`] came before), when it gets power again.
pub fn power_down(gic: &'static Config, index: usize, target: &Composite) {
    if switch(index) == GOING_OFF || target.levels == [0; 3] {
        stay_off(gic, index);
        #[cfg(target_os = "none")]
        {
            scrub_redistributor(gic);
            scrub_core();
        }
        return;
    }
    #[cfg(target_os = "none")]
    {
        // What wakes is the power controller's to see; here the CPU interface must show it.
        open_cpu_interface();
        while read_isr() == 0 {
            wait_for_interrupt();
        }
        scrub_redistributor(gic);
        if target.levels[2] > 0 {
            scrub_distributor(gic);
        }
        scrub_core();
    }
    let _ = (gic, target, PATTERN, wait_for_interrupt as fn());
}

#[cfg(target_os = "none")]
fn read_isr() -> u64 {
    let isr: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mrs {}, isr_el1", out(reg) isr, options(nomem, nostack)) };
    isr
}

#[cfg(target_os = "none")]
fn mpidr() -> u64 {
    let mpidr: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mrs {}, mpidr_el1", out(reg) mpidr, options(nomem, nostack)) };
    mpidr
}

#[cfg(target_os = "none")]
fn open_cpu_interface() {
    // SAFETY: ICC_IGRPEN0_EL1, ICC_IGRPEN1_EL3, ICC_PMR_EL1: interrupts are masked, and the core starts
    // anew afterwards.
    unsafe {
        core::arch::asm!(
            "msr S3_0_C12_C12_6, {one}",
            "msr S3_6_C12_C12_7, {three}",
            "msr S3_0_C4_C6_0, {open}",
            "isb",
            one = in(reg) 1_u64,
            three = in(reg) 3_u64,
            open = in(reg) 0xff_u64,
            options(nostack),
        );
    }
}

/// Writes `value` to the 32-bit device register at `address`.
#[cfg(target_os = "none")]
fn write(address: usize, value: u32) {
    // SAFETY: called with registers of this machine's GIC alone; only this core uses them now.
    unsafe { core::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value) }
}

#[cfg(target_os = "none")]
fn read(address: usize) -> u32 {
    // SAFETY: as in `write`.
    unsafe { core::ptr::with_exposed_provenance::<u32>(address).read_volatile() }
}

/// Acknowledges the interrupt that ended the WFI (ICC_IAR0_EL1) and ends it (ICC_EOIR0_EL1). If there was none, the
/// GIC ignores the second write.
#[cfg(target_os = "none")]
fn end_wake_up() {
    // SAFETY: only the wake-up is signalled, and it means nothing but that.
    unsafe {
        core::arch::asm!(
            "mrs {id}, S3_0_C12_C8_0",
            "msr S3_0_C12_C8_1, {id}",
            "isb",
            id = out(reg) _,
            options(nostack),
        );
    }
}

/// Fills groups, priorities, enables and triggers of the SGIs and PPIs of this core, or of 32 SPIs.
#[cfg(target_os = "none")]
fn scrub_interrupts(base: usize, block: usize) {
    write(base + 0x180 + block * 4, !0); // ICENABLER
    write(base + 0x080 + block * 4, 0); // IGROUPR
    write(base + 0xd00 + block * 4, 0); // IGRPMODR
    for word in 0..8 {
        write(base + 0x400 + block * 32 + word * 4, 0x5050_5050); // IPRIORITYR
    }
}

#[cfg(target_os = "none")]
fn scrub_redistributor(gic: &Config) {
    let affinity = (mpidr() & 0xff_ffff) as u32;
    for &region in gic.gicr {
        let mut frame = region;
        loop {
            let low = read(frame + 8);
            if read(frame + 12) == affinity {
                scrub_interrupts(frame + 0x1_0000, 0);
                return;
            }
            if low & 1 << 4 != 0 {
                break;
            }
            frame += 0x2_0000 << (low >> 1 & 1);
        }
    }
}

#[cfg(target_os = "none")]
fn scrub_distributor(gic: &Config) {
    let blocks = (read(gic.gicd + 4) & 0x1f) as usize + 1;
    for block in 1..blocks {
        scrub_interrupts(gic.gicd, block);
    }
}

/// Fills the core's own registers.
#[cfg(target_os = "none")]
fn scrub_core() {
    /// Writes the pattern, masked, to system registers.
    macro_rules! fill {
        ($($register:literal)+) => {
            // SAFETY: registers of lower ELs, which no code at EL3 depends on, and the core starts anew.
            unsafe {
                core::arch::asm!(
                    $(concat!("msr ", $register, ", {0}"),)+
                    in(reg) PATTERN,
                    options(nostack),
                );
            }
        };
    }
    fill! {
        "ttbr0_el1" "ttbr1_el1" "tcr_el1" "mair_el1" "contextidr_el1" "vbar_el1" "tpidr_el1" "tpidr_el0"
        "tpidrro_el0" "sp_el1" "elr_el1" "esr_el1" "far_el1" "afsr0_el1" "cpacr_el1"
    }
    // SAFETY: as above; Q registers, and what only EL3 uses, which its warm entry sets up.
    unsafe {
        core::arch::asm!(
            "msr cptr_el3, xzr",
            "msr S3_0_C12_C12_6, xzr", // ICC_IGRPEN0_EL1
            "msr S3_6_C12_C12_7, xzr", // ICC_IGRPEN1_EL3
            "msr S3_0_C4_C6_0, xzr",   // ICC_PMR_EL1
            "msr mdcr_el3, xzr",
            "msr tpidr_el3, {0}",
            "msr elr_el3, {0}",
            "mov x16, {1}",
            "msr scr_el3, x16",
            "isb",
            in(reg) PATTERN,
            in(reg) 1_u64 << 18 | 1 << 10 | 0x30, // EEL2, RW
            out("x16") _,
            options(nostack),
        );
    }
    // SCR_EL3.NS is clear: the secure world's own of the GIC's CPU interface. ICC_IGRPEN1_EL1, ICC_BPR1_EL1,
    // ICC_CTLR_EL1.
    // SAFETY: as above.
    unsafe {
        core::arch::asm!(
            "msr S3_0_C12_C12_7, xzr",
            "msr S3_0_C12_C12_3, {0}",
            "msr S3_0_C12_C12_4, xzr",
            in(reg) 7_u64,
            options(nostack),
        );
    }
    // CPTR_EL3 traps nothing any more.
    scrub_vectors();
    if has_el2() {
        fill! {
            "ttbr0_el2" "tcr_el2" "mair_el2" "vbar_el2" "tpidr_el2" "sp_el2" "elr_el2" "esr_el2" "far_el2"
            "hpfar_el2" "vttbr_el2" "vtcr_el2" "vpidr_el2" "vmpidr_el2" "hstr_el2" "cntvoff_el2"
        }
    }
    if has_sel2() {
        // VSTTBR_EL2, VSTCR_EL2, and the timers of S-EL2.
        fill! { "S3_4_C2_C6_0" "S3_4_C2_C6_2" "S3_4_C14_C5_2" "S3_4_C14_C4_2" }
    }
    fill! { "S3_7_C14_C2_2" } // CNTPS_CVAL_EL1
}

#[cfg(target_os = "none")]
fn pfr0() -> u64 {
    let pfr0: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mrs {}, id_aa64pfr0_el1", out(reg) pfr0, options(nomem, nostack)) };
    pfr0
}

#[cfg(target_os = "none")]
fn has_el2() -> bool {
    pfr0() >> 8 & 0xf != 0
}

#[cfg(target_os = "none")]
fn has_sel2() -> bool {
    pfr0() >> 36 & 0xf != 0
}

/// Fills Q0 to Q31 and FPSR. In the one section of the image where that is allowed.
#[cfg(target_os = "none")]
#[inline(never)]
#[unsafe(link_section = ".text.simd")]
fn scrub_vectors() {
    // SAFETY: EL3 uses none of these.
    unsafe {
        core::arch::asm!(
            "isb",
            ".arch_extension fp",
            ".arch_extension simd",
            "msr fpcr, xzr",
            "msr fpsr, {0}",
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "dup v\\n\\().2d, {0}",
            ".endr",
            ".arch_extension nosimd",
            ".arch_extension nofp",
            in(reg) PATTERN,
            options(nostack),
        );
    }
}
