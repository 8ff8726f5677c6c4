//! Cases about a platform's own SMCs and Group 0 interrupts: which world may call, what EL3 does meanwhile, which world
//! runs afterwards. Most need an image with the feature `calls` (plat/src/qemu/calls.rs). The cases about the service
//! that names Janus' version and platform run with every image.

use super::psci::suspend::suspend_and_wake;
use crate::arch::{gic, smc, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, hypervisor, irq};
use crate::{ensure, ensure_eq, machine};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use smccc::psci::error::DENIED;

pub const CASES: &[Case] = &[
    Case::new("smccc/identity", identity).needs(Needs::NO_FFA.union(Needs::JANUS)),
    Case::new("smccc/identity-secure", identity_from_secure)
        .secure(identity_secure_side)
        .needs(Needs::JANUS),
    case("platform/starts-in-time", starts_in_time)
        .needs(Needs::JANUS.union(Needs::FIRST).union(Needs::CORES)),
    case("platform/queries", queries),
    case("platform/service", service),
    case("platform/service-asks", asks),
    case("platform/forms", forms),
    case("platform/unknown", unknown),
    case("platform/goes-on-elsewhere", elsewhere),
    case("platform/partition-events", partition_events)
        .secure(refuse_once)
        .needs(Needs::JANUS.union(Needs::CORES)),
    case("platform/power-interrupted", power_interrupted)
        .secure(interrupt_power)
        .needs(Needs::JANUS.union(Needs::CORES)),
    case("platform/group0", group0).secure(count_interrupts),
    case("platform/secure", hypervisor::ask_spmc).secure(secure_side),
];

pub const fn case(name: &'static str, normal: fn() -> Outcome) -> Case {
    Case::new(name, normal)
        .needs(Needs::JANUS)
        .in_boot("image", "calls")
}

/// The calls of plat/src/qemu/calls.rs.
const WHO: u64 = 0xc200_0001;
pub const RAISE: u64 = 0xc200_0002;
pub const HANDLED: u64 = 0xc200_0003;
const ASK: u64 = 0xc200_0004;
const GO_ON: u64 = 0xc200_0005;
const YIELDING: u64 = 0x4200_0007;

/// NOT_SUPPORTED in 64 bits.
const NOT_SUPPORTED: u64 = u64::MAX;

/// Makes a call with `arguments` in x0 and the registers that follow, and known values in the rest. Returns x0 to x17.
pub fn call(arguments: &[u64]) -> Regs {
    let mut regs = Regs(core::array::from_fn(|n| 0x0707_0000 | n as u64));
    regs.0[..arguments.len()].copy_from_slice(arguments);
    smc::call(regs)
}

/// A service knows the caller and the core. Registers that it does not answer in keep their values. The SVE hint is not
/// part of the function.
fn service() -> Outcome {
    cores::on_each(|core| {
        for function in [WHO, WHO | 1 << 16] {
            let got = call(&[function, 0x1234_5678_9abc]);
            ensure_eq!(got.x(0), 0, "the normal world calls");
            ensure_eq!(got.x(1), core as u64, "the core");
            ensure_eq!(got.x(2), 0x1234_5678_9abc, "x1 of the call");
            for n in 3..18 {
                ensure_eq!(got.x(n), 0x0707_0000 | n as u64, "x{n}");
            }
        }
        Ok(())
    })
}

/// The 32-bit form gets and answers 32 bits. A yielding call is accepted if the service has it.
fn forms() -> Outcome {
    let got = call(&[WHO & !(1 << 30), 0x1234_5678_9abc]);
    ensure_eq!(got.x(0), 0, "the normal world calls");
    ensure_eq!(got.x(2), 0x5678_9abc, "w1 of the call");
    let got = call(&[YIELDING, 0x1234_5678_9abc]);
    ensure_eq!(got.x(0), 0, "the normal world makes a yielding call");
    ensure_eq!(got.x(2), 0x1234_5678_9abc, "x1 of the yielding call");
    Ok(())
}

/// These are NOT_SUPPORTED: an unknown number, a form that a function does not have, a call for the SPMC, other owners,
/// a fast call as a yielding one and vice versa, reserved bits, a general query that does not exist or is in the 64-bit
/// form.
fn unknown() -> Outcome {
    for function in [
        0xc200_000a,
        0x8200_0002,
        0x8200_0006,
        0xc300_0001,
        0xc700_7001,
        0x4200_0001,
        0xc200_0007,
        0x0200_0007,
        0x4202_0007,
        0xc202_0001,
        0x8200_ff02,
        0xc200_ff01,
        0x8300_ff00,
    ] {
        let got = call(&[function]);
        ensure_eq!(got.x(0), NOT_SUPPORTED, "x0 of {function:#x}");
        for n in 1..18 {
            ensure_eq!(got.x(n), 0x0707_0000 | n as u64, "x{n} of {function:#x}");
        }
    }
    Ok(())
}

/// A service asks a partition while the normal world waits for it, on every core at once.
fn asks() -> Outcome {
    cores::on_each(|core| {
        for word in 0..20 {
            let word = word << 8 | core as u64;
            let got = call(&[ASK, word]);
            ensure_eq!(got.x(0), 0, "the partition was asked");
            ensure_eq!(got.x(1), word, "and said");
            ensure_eq!(got.x(3), 0x0707_0003, "x3");
        }
        Ok(())
    })
}

/// A service changes the address at which its caller goes on, but not to a state to which EL3 cannot return.
fn elsewhere() -> Outcome {
    let (mut function, mut skipped): (u64, u64) = (GO_ON, 0);
    // SAFETY: the call returns 4 bytes further on. It changes no memory, and only the registers x0 to x2.
    unsafe {
        core::arch::asm!(
            "smc #0",
            "mov {skipped}, #1",
            skipped = inout(reg) skipped,
            inout("x0") function,
            inout("x1") 4_u64 => _,
            inout("x2") 0_u64 => _,
        );
    }
    ensure_eq!(function, 0, "x0");
    ensure_eq!(skipped, 0, "the instruction behind the call was executed");
    // EL3h and EL3t; EL1t with M[1]; EL0 with its own stack pointer; AArch32's Hyp, Monitor and Supervisor mode.
    for pstate in [0x3cd, 0x3cc, 0x3c6, 0x3c1, 0x1da, 0x1d6, 0x1d3] {
        let got = call(&[GO_ON, 0, pstate]);
        ensure_eq!(got.x(0), 1, "go on in the state {pstate:#x}");
    }
    Ok(())
}

/// Returns the counts of the EL3 partition's events: its starts, cores that came on, cores that went down, cores that
/// kept their power; and the number of its requests that failed.
fn events() -> [u64; 5] {
    let got = call(&[0xc200_0008]);
    [0, 1, 2, 3, 4].map(|n| got.x(n))
}

/// Before the first FF-A call there was time enough: the partition that gives a time has started, once, and its request
/// was answered. The one that waits for the version has not.
fn starts_in_time() -> Outcome {
    let got = call(&[0xc200_0008]);
    ensure_eq!(got.x(5), 1, "starts of the partition that gives a time");
    ensure_eq!(got.x(0), 0, "starts of the one that waits");
    ensure_eq!(got.x(4), 0, "requests that failed");
    Ok(())
}

/// An EL3 partition is told of cores that come on, go down, or keep their power because the SPMC refuses. Each time it
/// sends a message to a secure partition, while other cores make requests of their own.
fn partition_events() -> Outcome {
    let [starts, ..] = events();
    ensure_eq!(starts, 1, "times it started");
    let core = cores::another();
    let mut before = events();
    let mut new = |what: &str, want: [u64; 5]| {
        let now = events();
        for (n, (now, before)) in now.into_iter().zip(before).enumerate() {
            ensure_eq!(now - before, want[n], "event {n} after {what}");
        }
        before = now;
        Ok(())
    };
    let function = || call(&[0xc200_0009]).x(0);
    for _ in 0..3 {
        cores::turn_off(core)?;
        ensure_eq!(function(), 0x8400_0002, "the power-down: CPU_OFF");
        new("CPU_OFF", [0, 0, 1, 0, 0])?;
        asks()?;
        cores::turn_on(core)?;
        new("CPU_ON", [0, 1, 0, 0, 0])?;
        asks()?;
    }
    suspend_and_wake(core)?;
    ensure_eq!(function(), 0xc400_0001, "the power-down: CPU_SUSPEND");
    new("CPU_SUSPEND", [0, 0, 1, 1, 0])?;
    ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, 1]);
    let refused = cores::try_turn_off(core)?;
    ensure!(refused == Some(DENIED), "the SPMC refuses CPU_OFF");
    new("CPU_OFF in vain", [0, 0, 1, 1, 0])?;
    cores::turn_off(core)?;
    cores::turn_on(core)
}

/// Whether the SPMC refuses the next power-down.
static REFUSE: AtomicBool = AtomicBool::new(false);

fn refuse_once(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    if message.x(1) == ffa::route(0, ffa::SPMC) && message.x(3) == 1 {
        REFUSE.store(true, SeqCst);
    }
    let power = message.x(2) == ffa::FRAMEWORK | ffa::message::POWER;
    let refuse = power && REFUSE.swap(false, SeqCst);
    refuse.then(|| ffa::framework_response(message, ffa::message::POWER_RESPONSE, DENIED))
}

/// Just before the SPMC hears of a power-down, an EL3 partition has sent a request of its own. An interrupt of the normal
/// world's that comes then is not EL3's.
fn power_interrupted() -> Outcome {
    irq::install(NORMAL_SGI, irq::count_only);
    for core in cores::others() {
        let before = irq::count(core, NORMAL_SGI);
        cores::on(core, |core| {
            gic::enable(core, NORMAL_SGI);
            Ok(())
        })?;
        // The interrupt, which the SPMC sends at each power message, ends the state.
        suspend_and_wake(core)?;
        let came = timer::wait_until(5, || irq::count(core, NORMAL_SGI) > before);
        ensure!(came, "the interrupt did not come");
        cores::turn_off(core)?;
        cores::turn_on(core)?;
    }
    Ok(())
}

/// An SGI of the normal world's that nobody else uses.
const NORMAL_SGI: u32 = 5;

fn interrupt_power(s: &Secure, message: &Regs) -> Option<Regs> {
    let power = ffa::FRAMEWORK | ffa::message::POWER;
    if message.function() & !ffa::SMC64 == ffa::DIRECT_REQ && message.x(2) == power {
        gic::send_sgi_other_world(s.core, NORMAL_SGI);
        let seen = timer::wait_until(20, || gic::pending_lines() != 0);
        s.expect(seen, "the normal world's interrupt is signalled");
    }
    None
}

/// The number of FFA_INTERRUPTs that the SPMC got.
static INTERRUPTS: AtomicU64 = AtomicU64::new(0);

/// Counts FFA_INTERRUPTs. A direct request with 1 in x3 is answered by their number.
fn count_interrupts(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::INTERRUPT {
        INTERRUPTS.fetch_add(1, SeqCst);
    }
    let asked = message.function() == ffa::DIRECT_REQ && message.x(1) == ffa::route(0, ffa::SPMC);
    asked.then(|| ffa::response(message, &[INTERRUPTS.load(SeqCst)]))
}

/// Asks the SPMC for its number of FFA_INTERRUPTs.
fn interrupts() -> u64 {
    ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]).x(3)
}

/// The handler of a Group 0 interrupt runs when the interrupt comes while the normal world runs. It sends a message to
/// a partition, and decides what runs next: the normal world, or the SPMC with FFA_INTERRUPT.
fn group0() -> Outcome {
    for spmc_next in [0, 1] {
        let (before, interrupted) = (call(&[HANDLED]).x(0), interrupts());
        let got = call(&[RAISE, spmc_next]);
        ensure_eq!(got.x(0), 0, "the interrupt is raised");
        ensure_eq!(got.x(3), 0x0707_0003, "x3 behind the interrupt");
        let came = timer::wait_until(5, || call(&[HANDLED]).x(0) > before);
        ensure!(came, "the interrupt was not handled");
        let got = call(&[HANDLED]);
        ensure_eq!(got.x(0), before + 1, "times it was handled");
        ensure_eq!(got.x(1), 0, "its handler asked the partition");
        ensure_eq!(got.x(2), (before + 1) | 0x100, "which said");
        ensure_eq!(
            interrupts(),
            interrupted + spmc_next,
            "FFA_INTERRUPTs to the SPMC"
        );
    }
    Ok(())
}

/// When the SPMC calls the service, the service knows that, and cannot send messages, because the SPMC waits for it.
/// Nor can the interrupt's handler, when the SPMC has EL3 handle the interrupt; its choice of what runs next does not
/// count then.
fn secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        s.expect(message.function() != ffa::INTERRUPT, "no FFA_INTERRUPT");
        return None;
    }
    let got = call(&[WHO, 77]);
    s.expect_eq(got.x(0), 1, "the secure world calls");
    s.expect_eq(got.x(1), s.core as u64, "the core");
    s.expect_eq(got.x(2), 77, "x1 of the call");
    s.expect_eq(got.x(3), 0x0707_0003, "x3");
    s.expect_eq(call(&[0x8200_0006]).x(0), 1, "a call for the SPMC");
    s.expect_eq(call(&[ASK, 1]).x(0), 1, "the service asks: busy");
    s.expect_eq(
        call(&[GO_ON, 4]).x(0),
        NOT_SUPPORTED,
        "a call for the normal world",
    );
    let before = call(&[HANDLED]).x(0);
    call(&[RAISE, 1]);
    s.expect_eq(
        call(&[HANDLED]).x(0),
        before,
        "it waits while the SPMC runs",
    );
    let got = ffa::call(ffa::EL3_INTR_HANDLE, &[]);
    s.expect_eq(
        got.function().into(),
        ffa::SUCCESS.into(),
        "FFA_EL3_INTR_HANDLE",
    );
    let got = call(&[HANDLED]);
    s.expect_eq(got.x(0), before + 1, "times it was handled");
    s.expect_eq(got.x(1), 1, "the handler asks: busy");
    None
}

/// The service answers call count, UUID and revision on every core.
fn queries() -> Outcome {
    cores::on_each(|_| {
        let ask = |function, want: &[u64]| {
            let got = call(&[function]);
            for n in 0..18 {
                let want = want.get(n).copied().unwrap_or(0x0707_0000 | n as u64);
                ensure_eq!(got.x(n), want, "x{n} of {function:#x}");
            }
            Ok(())
        };
        ask(0x8200_ff00, &[14])?;
        ask(
            0x8200_ff01,
            &[0xb852_7c0f, 0x694d_143e, 0xd1c5_209b, 0x9643_8e7a],
        )?;
        ask(0x8200_ff03, &[2, 1])
    })
}

/// Checks Janus' version, build and platform, in both forms of the calls, and the general queries. Returns what is
/// wrong, if anything.
fn wrong_identity() -> Option<&'static str> {
    let part = |digits: &str| digits.parse().unwrap_or(u64::MAX);
    let version =
        part(env!("CARGO_PKG_VERSION_MAJOR")) << 16 | part(env!("CARGO_PKG_VERSION_MINOR"));
    let mut name = [0; 28];
    name[..machine::HERE.name.len()].copy_from_slice(machine::HERE.name.as_bytes());
    for wide in [0, 1 << 30] {
        let got = call(&[0x8700_0000 | wide]);
        if got.0[..3] != [0, version, part(env!("CARGO_PKG_VERSION_PATCH"))] {
            return Some("the version");
        }
        if got.x(3) | got.x(4) == 0 || (got.x(3) | got.x(4)) >> 32 != 0 {
            return Some("the build");
        }
        if got.0[5..9] != [0, 0, 0, 0x0707_0008] {
            return Some("x5 to x8 after the version");
        }
        let got = call(&[0x8700_0001 | wide]);
        let words = name.chunks_exact(4);
        let mut words = words.map(|word| word.iter().rev().fold(0, |w, b| w << 8 | u64::from(*b)));
        if got.x(0) != 0 || !(1..8).all(|n| words.next() == Some(got.x(n))) {
            return Some("the platform's name");
        }
        if got.x(8) != 0x0707_0008 {
            return Some("x8 after the platform's name");
        }
    }
    let uuid = [0x632e_0f6d, 0x0b4c_a491, 0x1e5b_378a, 0x04c9_d27f];
    if call(&[0x8700_ff01]).0[..4] != uuid {
        return Some("the UUID");
    }
    if call(&[0x8700_ff03]).0[..2] != [1, 0] {
        return Some("the revision");
    }
    (call(&[0x8700_ff00]).x(0) < 4).then_some("the call count")
}

/// The normal world gets Janus' version and platform on each core.
fn identity() -> Outcome {
    cores::on_each(|_| match wrong_identity() {
        Some(wrong) => crate::fail!("wrong: {wrong}"),
        None => Ok(()),
    })
}

/// The SPMC gets Janus' version and platform on each core.
fn identity_from_secure() -> Outcome {
    cores::on_each(|_| hypervisor::ask_spmc())
}

fn identity_secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ
        && let Some(wrong) = wrong_identity()
    {
        s.fail(format_args!("wrong: {wrong}"));
    }
    None
}
