//! The bench's SPMC, for S-EL2 and for S-EL1: answers in as few instructions as will do.
//!
//! What it executes is the bench's control: between two EL3s it may not differ by one
//! instruction. It therefore does nothing that depends on what EL3 left in a register.
#![no_std]
#![no_main]

mod arch;
#[allow(dead_code, reason = "the normal world needs more of it")]
mod machine;

use arch::{Regs, SECURE_SGI};
use core::arch::asm;

const ERROR: u64 = 0x8400_0060;
const SUCCESS: u64 = 0x8400_0061;
const SUCCESS_64: u64 = 0xc400_0061;
const INTERRUPT: u64 = 0x8400_0062;
const FEATURES: u64 = 0x8400_0064;
const MSG_WAIT: u64 = 0x8400_006b;
const DIRECT_REQ: u64 = 0x8400_006f;
const DIRECT_RESP: u64 = 0x8400_0070;
const DIRECT_REQ_64: u64 = 0xc400_006f;
const DIRECT_RESP_64: u64 = 0xc400_0070;
const NORMAL_WORLD_RESUME: u64 = 0x8400_007c;
const SECONDARY_EP_REGISTER: u64 = 0xc400_0087;
const NOTIFICATION_GET: u64 = 0x8400_0082;
const PARTITION_INFO_GET_REGS: u64 = 0xc400_008b;
const DIRECT_REQ2: u64 = 0xc400_008d;
const DIRECT_RESP2: u64 = 0xc400_008e;
const NOT_SUPPORTED: u64 = 0xffff_ffff;

/// Framework messages (w2): PSCI request, warm boot request, their answer; version and answer.
const FRAMEWORK: u64 = 1 << 31;
const POWER_RESPONSE: u64 = FRAMEWORK | 2;
const VERSION_REQUEST: u64 = FRAMEWORK | 8;
const VERSION_RESPONSE: u64 = FRAMEWORK | 9;

/// Registers in the SGI page of the redistributor.
const GICR_IGROUPR0: usize = 0x80;
const GICR_IPRIORITYR: usize = 0x400;
const GICR_IGRPMODR0: usize = 0xd00;
const GICR_NSACR: usize = 0xe00;

/// SMCCC 1.3's "no live SVE state", which is not part of the function number.
const SVE_HINT: u64 = 1 << 16;
/// x3 of a request that makes this SPMC use the FP registers (at S-EL1; at S-EL2 it would have
/// to save them itself).
const USE_FP: u64 = 0xf9;
/// The call by which the SPMC uses every extension that EL3 may open on first use.
const USE_EXTENSIONS: u64 = 0xfa;

#[unsafe(no_mangle)]
extern "C" fn main(core: usize) -> ! {
    set_up(core);
    let el1 = current_el() == 1;
    let mut regs: Regs = [0; 18];
    if core == 0 {
        (regs[0], regs[1]) = (SECONDARY_EP_REGISTER, arch::entry());
        arch::smc(&mut regs);
        regs = [0; 18];
    }
    regs[0] = MSG_WAIT;
    loop {
        arch::smc(&mut regs);
        answer(&mut regs, el1);
    }
}

/// Turns the call in `regs` into its answer.
fn answer(regs: &mut Regs, el1: bool) {
    let function = regs[0] & !SVE_HINT;
    match function {
        DIRECT_REQ | DIRECT_REQ_64 | DIRECT_REQ2 => {
            regs[0] = match function {
                DIRECT_REQ => DIRECT_RESP,
                DIRECT_REQ_64 => DIRECT_RESP_64,
                _ => DIRECT_RESP2,
            };
            regs[1] =
                (regs[1] & 0xffff_ffff).rotate_left(16) & 0xffff_0000 | regs[1] >> 16 & 0xffff;
            if function == DIRECT_REQ && regs[2] & FRAMEWORK != 0 {
                if regs[2] == VERSION_REQUEST {
                    regs[2] = VERSION_RESPONSE;
                    regs[3] = 0x1_0002;
                } else {
                    regs[2] = POWER_RESPONSE;
                    regs[3] = 0;
                }
                return;
            }
            if el1 && regs[3] == USE_FP {
                use_fp();
            }
            if regs[3] == USE_EXTENSIONS {
                use_extensions(el1);
            }
            regs[4] += 1;
        }
        FEATURES => *regs = reply(SUCCESS, [0, 0]),
        NOTIFICATION_GET => *regs = reply(SUCCESS, [0, 0x55]),
        PARTITION_INFO_GET_REGS => *regs = reply(SUCCESS_64, [0, 0x0018_0000_0000_0000]),
        INTERRUPT => {
            arch::take_group1();
            *regs = reply(NORMAL_WORLD_RESUME, [0, 0]);
        }
        _ => *regs = reply(ERROR, [NOT_SUPPORTED, 0]),
    }
}

fn reply(function: u64, [w2, w3]: [u64; 2]) -> Regs {
    let mut regs = [0; 18];
    (regs[0], regs[2], regs[3]) = (function, w2, w3);
    regs
}

/// Overwrites v0 to v31, as an SPMC that computes with them does.
fn use_fp() {
    // SAFETY: compiled without FP, this program keeps nothing in these registers.
    unsafe {
        asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
            "movi v\\n\\().16b, #0xee",
            ".endr",
            ".arch_extension nosimd",
            ".arch_extension nofp",
        );
    }
}

/// Reads a register of each: APIAKeyLo_EL1 and TPIDR2_EL0; at S-EL2 SCXTNUM_EL2, HFGRTR_EL2,
/// HCRX_EL2 and CNTPOFF_EL2, at S-EL1 SCXTNUM_EL1.
fn use_extensions(el1: bool) {
    // SAFETY: reading them changes nothing; the bench's CPU has them all.
    unsafe {
        asm!("mrs {0}, S3_0_C2_C1_0", "mrs {0}, S3_3_C13_C0_5", out(reg) _);
        if el1 {
            asm!("mrs {0}, S3_0_C13_C0_7", out(reg) _);
        } else {
            asm!(
                "mrs {0}, S3_4_C13_C0_7", "mrs {0}, S3_4_C1_C1_4",
                "mrs {0}, S3_4_C1_C2_2", "mrs {0}, S3_4_C14_C0_6",
                out(reg) _,
            );
        }
    }
}

fn current_el() -> u64 {
    let el: u64;
    // SAFETY: reads a constant of this exception level.
    unsafe { asm!("mrs {}, currentel", out(reg) el) };
    el >> 2
}

/// FP open at S-EL1, and the secure SGI: Secure Group 1, enabled, and the normal world may send it.
fn set_up(core: usize) {
    if current_el() == 1 {
        // SAFETY: CPACR_EL1.FPEN = 3 traps nothing any more.
        unsafe { asm!("msr cpacr_el1, {}", "isb", in(reg) 3u64 << 20) };
    }
    let page = arch::redistributor(core);
    let bit = 1 << SECURE_SGI;
    // SAFETY: registers of this core's redistributor in
    // Secure state; SGI 9 is nobody else's.
    unsafe {
        let group = (page + GICR_IGROUPR0) as *mut u32;
        group.write_volatile(group.read_volatile() & !bit);
        let modifier = (page + GICR_IGRPMODR0) as *mut u32;
        modifier.write_volatile(modifier.read_volatile() | bit);
        arch::write32(page + GICR_NSACR, 0b10 << (2 * SECURE_SGI));
        ((page + GICR_IPRIORITYR + SECURE_SGI) as *mut u8).write_volatile(0);
        arch::write32(page + arch::GICR_ISENABLER0, bit);
    }
    arch::enable_group1();
}
