//! Cases about the calls of an image for a lab (feature `lab`), which docs/smccc.md describes.

use crate::arch::{gic, smc, timer};
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, hypervisor};

pub const CASES: &[Case] = &[
    case("lab/calls", calls),
    case("lab/wrong", wrong),
    case("lab/refusals", refusals),
    case("lab/secure", hypervisor::ask_spmc).secure(secure_side),
    case("lab/log-level", log_level),
];

const fn case(name: &'static str, normal: fn() -> Outcome) -> Case {
    Case::new(name, normal)
        .needs(Needs::JANUS.union(Needs::V1_2))
        .in_boot("image", "lab")
}

const COUNTER: u64 = 0xc700_0010;
const LOG_LEVEL: u64 = 0x8700_0011;
const ALL_CORES: u64 = 0xffff_ffff;
const INVALID_PARAMETER: u64 = -3_i64 as u64;
/// INVALID_PARAMETER of the 32-bit form.
const INVALID_PARAMETER_32: u64 = INVALID_PARAMETER & 0xffff_ffff;

/// Numbers of counters.
const NORMAL_SMC: u64 = 0;
const SECURE_SMC: u64 = 1;
const UNCLAIMED: u64 = 8;
const REFUSED_NORMAL: u64 = 0x100;
const REFUSED_SECURE: u64 = 0x200;
/// Rules of the dispatcher: the function is not for this world; nothing was asked.
const NOT_FOR: u64 = 4;
const NOTHING_ASKED: u64 = 12;

fn call(arguments: &[u64]) -> Regs {
    let mut regs = Regs(core::array::from_fn(|n| 0x0707_0000 | n as u64));
    regs.0[..arguments.len()].copy_from_slice(arguments);
    smc::call(regs)
}

/// Returns the count of `counter` on `core`.
fn count(counter: u64, core: usize) -> u64 {
    call(&[COUNTER, counter, core as u64]).x(1)
}

/// The calls of each core are counted on that core and in the sum. The 32-bit and the 64-bit form agree.
fn calls() -> Outcome {
    cores::on_each(|core| {
        let before = count(NORMAL_SMC, core);
        for _ in 0..7 {
            call(&[0x8000_0000]);
        }
        let got = call(&[COUNTER, NORMAL_SMC, core as u64]);
        ensure_eq!(got.x(0), 0, "x0");
        ensure_eq!(got.x(1), before + 8, "calls of core {core}");
        ensure_eq!(got.x(2), core as u64, "x2");
        Ok(())
    })?;
    let boot = cores::boot_core();
    let own = count(NORMAL_SMC, boot);
    let others: u64 = cores::others().map(|core| count(NORMAL_SMC, core)).sum();
    let got = call(&[COUNTER & !(1 << 30), NORMAL_SMC, ALL_CORES]);
    let calls = cores::others().count() as u64 + 1;
    ensure_eq!(got.x(1), own + others + calls, "calls of all cores");
    ensure_eq!(got.x(2), 0, "the high half of them");
    Ok(())
}

/// Counters, rules and cores that do not exist are refused.
fn wrong() -> Outcome {
    for (counter, core) in [
        (10, 0),
        (0xff, 0),
        (0x115, 0),
        (0x215, 0),
        (0xffff_ffff, 0),
        (0, 16),
        (0, 0xffff_fffe),
    ] {
        let got = call(&[COUNTER, counter, core]);
        ensure_eq!(
            got.x(0),
            INVALID_PARAMETER,
            "counter {counter:#x} of {core:#x}"
        );
        ensure_eq!(got.x(1), counter, "x1");
    }
    Ok(())
}

/// A refused call of the normal world is counted once, for its rule and on its core.
fn refusals() -> Outcome {
    cores::on_each(|core| {
        let read = || count(REFUSED_NORMAL + NOTHING_ASKED, core);
        let before = read();
        let got = ffa::call(ffa::DIRECT_RESP, &[ffa::route(0, ffa::SPMC)]);
        ensure_eq!(got.function(), ffa::ERROR, "a response to nothing");
        ensure_eq!(read(), before + 1, "refusals because nothing was asked");
        Ok(())
    })
}

/// A refused call of the SPMC is counted, and a Group 0 interrupt that it sends and nobody handles. The SPMC can read
/// counters, but not set the log level.
fn secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    let calls = count(SECURE_SMC, s.core);
    let refused = count(REFUSED_SECURE + NOT_FOR, s.core);
    ffa::call(ffa::MEM_PERM_GET, &[]);
    s.expect_eq(
        count(REFUSED_SECURE + NOT_FOR, s.core),
        refused + 1,
        "refusals",
    );
    s.expect_eq(count(SECURE_SMC, s.core), calls + 4, "calls of the SPMC");
    let unclaimed = count(UNCLAIMED, s.core);
    gic::enable_group0(s.core, UNCLAIMED_SGI);
    gic::send_sgi_group0(s.core, UNCLAIMED_SGI);
    s.expect(
        timer::wait_until(5, || gic::pending_lines() & FIQ != 0),
        "the Group 0 interrupt does not show",
    );
    ffa::call(ffa::EL3_INTR_HANDLE, &[]);
    s.expect_eq(
        count(UNCLAIMED, s.core),
        unclaimed + 1,
        "unclaimed interrupts",
    );
    gic::disable(s.core, UNCLAIMED_SGI);
    s.expect_eq(call(&[LOG_LEVEL, 3]).x(0), u64::MAX, "the log level");
    None
}

/// A Group 0 SGI without a handler.
const UNCLAIMED_SGI: u32 = 14;
/// Bit of ISR_EL1: an FIQ is pending.
const FIQ: u64 = 1 << 6;

/// The log level is the one that was set. A level that does not exist changes nothing.
fn log_level() -> Outcome {
    for (level, status, before) in [
        (0, 0, 3),
        (6, INVALID_PARAMETER_32, 6),
        (3, 0, 0),
        (3, 0, 3),
    ] {
        let got = call(&[LOG_LEVEL, level]);
        ensure_eq!(got.x(0), status, "status of level {level}");
        ensure_eq!(got.x(1), before, "x1 of level {level}");
    }
    Ok(())
}
