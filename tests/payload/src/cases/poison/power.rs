//! Cases about what a core's power-down leaves: the SPMC keeps everything after a suspend, the normal world keeps
//! nothing after a suspend or CPU_OFF.
//!
//! The list of the values that a reset sets is written from the architecture, and not from BL31's code.

use super::vector_regs as v;
use crate::arch::exceptions::attempt;
use crate::arch::{MAX_CORES, cpu, gic};
use crate::cases::psci::suspend::suspend_and_wake;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::text::Text;
use crate::framework::{config, cores, ffa};
use crate::{ensure_eq, fail, mrs, msr};
use core::cell::UnsafeCell;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("poison/suspend-secure", suspend_secure)
        .secure(secure_side)
        .needs(Needs::CORES.union(Needs::JANUS)),
    Case::new("poison/reset-off", reset_off)
        .needs(Needs::NO_FFA.union(Needs::CORES).union(Needs::JANUS)),
    Case::new("poison/reset-suspend", reset_suspend)
        .needs(Needs::NO_FFA.union(Needs::CORES).union(Needs::JANUS)),
];

// The operations of a direct request, in x3.
/// Fill the SPMC's registers.
const FILL: u64 = 0x4001;
/// Check the SPMC's registers, and restore them.
const CHECK: u64 = 0x4002;

fn ask(what: u64) -> Outcome {
    let call = ffa::request(
        ffa::DIRECT_REQ | ffa::SMC64,
        &[ffa::route(0, ffa::SPMC), 0, what],
    );
    ensure_eq!(
        crate::arch::smc::call(call).function(),
        ffa::DIRECT_RESP | ffa::SMC64,
        "answer of the SPMC"
    );
    Ok(())
}

/// The SPMC finds its vector state, the controls of it, and the registers that only the secure world has unchanged
/// after the core was suspended, whether or not the normal world uses vectors.
fn suspend_secure() -> Outcome {
    for normal_too in [false, true] {
        for core in cores::others() {
            if normal_too {
                cores::on(core, |core| {
                    v::open(3);
                    v::fill(core as u64);
                    Ok(())
                })?;
            }
            cores::on(core, |_| ask(FILL))?;
            suspend_and_wake(core)?;
            cores::on(core, |_| ask(CHECK))?;
        }
    }
    Ok(())
}

/// Returns whether EL3 saves the SPMC's FP state.
fn kept_by_el3(s: &Secure) -> bool {
    !s.sel2 || config::spmc_leaves_all_to_el3()
}

fn secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    let seed = 0x700 + s.core as u64;
    match message.x(3) {
        FILL => {
            fill_own(s);
            v::open(1);
            if kept_by_el3(s) {
                v::fill(seed);
            }
        }
        CHECK => {
            check_own(s);
            if s.sel2 {
                let has = v::has();
                if has.sve {
                    s.expect_eq(mrs!("S3_4_C1_C2_0"), 1, "ZCR_EL2 after a suspend");
                }
                if has.sme {
                    s.expect_eq(
                        mrs!("S3_4_C1_C2_6") & 0xf,
                        1,
                        "SMCR_EL2.LEN after a suspend",
                    );
                }
            }
            if kept_by_el3(s)
                && let Err(wrong) = v::check(seed, 16)
            {
                s.fail(format_args!("after a suspend: {wrong}"));
            }
            if s.sel2 {
                v::trap_sve();
            }
        }
        _ => return None,
    }
    Some(ffa::response(message, &[]))
}

/// A register that no switch exchanges, because the normal world has no such register, or its own under that name.
struct Own {
    name: &'static str,
    /// Whether it exists at S-EL2 alone.
    sel2: bool,
    read: fn() -> u64,
    write: fn(u64),
    /// The value that is written into it.
    value: u64,
}

macro_rules! own {
    ($($name:ident $encoding:literal = $value:expr $(, $sel2:ident)?;)+) => {
        &[$(Own {
            name: stringify!($name),
            sel2: own!(@ $($sel2)?),
            read: || mrs!($encoding),
            write: |value| msr!($encoding, value),
            value: $value,
        }),+]
    };
    (@) => { false };
    (@ sel2) => { true };
}

const OWN: &[Own] = own! {
    VSTTBR_EL2 "S3_4_C2_C6_0" = 0x4567_8000, sel2;
    VSTCR_EL2 "S3_4_C2_C6_2" = 0x59, sel2;
    CNTHPS_CVAL_EL2 "S3_4_C14_C5_2" = 0x7123_4567_89ab_cdef, sel2;
    CNTHVS_CVAL_EL2 "S3_4_C14_C4_2" = 0x7fed_cba9_8765_4321, sel2;
    CNTPS_CVAL_EL1 "S3_7_C14_C2_2" = 0x7654_3210_0123_4567;
    // EOImode.
    ICC_CTLR_EL1 "S3_0_C12_C12_4" = 2;
    ICC_BPR1_EL1 "S3_0_C12_C12_3" = 5;
};

/// The values of the registers in [`OWN`] before they were filled and after, per core.
static OWN_VALUES: [[[AtomicU64; 2]; OWN.len()]; MAX_CORES] =
    [const { [const { [const { AtomicU64::new(0) }; 2] }; OWN.len()] }; MAX_CORES];

/// Returns the registers in [`OWN`] that exist, with their values on this core.
fn own(s: &Secure) -> impl Iterator<Item = (&'static Own, &'static [AtomicU64; 2])> {
    let sel2 = s.sel2;
    OWN.iter()
        .zip(&OWN_VALUES[s.core])
        .filter(move |(own, _)| sel2 || !own.sel2)
}

fn fill_own(s: &Secure) {
    for (own, [before, filled]) in own(s) {
        attempt(|| {
            before.store((own.read)(), SeqCst);
            (own.write)(own.value);
            filled.store((own.read)(), SeqCst);
        });
    }
}

/// Checks the registers in [`OWN`], and restores their original values.
fn check_own(s: &Secure) {
    for (own, [before, filled]) in own(s) {
        attempt(|| {
            let (now, was) = ((own.read)(), filled.load(SeqCst));
            (own.write)(before.load(SeqCst));
            if now != was {
                s.fail(format_args!(
                    "{} after a suspend: {now:#x}, was {was:#x}",
                    own.name
                ));
            }
        });
    }
}

/// A register that a reset sets: the value that is written into it before, and the value that it must have afterwards.
struct Reset {
    name: &'static str,
    read: fn() -> u64,
    spoil: fn(),
    /// The bits that the reset sets, and their values.
    bits: u64,
    value: u64,
    /// Whether it belongs to a timer. A suspend does not reset these: a timer may have ended the suspend.
    timer: bool,
}

macro_rules! resets {
    ($($name:ident $read:literal, $write:literal = $spoil:expr => $bits:expr, $value:expr $(, $timer:ident)?;)+) => {
        &[$(Reset {
            name: stringify!($name),
            read: || mrs!($read),
            spoil: || msr!($write, $spoil),
            bits: $bits,
            value: $value,
            timer: resets!(@ $($timer)?),
        }),+]
    };
    (@) => { false };
    (@ timer) => { true };
}

const ALL: u64 = u64::MAX;
/// The counters of QEMU's CPUs: one of cycles and four of events.
const COUNTERS: u64 = 1 << 31 | 0xf;

/// The registers that a reset of a core sets, without those in the banks of EL1 and EL2.
const RESETS: &[Reset] = resets! {
    // Timers: off. They are masked before, so that they do not interrupt.
    CNTP_CTL_EL0 "S3_3_C14_C2_1", "S3_3_C14_C2_1" = 3 => 1, 0, timer;
    CNTV_CTL_EL0 "S3_3_C14_C3_1", "S3_3_C14_C3_1" = 3 => 1, 0, timer;
    CNTHP_CTL_EL2 "S3_4_C14_C2_1", "S3_4_C14_C2_1" = 3 => 1, 0, timer;
    CNTHV_CTL_EL2 "S3_4_C14_C3_1", "S3_4_C14_C3_1" = 3 => 1, 0, timer;
    // Performance monitors: no counting, no interrupts, no access from EL0.
    PMCR_EL0 "S3_3_C9_C12_0", "S3_3_C9_C12_0" = 1 | 1 << 4 => 1 | 1 << 4, 0;
    PMCNTENSET_EL0 "S3_3_C9_C12_1", "S3_3_C9_C12_1" = COUNTERS => ALL, 0;
    PMINTENSET_EL1 "S3_0_C9_C14_1", "S3_0_C9_C14_1" = COUNTERS => ALL, 0;
    PMOVSSET_EL0 "S3_3_C9_C14_3", "S3_3_C9_C14_3" = COUNTERS => ALL, 0;
    PMUSERENR_EL0 "S3_3_C9_C14_0", "S3_3_C9_C14_0" = 0xf => 0xf, 0;
    // Debug: the OS lock is locked, and no breakpoint or watchpoint is enabled.
    OSLSR_EL1 "S2_0_C1_C1_4", "S2_0_C1_C0_4" = 0 => 2, 2;
    DBGBCR0_EL1 "S2_0_C0_C0_5", "S2_0_C0_C0_5" = 0x1e7 => 1, 0;
    DBGBCR1_EL1 "S2_0_C0_C1_5", "S2_0_C0_C1_5" = 0x1e7 => 1, 0;
    DBGWCR0_EL1 "S2_0_C0_C0_7", "S2_0_C0_C0_7" = 0x1ff7 => 1, 0;
    MDSCR_EL1 "S2_0_C0_C2_2", "S2_0_C0_C2_2" = 1 << 15 => 1 << 15 | 1, 0;
    // The GIC's CPU interface: EOImode, the binary point, no active priority.
    ICC_CTLR_EL1 "S3_0_C12_C12_4", "S3_0_C12_C12_4" = 2 => 3, 0;
    ICC_AP1R0_EL1 "S3_0_C12_C9_0", "S3_0_C12_C9_0" = mrs!("S3_0_C12_C9_0") => ALL, 0;
    // Profiling, trace, branch records, memory partitioning, if the CPU has them.
    PMBLIMITR_EL1 "S3_0_C9_C10_0", "S3_0_C9_C10_0" = 1 => 1, 0;
    TRBLIMITR_EL1 "S3_0_C9_C11_0", "S3_0_C9_C11_0" = 1 => 1, 0;
    BRBCR_EL1 "S2_1_C9_C0_0", "S2_1_C9_C0_0" = 3 => 3, 0;
    MPAM1_EL1 "S3_0_C10_C5_0", "S3_0_C10_C5_0" = 0x1_0001 => 0xffff_ffff, 0;
    MPAM2_EL2 "S3_4_C10_C5_0", "S3_4_C10_C5_0" = 0x1_0001 => 0xffff_ffff, 0;
};

/// The registers of [`RESETS`] that could be changed, per core.
struct Spoiled(UnsafeCell<[[bool; RESETS.len()]; MAX_CORES]>);

// SAFETY: each core uses only its own element.
unsafe impl Sync for Spoiled {}

static SPOILED: Spoiled = Spoiled(UnsafeCell::new([[false; RESETS.len()]; MAX_CORES]));

/// The SGI that is acknowledged and not ended.
const SGI: u32 = 5;

/// Gives all registers of [`RESETS`] other values than a reset.
fn spoil(core: usize) {
    crate::daif!(set "0xf");
    // Leave an interrupt active. Its priority is low, so that it does not mask the interrupt that wakes the core.
    gic::enable_low(core, SGI);
    gic::send_sgi(core, SGI);
    crate::arch::timer::wait_until(1, || gic::is_pending(core, SGI));
    gic::acknowledge();
    // SAFETY: this is the core's own element.
    let spoiled = unsafe { &mut (*SPOILED.0.get())[cpu::number()] };
    for (reset, spoiled) in RESETS.iter().zip(spoiled) {
        let mut there = 0;
        *spoiled = attempt(|| {
            (reset.spoil)();
            there = (reset.read)();
        }) && there & reset.bits != reset.value;
    }
}

/// Checks that the registers are as after a reset.
fn check(suspended: bool) -> Outcome {
    // SAFETY: this is the core's own element.
    let spoiled = unsafe { &(*SPOILED.0.get())[cpu::number()] };
    let mut wrong = Text::new();
    let mut tried = 0;
    for (reset, spoiled) in RESETS.iter().zip(spoiled) {
        if !spoiled || suspended && reset.timer {
            continue;
        }
        tried += 1;
        let now = (reset.read)() & reset.bits;
        if now != reset.value {
            // Writing to a `Text` never fails.
            let _ = write!(wrong, "{} is {now:#x}; ", reset.name);
        }
    }
    let active = gic::is_active(cpu::number(), SGI);
    gic::deactivate(cpu::number(), SGI);
    if !wrong.is_empty() {
        fail!("not as after a reset: {wrong}");
    }
    if active && !suspended {
        fail!("an SGI that was active is active after a reset");
    }
    if tried < 10 {
        fail!("only {tried} registers could be spoiled");
    }
    Ok(())
}

/// The registers are as after a reset when the core was off.
fn reset_off() -> Outcome {
    for core in cores::others() {
        cores::on(core, |core| {
            spoil(core);
            Ok(())
        })?;
        cores::turn_off(core)?;
        cores::turn_on(core)?;
        cores::on(core, |_| check(false))?;
    }
    Ok(())
}

/// The registers are as after a reset when the core was suspended to a power-down state.
fn reset_suspend() -> Outcome {
    for core in cores::others() {
        cores::on(core, |core| {
            spoil(core);
            Ok(())
        })?;
        suspend_and_wake(core)?;
        cores::on(core, |_| check(true))?;
    }
    Ok(())
}
