//! A core's FP, SVE and SME state, filled and read with assembly.
//!
//! The payload itself does not use these registers. The vector lengths are those that ZCR and SMCR of this level give
//! at the moment. Patterns are computed anew for each check, so that one copy of the registers is enough.

use crate::arch::exceptions::attempt;
use crate::arch::{MAX_CORES, cpu};
use crate::framework::text::Text;
use crate::{mrs, msr};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// The length of the longest vector in bytes.
const LONGEST: usize = 256;

/// A copy of Z (or Q), P and FFR.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Copied {
    z: [u8; 32 * LONGEST],
    p: [u8; 17 * LONGEST / 8],
}

struct PerCore(UnsafeCell<[Copied; MAX_CORES]>);

// SAFETY: each core uses only its own element.
unsafe impl Sync for PerCore {}

static COPIES: PerCore = PerCore(UnsafeCell::new(
    [Copied {
        z: [0; 32 * LONGEST],
        p: [0; 17 * LONGEST / 8],
    }; MAX_CORES],
));

fn copy() -> &'static mut Copied {
    // SAFETY: this is the core's own element, and no function of this module calls another while it holds this.
    unsafe { &mut (*COPIES.0.get())[cpu::number()] }
}

unsafe extern "C" {
    fn payload_q(load: u64, q: *mut u8);
    fn payload_z(load: u64, z: *mut u8);
    fn payload_p(load: u64, p: *mut u8);
    fn payload_ffr(load: u64, p: *mut u8);
    fn payload_vl() -> usize;
    fn payload_svl() -> usize;
    fn payload_za(load: u64, row: u64, bytes: *mut u8);
    fn payload_zt0(load: u64, bytes: *mut u8);
}

core::arch::global_asm!(
    r#"
    .section .text.payload_vectors_state, "ax"
    .arch_extension fp
    .arch_extension simd
    .arch_extension sve
    .arch_extension sme
    .arch_extension sme2
    .macro payload_all_q op
    \op     q0, q1, [x1]
    \op     q2, q3, [x1, #32]
    \op     q4, q5, [x1, #64]
    \op     q6, q7, [x1, #96]
    \op     q8, q9, [x1, #128]
    \op     q10, q11, [x1, #160]
    \op     q12, q13, [x1, #192]
    \op     q14, q15, [x1, #224]
    \op     q16, q17, [x1, #256]
    \op     q18, q19, [x1, #288]
    \op     q20, q21, [x1, #320]
    \op     q22, q23, [x1, #352]
    \op     q24, q25, [x1, #384]
    \op     q26, q27, [x1, #416]
    \op     q28, q29, [x1, #448]
    \op     q30, q31, [x1, #480]
    .endm
    .macro payload_all_z op
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op     z\n, [x1, #\n, mul vl]
    .endr
    .endm
    .macro payload_all_p op
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    \op     p\n, [x1, #\n, mul vl]
    .endr
    .endm

    .global payload_q
payload_q:
    cbnz    x0, 1f
    payload_all_q stp
    ret
1:  payload_all_q ldp
    ret

    .global payload_z
payload_z:
    cbnz    x0, 1f
    payload_all_z str
    ret
1:  payload_all_z ldr
    ret

    .global payload_p
payload_p:
    cbnz    x0, 1f
    payload_all_p str
    ret
1:  payload_all_p ldr
    ret

    // FFR is accessed by p0. So p0 is read before FFR, and loaded after FFR.
    .global payload_ffr
payload_ffr:
    cbnz    x0, 1f
    rdffr   p0.b
    str     p0, [x1]
    ret
1:  ldr     p0, [x1]
    wrffr   p0.b
    ret

    .global payload_vl
payload_vl:
    rdvl    x0, #1
    ret
    .global payload_svl
payload_svl:
    rdsvl   x0, #1
    ret

    .global payload_za
payload_za:
    mov     w12, w1
    cbnz    x0, 1f
    str     za[w12, 0], [x2]
    ret
1:  ldr     za[w12, 0], [x2]
    ret

    .global payload_zt0
payload_zt0:
    cbnz    x0, 1f
    str     zt0, [x1]
    ret
1:  ldr     zt0, [x1]
    ret
"#
);

/// The extensions that this world can use.
#[derive(Clone, Copy)]
pub struct Has {
    /// FEAT_SVE.
    pub sve: bool,
    /// FEAT_SME.
    pub sme: bool,
    /// FEAT_SME2: ZT0.
    pub sme2: bool,
}

/// Bits of [`USABLE`].
const SVE: u32 = 1;
const SME: u32 = 2;

/// The extensions that EL3 lets this world use, as [`open`] has found, per core.
static USABLE: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(0) }; MAX_CORES];

/// Returns what this world can use since the last [`open`].
pub fn has() -> Has {
    let usable = USABLE[cpu::number()].load(SeqCst);
    let sme2 = mrs!("id_aa64pfr1_el1") >> 24 & 0xf >= 2;
    Has {
        sve: usable & SVE != 0,
        sme: usable & SME != 0,
        sme2: usable & SME != 0 && sme2,
    }
}

/// Returns SVCR: bit 0 is streaming mode, bit 1 says that ZA is in use.
pub fn svcr() -> u64 {
    mrs!("S3_3_C4_C2_2")
}

/// Sets SVCR.
pub fn set_svcr(value: u64) {
    msr!("S3_3_C4_C2_2", value);
}

/// Opens FP, SVE and SME for this level, as far as EL3 allows it, and sets the vector length to `len` (ZCR.LEN).
pub fn open(len: u64) {
    let sve = mrs!("id_aa64pfr0_el1") >> 32 & 0xf != 0;
    let sme = mrs!("id_aa64pfr1_el1") >> 24 & 0xf;
    let smcr = len | 1 << 31 | if sme >= 2 { 1 << 30 } else { 0 };
    let mut usable = 0;
    if cpu::el() == 2 {
        msr!("cptr_el2", mrs!("cptr_el2") & !(1 << 8 | 1 << 10 | 1 << 12));
        usable |= if sve && attempt(|| msr!("S3_4_C1_C2_0", len)) {
            SVE
        } else {
            0
        };
        usable |= if sme != 0 && attempt(|| msr!("S3_4_C1_C2_6", smcr)) {
            SME
        } else {
            0
        };
    } else {
        msr!("cpacr_el1", mrs!("cpacr_el1") | 3 << 16 | 3 << 20 | 3 << 24);
        usable |= if sve && attempt(|| msr!("S3_0_C1_C2_0", len)) {
            SVE
        } else {
            0
        };
        usable |= if sme != 0 && attempt(|| msr!("S3_0_C1_C2_6", smcr)) {
            SME
        } else {
            0
        };
    }
    USABLE[cpu::number()].store(usable, SeqCst);
}

/// Traps SVE and SME for S-EL2 itself (and not FP), as Hafnium does while it waits.
pub fn trap_sve() {
    msr!("cptr_el2", mrs!("cptr_el2") & !(1 << 10) | 1 << 8 | 1 << 12);
}

/// Returns byte `i` of register `n` in round `seed`.
fn byte(seed: u64, n: usize, i: usize) -> u8 {
    let word = (seed * 64 + n as u64 + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((i as u64 / 8).wrapping_mul(0x1234_5678_9abc_def1));
    (word >> (i % 8 * 8)) as u8
}

/// Returns the number of ones in FFR, which must be ones followed by zeroes.
fn ffr_ones(seed: u64, bits: usize) -> usize {
    (seed as usize * 7 + cpu::number() * 3 + 1) % (bits + 1)
}

const FPSR: u64 = 0x0800_009f;
const FPCR: u64 = 0x07c0_0000;

/// Returns the vector length in bytes: that of Z, or 16 if there is only Q.
pub fn length() -> usize {
    if !has().sve {
        return 16;
    }
    // SAFETY: this reads the vector length, and `open` has opened SVE.
    unsafe { payload_vl() }
}

/// Fills Q or Z, P, FFR (outside streaming mode), FPSR and FPCR.
pub fn fill(seed: u64) {
    let (has, vl, copy) = (has(), length(), copy());
    let streaming = has.sme && svcr() & 1 != 0;
    for n in 0..32 {
        for i in 0..vl {
            copy.z[n * vl + i] = byte(seed, n, i);
        }
    }
    for n in 0..16 {
        for i in 0..vl / 8 {
            copy.p[n * (vl / 8) + i] = byte(seed, 32 + n, i);
        }
    }
    let mut ffr = [0u8; LONGEST / 8];
    (0..ffr_ones(seed, vl)).for_each(|bit| ffr[bit / 8] |= 1 << (bit % 8));
    // SAFETY: the buffers are as long as the longest registers, and the compiler keeps no values in
    // these registers.
    unsafe {
        if has.sve {
            if !streaming {
                payload_ffr(1, ffr.as_mut_ptr());
            }
            payload_z(1, copy.z.as_mut_ptr());
            payload_p(1, copy.p.as_mut_ptr());
        } else {
            payload_q(1, copy.z.as_mut_ptr());
        }
    }
    msr!(
        "S3_3_C4_C4_1",
        byte(seed, 60, 0) as u64 * 0x0808_0101 & FPSR
    );
    msr!("S3_3_C4_C4_0", (byte(seed, 61, 0) as u64) << 22 & FPCR);
}

/// Checks that the registers are as filled in round `seed`: `bytes` bytes of each Z, and also P and FFR if `bytes` is
/// `usize::MAX`.
///
/// # Errors
///
/// The name of the first register that is not.
pub fn check(seed: u64, bytes: usize) -> Result<(), Text> {
    let (has, vl, copy) = (has(), length(), copy());
    let streaming = has.sme && svcr() & 1 != 0;
    let mut ffr = [0u8; LONGEST / 8];
    // SAFETY: as in `fill`.
    unsafe {
        if has.sve {
            payload_z(0, copy.z.as_mut_ptr());
            payload_p(0, copy.p.as_mut_ptr());
            if !streaming {
                payload_ffr(0, ffr.as_mut_ptr());
            }
        } else {
            payload_q(0, copy.z.as_mut_ptr());
        }
    }
    for n in 0..32 {
        for i in 0..vl.min(bytes) {
            let (got, want) = (copy.z[n * vl + i], byte(seed, n, i));
            if got != want {
                return Err(Text::of(format_args!(
                    "byte {i} of Z{n} is {got:#x}, was {want:#x} (vector length {vl})"
                )));
            }
        }
    }
    // P and FFR are SVE state, even if the vectors are as short as Q.
    if has.sve && bytes == usize::MAX {
        for n in 0..16 {
            for i in 0..vl / 8 {
                let (got, want) = (copy.p[n * (vl / 8) + i], byte(seed, 32 + n, i));
                if got != want {
                    return Err(Text::of(format_args!(
                        "byte {i} of P{n} is {got:#x}, was {want:#x}"
                    )));
                }
            }
        }
        for bit in (0..vl).filter(|_| !streaming) {
            let (got, want) = (ffr[bit / 8] >> (bit % 8) & 1 != 0, bit < ffr_ones(seed, vl));
            if got != want {
                return Err(Text::of(format_args!(
                    "bit {bit} of FFR is {got}, was {want}"
                )));
            }
        }
    }
    for (name, got, want) in [
        (
            "FPSR",
            mrs!("S3_3_C4_C4_1") & FPSR,
            byte(seed, 60, 0) as u64 * 0x0808_0101 & FPSR,
        ),
        (
            "FPCR",
            mrs!("S3_3_C4_C4_0") & FPCR,
            (byte(seed, 61, 0) as u64) << 22 & FPCR,
        ),
    ] {
        if got != want {
            return Err(Text::of(format_args!("{name} is {got:#x}, was {want:#x}")));
        }
    }
    Ok(())
}

/// Returns a Z register that holds, above its first 128 bits, what was filled in round `seed`, if there is one.
pub fn shows(seed: u64) -> Option<usize> {
    let (vl, copy) = (length(), copy());
    if !has().sve || vl <= 16 {
        return None;
    }
    // SAFETY: as in `fill`.
    unsafe { payload_z(0, copy.z.as_mut_ptr()) };
    (0..32).find(|&n| (16..vl).all(|i| copy.z[n * vl + i] == byte(seed, n, i)))
}

/// Returns a Q register that holds what was filled in round `seed`, if there is one.
pub fn shows_q(seed: u64) -> Option<usize> {
    let copy = copy();
    // SAFETY: as in `fill`.
    unsafe { payload_q(0, copy.z.as_mut_ptr()) };
    (0..32).find(|&n| (0..16).all(|i| copy.z[n * 16 + i] == byte(seed, n, i)))
}

/// Fills ZA and ZT0. SVCR.ZA must be set.
pub fn fill_za(seed: u64) {
    // SAFETY: the buffer is as long as the longest row.
    unsafe {
        let svl = payload_svl();
        let mut row = [0u8; LONGEST];
        for n in 0..svl {
            (0..svl).for_each(|i| row[i] = byte(seed, 100 + n, i));
            payload_za(1, n as u64, row.as_mut_ptr());
        }
        if has().sme2 {
            (0..64).for_each(|i| row[i] = byte(seed, 99, i));
            payload_zt0(1, row.as_mut_ptr());
        }
    }
}

/// Checks that ZA and ZT0 are as filled in round `seed`.
///
/// # Errors
///
/// What is not.
pub fn check_za(seed: u64) -> Result<(), Text> {
    // SAFETY: as in `fill_za`.
    unsafe {
        let svl = payload_svl();
        let mut row = [0u8; LONGEST];
        for n in 0..svl {
            payload_za(0, n as u64, row.as_mut_ptr());
            if let Some(i) = (0..svl).find(|&i| row[i] != byte(seed, 100 + n, i)) {
                return Err(Text::of(format_args!(
                    "byte {i} of row {n} of ZA is {:#x}, was {:#x}",
                    row[i],
                    byte(seed, 100 + n, i)
                )));
            }
        }
        if has().sme2 {
            payload_zt0(0, row.as_mut_ptr());
            if let Some(i) = (0..64).find(|&i| row[i] != byte(seed, 99, i)) {
                return Err(Text::of(format_args!(
                    "byte {i} of ZT0 is {:#x}, was {:#x}",
                    row[i],
                    byte(seed, 99, i)
                )));
            }
        }
    }
    Ok(())
}
