//! Cases about CPU_SUSPEND, SYSTEM_SUSPEND and the rest of PSCI: functions that exist work, others say NOT_SUPPORTED,
//! and PSCI_FEATURES reports both correctly.

use crate::arch::{entry, gic, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::ffa::{FRAMEWORK, message as number};
use crate::framework::psci::{self, error};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, irq};
use crate::{ensure, ensure_eq, machine, skip};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("psci/features-truth", features_truth).needs(Needs::NO_FFA.union(Needs::JANUS)),
    Case::new("psci/suspend-standby", standby).needs(Needs::NO_FFA),
    Case::new("psci/suspend-pending", pending).needs(Needs::NO_FFA),
    Case::new("psci/suspend-power-down", power_down)
        .needs(Needs::NO_FFA.union(Needs::CORES).union(Needs::JANUS)),
    Case::new("psci/suspend-messages", suspend_messages)
        .secure(suspend_messages_secure)
        .needs(Needs::CORES.union(Needs::JANUS)),
    Case::new("psci/suspend-unknown", suspend_unknown)
        .secure(suspend_unknown_secure)
        .needs(Needs::CORES.union(Needs::JANUS).union(Needs::LAST)),
    Case::new("psci/suspend-bad", bad).needs(Needs::NO_FFA.union(Needs::JANUS)),
    Case::new("psci/system-suspend-denied", system_suspend_denied)
        .needs(Needs::NO_FFA.union(Needs::CORES).union(Needs::JANUS)),
    Case::new("psci/system-suspend", system_suspend)
        .secure(system_suspend_secure)
        .needs(Needs::JANUS),
    Case::new("psci/secure-caller", secure_caller)
        .secure(secure_caller_secure)
        .needs(Needs::JANUS),
];

fn features(id: u32) -> i32 {
    psci::call(psci::PSCI_FEATURES, &[u64::from(id)])
}

/// A function that PSCI_FEATURES does not report returns NOT_SUPPORTED. One that it reports returns something else. All
/// are called with invalid arguments, so that they do nothing.
fn features_truth() -> Outcome {
    const ENDS: [u32; 9] = [
        psci::PSCI_CPU_OFF,
        psci::PSCI_SYSTEM_OFF,
        psci::PSCI_SYSTEM_RESET,
        psci::PSCI_SYSTEM_RESET2_32,
        psci::PSCI_SYSTEM_RESET2_64,
        psci::PSCI_CPU_FREEZE,
        psci::PSCI_FEATURES, // tested elsewhere
        0x8400_0015,         // SYSTEM_OFF2
        0xc400_0015,
    ];
    for number in 0..0x20 {
        for id in [0x8400_0000 | number, 0xc400_0000 | number] {
            // Invalid arguments of these can suspend the core, too.
            let suspends = [
                psci::PSCI_CPU_DEFAULT_SUSPEND_32,
                psci::PSCI_CPU_DEFAULT_SUSPEND_64,
                psci::PSCI_SYSTEM_SUSPEND_32,
                psci::PSCI_SYSTEM_SUSPEND_64,
            ];
            if ENDS.contains(&id) || suspends.contains(&id) {
                continue;
            }
            let wrong = 0xffff_ffff;
            let (says, does) = (features(id), psci::call(id, &[wrong, 1, wrong]));
            if (says == error::NOT_SUPPORTED) != (does == error::NOT_SUPPORTED) {
                crate::fail!("PSCI_FEATURES({id:#x}) says {says}, calling it says {does}");
            }
        }
    }
    Ok(())
}

/// Starts this core's EL2 timer, whose interrupt is pending after `microseconds`. It is enabled in the
/// redistributor and masked at the core, so that it only wakes the core.
fn arm(core: usize, microseconds: u64) {
    crate::daif!(set "0x7");
    irq::install(timer::EL2_INTID, |_, _| timer::stop_el2());
    gic::enable(core, timer::EL2_INTID);
    timer::start_el2(microseconds);
}

fn disarm(core: usize) {
    timer::stop_el2();
    crate::daif!(clear "0x7");
    gic::disable(core, timer::EL2_INTID);
}

/// Starts the timer that wakes `core` when it has no power, as [`arm`] does with the EL2 timer.
fn arm_wake_up(core: usize, microseconds: u64) {
    crate::daif!(set "0x7");
    irq::install(timer::wake_up_intid(), |_, _| timer::stop_wake_up());
    gic::enable(core, timer::wake_up_intid());
    timer::start_wake_up(microseconds);
}

fn disarm_wake_up(core: usize) {
    timer::stop_wake_up();
    crate::daif!(clear "0x7");
    gic::disable(core, timer::wake_up_intid());
}

/// The power state for standby of this core.
const STANDBY: u64 = machine::HERE.standby as u64;

/// An interrupt that comes later ends standby.
pub fn standby() -> Outcome {
    if features(psci::PSCI_CPU_SUSPEND_64) < 0 {
        skip!("no CPU_SUSPEND");
    }
    cores::on_each(|core| {
        for function in [psci::PSCI_CPU_SUSPEND_64, psci::PSCI_CPU_SUSPEND_32] {
            arm(core, 2_000);
            let status = psci::call(function, &[STANDBY, 0, 0]);
            let woken = gic::is_pending(core, timer::EL2_INTID);
            disarm(core);
            ensure_eq!(status, error::SUCCESS, "CPU_SUSPEND to standby");
            ensure!(woken, "CPU_SUSPEND came back before its wake-up interrupt");
        }
        Ok(())
    })
}

/// With an interrupt pending, standby ends at once.
fn pending() -> Outcome {
    if features(psci::PSCI_CPU_SUSPEND_64) < 0 {
        skip!("no CPU_SUSPEND");
    }
    cores::on_each(|core| {
        arm(core, 0);
        let came = timer::wait_until(5, || gic::is_pending(core, timer::EL2_INTID));
        let status = if came {
            psci::call(psci::PSCI_CPU_SUSPEND_64, &[STANDBY, 0, 0])
        } else {
            -100
        };
        disarm(core);
        ensure!(came, "the timer's interrupt is not pending");
        ensure_eq!(
            status,
            error::SUCCESS,
            "CPU_SUSPEND with an interrupt pending"
        );
        Ok(())
    })
}

/// Returns the power state for power-down of this core, in the format in use.
pub fn power_down_state() -> u32 {
    let state = machine::HERE.core_off;
    if features(psci::PSCI_CPU_SUSPEND_64) & 2 != 0 {
        machine::extended(state)
    } else {
        state
    }
}

/// Has `core` suspend to a power-down state, with a timer to wake it. Returns its x0 when it goes on.
pub fn suspend_once(core: usize) -> Result<u64, crate::framework::case::Why> {
    // Late enough that it does not come before the core sleeps, even on a slow machine.
    let back = cores::suspend(core, power_down_state(), |n| {
        arm_wake_up(n, 50_000 * times())
    })?;
    cores::on(core, |n| {
        disarm_wake_up(n);
        Ok(())
    })?;
    Ok(back)
}

/// Has `core` suspend to a power-down state, with a timer to wake it, until it has really been there.
pub fn suspend_and_wake(core: usize) -> Outcome {
    for early in 1..=20 {
        let back = suspend_once(core)?;
        if back == cores::CONTEXT | core as u64 {
            return Ok(());
        }
        // If the timer was too early all the same, there was no suspend, and no power message.
        ensure_eq!(
            back as i32,
            error::SUCCESS,
            "CPU_SUSPEND to power-down on core {core}"
        );
        TOO_EARLY.store(early, SeqCst);
    }
    crate::fail!("core {core} never powered down: an interrupt seems to be pending at all times")
}

/// The number of times that the wake-up came too early. Each time it is set later.
static TOO_EARLY: AtomicU64 = AtomicU64::new(0);

fn times() -> u64 {
    TOO_EARLY.load(SeqCst) + 1
}

/// A core that suspends to a power-down state comes back at its entry point, with its context ID.
fn power_down() -> Outcome {
    for core in cores::others() {
        for _ in 0..3 {
            suspend_and_wake(core)?;
        }
    }
    Ok(())
}

/// The number of messages to the SPMC: power requests in the lower half, warm boots in the upper half.
static MESSAGES: AtomicU64 = AtomicU64::new(0);

/// The SPMC is told of the suspend before it and of the warm boot after it, and then answers messages again.
fn suspend_messages() -> Outcome {
    for core in cores::others() {
        let before = count()?;
        suspend_and_wake(core)?;
        let after = count()?;
        let (requests, warm_boots) = ((after - before) & 0xffff_ffff, (after - before) >> 32);
        ensure_eq!(
            requests,
            1,
            "power requests to the SPMC for a power-down suspend"
        );
        ensure_eq!(
            warm_boots,
            1,
            "warm boot messages to the SPMC after a power-down suspend"
        );
        cores::on(core, |_| count().map(|_| ()))?;
    }
    // The SPMC is not told of a standby.
    let before = count()?;
    standby()?;
    ensure_eq!(count()?, before, "messages to the SPMC for a standby");
    Ok(())
}

fn count() -> Result<u64, crate::framework::case::Why> {
    let got = ffa::call(ffa::DIRECT_REQ | ffa::SMC64, &[ffa::route(0, ffa::SPMC)]);
    ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP | ffa::SMC64,
        "answer to a direct request"
    );
    Ok(got.x(3))
}

fn suspend_messages_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !ffa::SMC64 != ffa::DIRECT_REQ {
        return None;
    }
    if message.x(2) & FRAMEWORK == 0 {
        return Some(ffa::response(message, &[MESSAGES.load(SeqCst)]));
    }
    s.expect_eq(
        message.x(1),
        ffa::route(ffa::SPMD, ffa::SPMC),
        "w1 of a power message",
    );
    match message.x(2) & 0xff {
        number::POWER => {
            let function = message.w(3);
            let suspend =
                function == psci::PSCI_CPU_SUSPEND_64 || function == psci::PSCI_CPU_SUSPEND_32;
            s.expect(suspend, "w3 of the power message is not CPU_SUSPEND");
            MESSAGES.fetch_add(1, SeqCst);
        }
        number::WARM_BOOT => {
            s.expect_eq(message.x(3), 1, "w3 of the warm boot message");
            MESSAGES.fetch_add(1 << 32, SeqCst);
        }
        _ => s.fail(format_args!("an unexpected framework message: {message}")),
    }
    None
}

/// An SPMC that does not know the messages of a suspend gets each of them, and the suspend goes on.
fn suspend_unknown() -> Outcome {
    for core in cores::others() {
        for _ in 0..2 {
            suspend_and_wake(core)?;
        }
        cores::on(core, |_| count().map(|_| ()))?;
    }
    ensure_eq!(
        count()?,
        1 << 32 | 1,
        "messages of suspends, warm boots in the upper half"
    );
    Ok(())
}

fn suspend_unknown_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !ffa::SMC64 != ffa::DIRECT_REQ {
        return None;
    }
    if message.x(2) & FRAMEWORK == 0 {
        return Some(ffa::response(message, &[UNKNOWN.load(SeqCst)]));
    }
    // The two ways to answer that a message is unknown.
    match message.x(2) & 0xff {
        number::POWER if message.w(3) == psci::PSCI_CPU_SUSPEND_64 => {
            UNKNOWN.fetch_add(1, SeqCst);
            let status = error::NOT_SUPPORTED;
            Some(ffa::framework_response(
                message,
                number::POWER_RESPONSE,
                status,
            ))
        }
        number::WARM_BOOT => {
            UNKNOWN.fetch_add(1 << 32, SeqCst);
            Some(ffa::error(ffa::NOT_SUPPORTED))
        }
        _ => None,
    }
}

/// The number of messages that [`suspend_unknown_secure`] did not know.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

/// CPU_SUSPEND refuses power states that do not exist, reserved bits, and entry points at which no code can be.
fn bad() -> Outcome {
    if features(psci::PSCI_CPU_SUSPEND_64) < 0 {
        skip!("no CPU_SUSPEND");
    }
    let good = crate::arch::entry::secondary_entry();
    for state in [
        0xffff_ffff,
        0x8000_0000,
        0x0400_0000,
        0x0300_0000,
        0x0000_ffff,
    ] {
        let status = psci::call(psci::PSCI_CPU_SUSPEND_64, &[state, good, 0]);
        ensure_eq!(status, error::INVALID_PARAMETERS, "CPU_SUSPEND({state:#x})");
    }
    for address in machine::HERE.not_normal.into_iter().chain([0, !0xfff]) {
        let status = psci::call(
            psci::PSCI_CPU_SUSPEND_64,
            &[u64::from(power_down_state()), address, 0],
        );
        let refused = status == error::INVALID_ADDRESS || status == error::INVALID_PARAMETERS;
        ensure!(
            refused,
            "CPU_SUSPEND to power-down with entry point {address:#x}: {status}"
        );
    }
    Ok(())
}

/// SYSTEM_SUSPEND is DENIED while another core is on.
fn system_suspend_denied() -> Outcome {
    if features(psci::PSCI_SYSTEM_SUSPEND_64) < 0 {
        skip!("no SYSTEM_SUSPEND");
    }
    let good = crate::arch::entry::secondary_entry();
    let status = psci::call(psci::PSCI_SYSTEM_SUSPEND_64, &[good, 0]);
    ensure_eq!(status, error::DENIED, "SYSTEM_SUSPEND with other cores on");
    let status = psci::call(psci::PSCI_SYSTEM_SUSPEND_64, &[0, 0]);
    ensure!(
        status == error::INVALID_ADDRESS || status == error::DENIED,
        "SYSTEM_SUSPEND with entry point 0: {status}"
    );
    Ok(())
}

/// The last core suspends the system. Its timer wakes it at the entry point, with its context ID, and
/// the SPMC is told of both.
fn system_suspend() -> Outcome {
    if features(psci::PSCI_SYSTEM_SUSPEND_64) < 0 {
        skip!("no SYSTEM_SUSPEND");
    }
    for core in cores::others() {
        cores::turn_off(core)?;
    }
    let (me, context) = (cores::boot_core(), cores::CONTEXT | 0x5e);
    for round in 1..=20 {
        let before = count()?;
        arm_wake_up(me, 50_000 * round);
        let back = entry::suspend(psci::PSCI_SYSTEM_SUSPEND_64, context);
        let woken = gic::is_pending(me, timer::wake_up_intid());
        disarm_wake_up(me);
        cores::init_interrupts();
        if back == u64::from(error::SUCCESS as u32) {
            // The timer came before the suspend. It is set later next time.
            ensure_eq!(count()?, before, "messages to the SPMC for no suspend");
            continue;
        }
        ensure_eq!(back, context, "x0 at the entry point of SYSTEM_SUSPEND");
        ensure!(
            woken,
            "SYSTEM_SUSPEND came back before its wake-up interrupt"
        );
        let messages = count()? - before;
        ensure_eq!(
            messages,
            1 << 32 | 1,
            "messages to the SPMC, warm boots in the upper half"
        );
        // Everything works: other cores come on, with their SPMC.
        for core in cores::others() {
            cores::turn_on(core)?;
            cores::on(core, |_| count().map(|_| ()))?;
        }
        return Ok(());
    }
    crate::fail!("the system never suspended: an interrupt seems to be pending at all times")
}

fn system_suspend_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !ffa::SMC64 != ffa::DIRECT_REQ {
        return None;
    }
    if message.x(2) & FRAMEWORK == 0 {
        return Some(ffa::response(message, &[MESSAGES.load(SeqCst)]));
    }
    match message.x(2) & 0xff {
        number::POWER if message.w(3) == psci::PSCI_SYSTEM_SUSPEND_64 => {
            MESSAGES.fetch_add(1, SeqCst);
        }
        // The other cores turn off before the system suspends.
        number::POWER => s.expect_eq(
            message.x(3),
            psci::PSCI_CPU_OFF.into(),
            "w3 of the power message",
        ),
        number::WARM_BOOT => {
            s.expect_eq(
                message.x(3),
                0,
                "w3 of the warm boot message: from suspend to RAM",
            );
            MESSAGES.fetch_add(1 << 32, SeqCst);
        }
        _ => s.fail(format_args!("an unexpected framework message: {message}")),
    }
    None
}

/// PSCI is for the normal world alone: calls of the SPMC are refused, and do nothing.
fn secure_caller() -> Outcome {
    cores::on_each(|_| count().map(|_| ()))
}

fn secure_caller_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    for id in [
        psci::PSCI_CPU_OFF,
        psci::PSCI_CPU_ON_64,
        psci::PSCI_CPU_SUSPEND_64,
        psci::PSCI_SYSTEM_OFF,
        psci::PSCI_SYSTEM_RESET,
        psci::PSCI_SYSTEM_SUSPEND_64,
        psci::PSCI_AFFINITY_INFO_64,
    ] {
        let got = ffa::call(id, &[0, entry::image().start, 0]);
        s.expect_eq(
            u64::from(got.function()),
            u64::from(u32::MAX),
            "w0 of a PSCI call from the secure world",
        );
    }
    None
}
