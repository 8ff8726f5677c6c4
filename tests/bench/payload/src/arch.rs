//! What both images need of the machine: entry, SMC, the GIC's addresses.
//!
//! Both run with the MMU off, one stack per core. The registers of a call
//! are an array `x0` to `x17` that the SMC reads and replaces.

use crate::machine::{AFFINITY_SHIFT, GICR};
use core::arch::{asm, global_asm};

unsafe extern "C" {
    fn _start();
}

/// Where this image is entered, on every core.
pub fn entry() -> u64 {
    _start as *const () as u64
}

/// x0 to x17 of a call.
pub type Regs = [u64; 18];

/// Cores that the images have stacks for.
pub const MAX_CORES: usize = 16;
const STACK: usize = 4096;

#[repr(C, align(64))]
struct Stacks(core::cell::UnsafeCell<[[u8; STACK]; MAX_CORES]>);
// SAFETY: a core uses no stack but its own.
unsafe impl Sync for Stacks {}
static STACKS: Stacks = Stacks(core::cell::UnsafeCell::new([[0; STACK]; MAX_CORES]));

// The first instruction of both images, on every core: a stack, then `main(core)`. The marks end
// the rows of CPU_ON and of power-down suspends: see normal.rs; anywhere else they mean nothing.
global_asm!(
    ".section .text.entry, \"ax\"",
    ".global _start",
    "_start:",
    "movz xzr, #22, lsl #16",
    "movz xzr, #26, lsl #16",
    "movz xzr, #27, lsl #16",
    "mrs x0, mpidr_el1",
    "ubfx x0, x0, #{shift}, #8",
    "adrp x1, {stacks}",
    "add x1, x1, :lo12:{stacks}",
    "add x2, x0, #1",
    "mov x3, {size}",
    "madd x1, x2, x3, x1",
    "mov sp, x1",
    "b main",
    stacks = sym STACKS,
    size = const STACK,
    shift = const AFFINITY_SHIFT,
);

/// Makes the call in `regs` and leaves its answer there.
#[allow(
    dead_code,
    reason = "the normal world measures its calls between marks instead"
)]
pub fn smc(regs: &mut Regs) {
    call(regs);
}

macro_rules! smc_asm {
    ($regs:ident, $($line:literal),+ $(, $name:ident = const $value:expr)*) => {
        asm!(
            $($line),+,
            $($name = const $value,)*
            inout("x0") $regs[0], inout("x1") $regs[1], inout("x2") $regs[2], inout("x3") $regs[3],
            inout("x4") $regs[4], inout("x5") $regs[5], inout("x6") $regs[6], inout("x7") $regs[7],
            inout("x8") $regs[8], inout("x9") $regs[9], inout("x10") $regs[10],
            inout("x11") $regs[11], inout("x12") $regs[12], inout("x13") $regs[13],
            inout("x14") $regs[14], inout("x15") $regs[15], inout("x16") $regs[16],
            inout("x17") $regs[17],
        )
    };
}
#[allow(unused_imports, reason = "the SPMC has no marks")]
pub(crate) use smc_asm;

fn call(regs: &mut Regs) {
    // SAFETY: the SMC calling convention preserves all but x0 to x17, and EL3 reaches no memory
    // of this image.
    unsafe { smc_asm!(regs, "smc #0") }
}

/// Writes a device register.
///
/// # Safety
/// `address` is a 32-bit register of a device, and the write has no effect on memory.
pub unsafe fn write32(address: usize, value: u32) {
    // SAFETY: the caller's.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// The SGI page of the redistributor of `core`.
pub const fn redistributor(core: usize) -> usize {
    GICR + core * 0x2_0000 + 0x1_0000
}
/// GICR_ISENABLER0 in that page.
pub const GICR_ISENABLER0: usize = 0x100;

/// The SGI that the SPMC takes as its secure interrupt. Not 8, the schedule receiver interrupt.
pub const SECURE_SGI: usize = 9;

/// Opens the CPU interface of this world for Group 1 interrupts of any priority.
pub fn enable_group1() {
    // SAFETY: interrupts stay masked in PSTATE: only what is pending becomes visible.
    unsafe {
        asm!(
            "mov {t}, #0xff", "msr S3_0_C4_C6_0, {t}",  // ICC_PMR_EL1
            "mov {t}, #1", "msr S3_0_C12_C12_7, {t}",   // ICC_IGRPEN1_EL1
            "isb",
            t = out(reg) _,
        );
    }
}

/// Acknowledges the Group 1 interrupt pending for this world, ends it, and returns its ID.
pub fn take_group1() -> u64 {
    let id;
    // SAFETY: ICC_IAR1_EL1 and ICC_EOIR1_EL1 change the GIC's state only.
    unsafe {
        asm!("mrs {id}, S3_0_C12_C12_0", "dsb sy", "msr S3_0_C12_C12_1, {id}", "isb", id = out(reg) id);
    }
    id
}

/// Lets another core run: QEMU's cores take turns, and YIELD ends the turn of this core.
pub fn pause() {
    // SAFETY: a hint.
    unsafe { asm!("yield") }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        pause();
    }
}
