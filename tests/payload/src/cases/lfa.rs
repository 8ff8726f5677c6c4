//! Live firmware activation (DEN0147) of a secure partition. The image is built with `--features lab`, and the partition
//! is its component (plat/src/qemu/live.rs). The test SPMC plays the partition, and does with the messages what the case
//! tells it.

use crate::arch::{smc, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, hypervisor};
use crate::{ensure, ensure_eq};
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    case("lfa/inventory", inventory),
    case("lfa/secure", hypervisor::ask_spmc).secure(secure_calls),
    case("lfa/activate", activate),
    case("lfa/bad-image", bad_image),
    case("lfa/refused", refused),
    case("lfa/interrupted", interrupted),
    case("lfa/cancel", cancel),
    case("lfa/forged", forged),
    cores_case("lfa/gather", gather),
    cores_case("lfa/core-missing", core_missing),
    cores_case("lfa/core-off", core_off),
    cores_case("lfa/core-on", core_on),
    cores_case("lfa/skip", skip_gathering),
    Case {
        needs: Needs::JANUS.union(Needs::CORES).union(Needs::LAST),
        ..case("lfa/spmc-dies", spmc_dies)
    },
];

const fn case(name: &'static str, normal: fn() -> Outcome) -> Case {
    Case::new(name, normal)
        .secure(partition)
        .needs(Needs::JANUS)
        .in_boot("image", "lab")
}

const fn cores_case(name: &'static str, normal: fn() -> Outcome) -> Case {
    case(name, normal).needs(Needs::JANUS.union(Needs::CORES))
}

/// The calls, their flags and their answers.
const VERSION: u64 = 0xc400_02e0;
const FEATURES: u64 = 0xc400_02e1;
const INFO: u64 = 0xc400_02e2;
const INVENTORY: u64 = 0xc400_02e3;
const PRIME: u64 = 0xc400_02e4;
const ACTIVATE: u64 = 0xc400_02e5;
const CANCEL: u64 = 0xc400_02e6;
const NOT_SUPPORTED: u64 = status(-1);
const BUSY: u64 = status(-2);
const AUTH_ERROR: u64 = status(-3);
const NO_MEMORY: u64 = status(-4);
const CRITICAL_ERROR: u64 = status(-5);
const WRONG_STATE: u64 = status(-7);
const INVALID_PARAMETERS: u64 = status(-8);
const COMPONENT_WRONG_STATE: u64 = status(-9);
const ACTIVATION_FAILED: u64 = status(-11);

/// Flag of ACTIVATE: no rendezvous.
const SKIP: u64 = 1;
/// x1 of PRIME and ACTIVATE: call again.
const AGAIN: u64 = 1;

const fn status(code: i64) -> u64 {
    code as u64
}

/// The component.
const COMPONENT: u64 = 0;
/// The IDs of the EL3 logical partition that sends the messages, and of the partition that is replaced.
const AGENT: u64 = 0xffc8;
const PARTITION: u64 = 0x8007;
const PROTOCOL: [u64; 2] = [0x8f41_3a6e_0b72_5d19, 0x2c94_e7d5_6a08_b1f3];
/// The memory of the new image: a page that describes it, then the image.
const HEADER: u64 = 0x0ee0_0000;
const IMAGE: u64 = HEADER + 0x1000;
const MAGIC: u64 = u64::from_le_bytes(*b"JANUSLFA");
/// The number of the image's pages: EL3 adds them up in five calls.
const PAGES: u64 = 37;
const PRIMES: u64 = 5;

/// Makes a call with these registers from x0 on, and a known value in all others. Returns x0 to x17 after it.
fn call(arguments: &[u64]) -> Regs {
    let mut regs = Regs(core::array::from_fn(|n| 0x0707_0000 | n as u64));
    regs.0[..arguments.len()].copy_from_slice(arguments);
    smc::call(regs)
}

/// Makes a call, and checks that its answer changes `given` registers.
fn lfa(arguments: &[u64], given: usize) -> Result<Regs, crate::framework::case::Why> {
    let got = call(arguments);
    let given = if (got.x(0) as i64) < 0 { 1 } else { given };
    for n in given..18 {
        let kept = arguments.get(n).copied();
        let kept = kept.unwrap_or(0x0707_0000 | n as u64);
        ensure_eq!(got.x(n), kept, "x{n} after {:#x}", arguments[0]);
    }
    Ok(got)
}

fn expect(arguments: &[u64], given: usize, want: &[u64], what: &str) -> Outcome {
    let got = lfa(arguments, given)?;
    for (n, want) in want.iter().enumerate() {
        ensure_eq!(got.x(n), *want, "x{n}, {what}");
    }
    Ok(())
}

// What the normal world tells the SPMC: w3 of a direct request, with parameters in x4 and x5.

/// Put a new image into the memory. Parameters: its version, and an error in its sum.
const STAGE: u64 = 1;
/// Answer the messages in this way, see [`Does`].
const BEHAVE: u64 = 2;
/// Report when START came last, when FINISH came last, how often each came, and how many messages were wrong.
const REPORT: u64 = 3;

fn tell(what: u64, x4: u64, x5: u64) -> Regs {
    let function = ffa::DIRECT_REQ | ffa::SMC64;
    ffa::call(function, &[ffa::route(0, ffa::SPMC), 0, what, x4, x5])
}

/// Returns the version of the partition that answers. `None`: the partition is lost.
fn running() -> Option<u64> {
    let function = ffa::DIRECT_REQ | ffa::SMC64;
    let got = ffa::call(function, &[ffa::route(0, PARTITION)]);
    (got.function() == ffa::DIRECT_RESP | ffa::SMC64).then_some(got.x(3))
}

/// Puts the next image into the memory, and primes it.
fn primed() -> Result<u64, crate::framework::case::Why> {
    let next = running().unwrap_or_default() + (1 << 32);
    tell(STAGE, next, 0);
    prime()?;
    Ok(next)
}

fn prime() -> Outcome {
    for left in (0..PRIMES).rev() {
        let again = if left == 0 { 0 } else { AGAIN };
        expect(&[PRIME, COMPONENT], 2, &[0, again], "a piece of priming")?;
    }
    Ok(())
}

/// What the SPMC does with the messages. The numbers are the parameter of [`BEHAVE`].
#[derive(Clone, Copy)]
enum Does {
    /// What it should.
    Good,
    /// The partition refuses to stop: START fails.
    Refuses(i32),
    /// The SPMC does not know START.
    KnowsNone,
    /// The new instance does not start: FINISH fails, and the old instance runs again.
    PutsBack(i32),
    /// The partition dies: FINISH fails.
    Loses,
    /// FINISH is interrupted this many times.
    Interrupts(i32),
    /// The SPMC dies when it gets FINISH.
    Dies,
    /// The SPMC never answers FINISH.
    Silent,
    /// The partition says that it cannot be replaced.
    NotCapable,
}

impl Does {
    fn words(self) -> [u64; 2] {
        let (what, status) = match self {
            Self::Good => (0, 0),
            Self::Refuses(status) => (1, status),
            Self::KnowsNone => (2, 0),
            Self::PutsBack(status) => (3, status),
            Self::Loses => (4, 0),
            Self::Interrupts(times) => (5, times),
            Self::Dies => (6, 0),
            Self::NotCapable => (7, 0),
            Self::Silent => (8, 0),
        };
        [what, u64::from(status as u32)]
    }
}

fn behave(does: Does) {
    let [what, status] = does.words();
    tell(BEHAVE, what, status);
}

/// Checks that the SPMC got no wrong message.
fn nothing_wrong() -> Outcome {
    ensure_eq!(tell(REPORT, 0, 0).x(7), 0, "messages that were wrong");
    Ok(())
}

fn inventory() -> Outcome {
    expect(&[VERSION], 1, &[0x1_0000], "LFA_VERSION")?;
    for function in VERSION - 1..CANCEL + 3 {
        let known = (VERSION..=CANCEL).contains(&function);
        let want = if known { 0 } else { NOT_SUPPORTED };
        expect(&[FEATURES, function], 1, &[want], "LFA_FEATURES")?;
        // The SMC32 forms and the neighbouring numbers are no calls.
        let narrow = function & !(1 << 30);
        expect(&[narrow], 1, &[NOT_SUPPORTED], "a call of 32 bits")?;
        if !known {
            expect(&[function], 1, &[NOT_SUPPORTED], "no call")?;
        }
    }
    expect(&[INFO, 0], 3, &[0, 1, 0], "LFA_GET_INFO")?;
    expect(&[INFO, 1], 3, &[INVALID_PARAMETERS], "another selector")?;
    let current = running().unwrap_or_default();
    tell(STAGE, current, 0);
    let about = |flags, pending| {
        [
            0,
            0x964f_d248_317c_0a5e,
            0x84f2_da6c_1709_e5b3,
            flags,
            current,
            pending,
        ]
    };
    expect(&[INVENTORY, 0], 6, &about(0b1001, 0), "nothing waits")?;
    expect(&[PRIME, 0], 2, &[WRONG_STATE], "nothing waits")?;
    tell(STAGE, current + 7, 0);
    let waits = about(0b1011, current + 7);
    expect(&[INVENTORY, 0], 6, &waits, "an image waits")?;
    for function in [INVENTORY, PRIME, ACTIVATE, CANCEL] {
        for none in [1, 1 << 32, u64::MAX] {
            expect(&[function, none], 6, &[INVALID_PARAMETERS], "no component")?;
        }
    }
    let not_primed = [COMPONENT_WRONG_STATE];
    expect(&[ACTIVATE, COMPONENT], 2, &not_primed, "not primed")?;
    nothing_wrong()
}

/// The secure world has none of the calls.
fn secure_calls(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        for function in VERSION..=CANCEL {
            s.expect_eq(call(&[function, 0]).x(0), NOT_SUPPORTED, "a call");
        }
    }
    None
}

fn activate() -> Outcome {
    for _ in 0..3 {
        let next = primed()?;
        ensure!(running() != Some(next), "it runs before it is activated");
        expect(&[PRIME, COMPONENT], 2, &[0, 0], "primed already")?;
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[0, 0], "LFA_ACTIVATE")?;
        ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
        let got = lfa(&[INVENTORY, COMPONENT], 6)?;
        ensure_eq!(got.x(3), 0b1001, "flags");
        ensure_eq!(got.x(4), next, "the current version");
        let again = [COMPONENT_WRONG_STATE];
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &again, "a second time")?;
    }
    nothing_wrong()
}

fn bad_image() -> Outcome {
    let current = running();
    tell(STAGE, current.unwrap_or_default() + (1 << 32), 1);
    for _ in 1..PRIMES {
        expect(&[PRIME, COMPONENT], 2, &[0, AGAIN], "priming")?;
    }
    expect(&[PRIME, COMPONENT], 2, &[AUTH_ERROR], "a wrong sum")?;
    let not_primed = [COMPONENT_WRONG_STATE];
    expect(&[ACTIVATE, COMPONENT, SKIP], 2, &not_primed, "not primed")?;
    ensure!(running() == current, "the old one does not go on");
    // The right image after it is primed from its beginning.
    primed()?;
    expect(&[CANCEL, COMPONENT], 1, &[0], "LFA_CANCEL")
}

/// Each failure has its own status. The partition goes on, unless it is lost.
fn refused() -> Outcome {
    for (does, want, lost) in [
        (Does::Refuses(ffa::DENIED), COMPONENT_WRONG_STATE, false),
        (Does::Refuses(ffa::NO_MEMORY), NO_MEMORY, false),
        (Does::Refuses(ffa::NOT_SUPPORTED), NOT_SUPPORTED, false),
        (Does::Refuses(ffa::ABORTED), CRITICAL_ERROR, false),
        (Does::Refuses(-77), ACTIVATION_FAILED, false),
        (Does::KnowsNone, INVALID_PARAMETERS, false),
        (Does::NotCapable, NOT_SUPPORTED, false),
        (Does::PutsBack(ffa::NO_MEMORY), ACTIVATION_FAILED, false),
        (Does::PutsBack(ffa::DENIED), ACTIVATION_FAILED, false),
        (Does::Loses, CRITICAL_ERROR, true),
    ] {
        let before = running();
        primed()?;
        behave(does);
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[want], "LFA_ACTIVATE")?;
        let after = running();
        let wanted = if lost { None } else { before };
        ensure!(after == wanted, "after {want:#x} the wrong one runs");
        let again = [COMPONENT_WRONG_STATE];
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &again, "a second time")?;
        behave(Does::Good);
        primed()?;
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[0, 0], "after it")?;
    }
    // After BUSY the component stays primed.
    for code in [ffa::BUSY, ffa::RETRY, ffa::INTERRUPTED] {
        let next = primed()?;
        behave(Does::Refuses(code));
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[BUSY], "a busy one")?;
        behave(Does::Good);
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[0, 0], "after it")?;
        ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
    }
    nothing_wrong()
}

/// "Call again" repeats FINISH, and not START.
fn interrupted() -> Outcome {
    let next = primed()?;
    behave(Does::Interrupts(2));
    for _ in 0..2 {
        expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[0, AGAIN], "interrupted")?;
        expect(&[CANCEL, COMPONENT], 1, &[BUSY], "too late to cancel")?;
    }
    expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[0, 0], "the third time")?;
    ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
    nothing_wrong()
}

fn cancel() -> Outcome {
    let current = running();
    expect(&[CANCEL, COMPONENT], 1, &[INVALID_PARAMETERS], "nothing")?;
    primed()?;
    expect(&[CANCEL, COMPONENT], 1, &[0], "LFA_CANCEL")?;
    let not_primed = [COMPONENT_WRONG_STATE];
    expect(&[ACTIVATE, COMPONENT, SKIP], 2, &not_primed, "cancelled")?;
    // A cancel in the middle of priming: priming begins anew.
    expect(&[PRIME, COMPONENT], 2, &[0, AGAIN], "a piece")?;
    expect(&[CANCEL, COMPONENT], 1, &[0], "LFA_CANCEL")?;
    prime()?;
    expect(&[CANCEL, COMPONENT], 1, &[0], "LFA_CANCEL")?;
    ensure!(running() == current, "the old one does not go on");
    nothing_wrong()
}

/// The normal world can neither send these messages nor answer them, and never gets one.
fn forged() -> Outcome {
    for function in [ffa::DIRECT_REQ, ffa::DIRECT_REQ | ffa::SMC64] {
        for number in 0xa..=0xf {
            for sender in [0, 1, AGENT, ffa::SPMD] {
                let route = ffa::route(sender, ffa::SPMC);
                let message = [route, ffa::FRAMEWORK | number, PARTITION, IMAGE, PAGES];
                let got = ffa::call(function, &message);
                ffa::expect_error(&got, ffa::INVALID_PARAMETERS, "a forged request")?;
                let route = ffa::route(ffa::SPMC, sender);
                let response = [route, ffa::FRAMEWORK | number, 0];
                let got = ffa::call(function + 1, &response);
                ffa::expect_error(&got, ffa::DENIED, "a forged response")?;
            }
        }
    }
    nothing_wrong()
}

/// For each core: the system counter before and after its call, and the call's answer.
struct Seen {
    before: AtomicU64,
    after: AtomicU64,
    told: AtomicU64,
}

/// All cores call. One of them activates while all are held, and all get the same answer.
fn gather() -> Outcome {
    for round in 0..20 {
        let next = primed()?;
        let fails = round % 4 == 3;
        behave(if fails {
            Does::PutsBack(ffa::NO_MEMORY)
        } else {
            Does::Good
        });
        let seen: [Seen; crate::arch::MAX_CORES] = core::array::from_fn(|_| Seen {
            before: AtomicU64::new(u64::MAX),
            after: AtomicU64::new(0),
            told: AtomicU64::new(0),
        });
        let starts = tell(REPORT, 0, 0).x(5);
        cores::on_each(|core| {
            let seen = &seen[core];
            seen.before.store(timer::now(), SeqCst);
            let mut got = call(&[ACTIVATE, COMPONENT, 0]).x(0);
            // On a loaded host some come too late.
            while got == BUSY {
                seen.before.store(timer::now(), SeqCst);
                got = call(&[ACTIVATE, COMPONENT, 0]).x(0);
            }
            seen.told.store(got, SeqCst);
            seen.after.store(timer::now(), SeqCst);
            Ok(())
        })?;
        let report = tell(REPORT, 0, 0);
        ensure_eq!(report.x(5), starts + 1, "START messages");
        for (core, of) in seen.iter().enumerate().take(cores::count()) {
            let [before, after, told] = [&of.before, &of.after, &of.told].map(|it| it.load(SeqCst));
            let want = if fails { ACTIVATION_FAILED } else { 0 };
            ensure_eq!(told, want, "what core {core} is told");
            ensure!(before <= report.x(3), "core {core} came after START");
            ensure!(after >= report.x(4), "core {core} left before FINISH");
        }
        if !fails {
            ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
        }
    }
    behave(Does::Good);
    nothing_wrong()
}

/// A core that does not come holds the others for a second. The component stays primed.
fn core_missing() -> Outcome {
    let next = primed()?;
    let before = timer::now();
    expect(&[ACTIVATE, COMPONENT, 0], 2, &[BUSY], "alone")?;
    ensure!(
        timer::now() - before >= timer::ticks(900_000),
        "it did not wait for the others"
    );
    ensure!(running() != Some(next), "activated without the others");
    expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[0, 0], "without them")?;
    ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
    // One core waits, and another one cancels.
    primed()?;
    cores::beside(
        cores::another(),
        |_| {
            let mut got = call(&[ACTIVATE, COMPONENT, 0]).x(0);
            // On a loaded host the second can be over before the other core cancels.
            let mut late = false;
            while got == BUSY {
                late = true;
                got = call(&[ACTIVATE, COMPONENT, 0]).x(0);
            }
            if !(late && got == COMPONENT_WRONG_STATE) {
                ensure_eq!(got, ACTIVATION_FAILED, "what the one that waits is told");
            }
            Ok(())
        },
        || {
            // The component is primed, and not gathering, until the other core waits.
            let waits = || call(&[PRIME, COMPONENT]).x(0) == BUSY;
            ensure!(timer::wait_until(30, waits), "the other core does not wait");
            expect(&[CANCEL, COMPONENT], 1, &[0], "LFA_CANCEL")
        },
    )?;
    nothing_wrong()
}

/// Nobody waits for cores that are off, or that turn off while a core waits.
fn core_off() -> Outcome {
    let next = primed()?;
    for core in cores::others() {
        cores::turn_off(core)?;
    }
    expect(&[ACTIVATE, COMPONENT, 0], 2, &[0, 0], "the others are off")?;
    ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
    cores::turn_all_on()?;
    for _ in 0..5 {
        let next = primed()?;
        for core in cores::others() {
            cores::begin_turn_off(core)?;
        }
        retry_activation()?;
        ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
        cores::turn_all_on()?;
    }
    nothing_wrong()
}

/// Activates, and repeats that while the other cores are not there yet.
fn retry_activation() -> Outcome {
    let mut got = call(&[ACTIVATE, COMPONENT, 0]);
    while got.x(0) == BUSY {
        got = call(&[ACTIVATE, COMPONENT, 0]);
    }
    ensure_eq!(got.x(0), 0, "LFA_ACTIVATE");
    ensure_eq!(got.x(1), 0, "call again");
    Ok(())
}

/// A core that waits also waits for one that is turned on meanwhile.
fn core_on() -> Outcome {
    for _ in 0..5 {
        let next = primed()?;
        let late = cores::another();
        cores::turn_off(late)?;
        let told = AtomicBool::new(false);
        let boot = cores::boot_core();
        cores::on_each(|core| {
            if core == boot {
                // The others wait, or will wait. They must not go on without the core that comes on.
                cores::turn_on(late)?;
                ensure!(!told.load(SeqCst), "activated without a core that was on");
                return cores::beside(late, |_| retry_activation(), retry_activation);
            }
            retry_activation()?;
            told.store(true, SeqCst);
            Ok(())
        })?;
        ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
    }
    nothing_wrong()
}

/// While one core activates without a rendezvous, all others go on. Their own activations are refused or done.
fn skip_gathering() -> Outcome {
    for _ in 0..10 {
        let next = primed()?;
        let done = AtomicU64::new(0);
        cores::on_each(|core| {
            let got = call(&[ACTIVATE, COMPONENT, SKIP]);
            match got.x(0) {
                0 => {
                    done.fetch_add(1, SeqCst);
                }
                BUSY | COMPONENT_WRONG_STATE => {}
                other => crate::fail!("core {core} is told {other:#x}"),
            }
            let got = ffa::call(ffa::ID_GET, &[]);
            ensure_eq!(got.function(), ffa::SUCCESS, "another call meanwhile");
            Ok(())
        })?;
        ensure_eq!(done.load(SeqCst), 1, "cores that activated it");
        ensure_eq!(running().unwrap_or_default(), next, "the version that runs");
    }
    nothing_wrong()
}

/// The SPMC dies or falls silent between the messages. The caller is told that the partition is lost, and the core
/// goes on.
fn spmc_dies() -> Outcome {
    for (core, does) in cores::others().zip([Does::Dies, Does::Silent]) {
        primed()?;
        cores::on(core, |_| {
            behave(does);
            let lost = [CRITICAL_ERROR];
            expect(&[ACTIVATE, COMPONENT, SKIP], 2, &lost, "the SPMC dies")?;
            let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
            ensure_eq!(got.function(), ffa::ERROR, "FF-A on the core");
            expect(&[VERSION], 1, &[0x1_0000], "LFA_VERSION")
        })?;
        behave(Does::Good);
    }
    // The SPMC of another core still answers.
    primed()?;
    expect(&[ACTIVATE, COMPONENT, SKIP], 2, &[0, 0], "on another core")
}

// The secure side.

/// The version of the partition that runs; 0: it is lost.
static RUNS: AtomicU64 = AtomicU64::new(1 << 32);
/// What the case wants the SPMC to do: [`Does`].
static BEHAVES: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Whether the partition is stopped.
static STOPPED: AtomicBool = AtomicBool::new(false);
/// When START and FINISH came last, how often they came, and how many of them were wrong.
static SEEN: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
const STARTS: usize = 2;
const FINISHES: usize = 3;
const WRONG: usize = 4;

fn word(at: u64) -> *mut u64 {
    with_exposed_provenance_mut(at as usize)
}

/// Writes an image and its description into the memory.
fn stage(version: u64, error: u64) {
    let mut sum = error;
    for n in 0..PAGES * 512 {
        let value = version.wrapping_mul(n | 1).wrapping_add(n << 40);
        sum = sum.wrapping_add(value);
        // SAFETY: secure memory behind the SPMC, mapped and nobody else's.
        unsafe { word(IMAGE + n * 8).write_volatile(value) };
    }
    for (n, value) in [MAGIC, version, PAGES, sum].into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { word(HEADER + n as u64 * 8).write_volatile(value) };
    }
    // EL3 reads without the caches.
    for at in (HEADER..IMAGE + PAGES * 0x1000).step_by(16) {
        // SAFETY: cleans a line of the same memory.
        unsafe { core::arch::asm!("dc cvac, {}", in(reg) at, options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier for the cleaning above.
    unsafe { core::arch::asm!("dsb sy", options(nostack, preserves_flags)) };
}

/// The SPMC with its partition.
fn partition(s: &Secure, message: &Regs) -> Option<Regs> {
    let function = message.function();
    if function == ffa::PARTITION_INFO_GET_REGS | ffa::SMC64 {
        return Some(discovered(message));
    }
    if function & !ffa::SMC64 != ffa::DIRECT_REQ {
        return None;
    }
    if message.x(1) == ffa::route(0, PARTITION) {
        return Some(match RUNS.load(SeqCst) {
            0 => ffa::error(ffa::ABORTED),
            version => ffa::response(message, &[version]),
        });
    }
    let number = message.x(2) ^ ffa::FRAMEWORK;
    if (0xa..=0xf).contains(&number) {
        return Some(live_activation(s, message, number));
    }
    if message.x(2) != 0 || message.x(1) != ffa::route(0, ffa::SPMC) {
        return None;
    }
    match message.x(3) {
        STAGE => stage(message.x(4), message.x(5)),
        BEHAVE => {
            BEHAVES[0].store(message.x(4), SeqCst);
            BEHAVES[1].store(message.x(5), SeqCst);
            // A lost partition exists again, for the next case.
            let _ = RUNS.compare_exchange(0, 1 << 32, SeqCst, SeqCst);
        }
        REPORT => {
            let seen = SEEN.each_ref().map(|it| it.load(SeqCst));
            return Some(ffa::response(message, &seen));
        }
        _ => return None,
    }
    Some(ffa::response(message, &[0]))
}

fn behaves(does: Does) -> bool {
    BEHAVES[0].load(SeqCst) == does.words()[0]
}

/// Returns the partition's descriptor of FF-A 1.3, if the partition exists. It has one execution context.
fn discovered(message: &Regs) -> Regs {
    if message.0[1..3] != PROTOCOL || RUNS.load(SeqCst) == 0 {
        return ffa::error(ffa::INVALID_PARAMETERS);
    }
    let capable = if behaves(Does::NotCapable) {
        0
    } else {
        1 << 11
    };
    let descriptor = PARTITION | 1 << 16 | (0x301 | capable) << 32;
    ffa::request(ffa::SUCCESS | ffa::SMC64, &[0, 48 << 48, descriptor])
}

fn live_activation(s: &Secure, message: &Regs, number: u64) -> Regs {
    let start = number == 0xc;
    let stopped = STOPPED.load(SeqCst);
    let right = [
        u64::from(ffa::DIRECT_REQ | ffa::SMC64),
        ffa::route(AGENT, ffa::SPMC),
        ffa::FRAMEWORK | number,
        PARTITION,
        if start { IMAGE } else { 0 },
        if start { PAGES } else { 0 },
    ];
    let is_right = message.0[..6] == right && message.0[6..].iter().all(|reg| *reg == 0);
    if !is_right || !(start || number == 0xe) || start == stopped {
        SEEN[WRONG].fetch_add(1, SeqCst);
        s.fail(format_args!("a message that is wrong: {message}"));
    }
    let (when, count) = if start { (0, STARTS) } else { (1, FINISHES) };
    SEEN[count].fetch_add(1, SeqCst);
    if start {
        SEEN[when].store(timer::now(), SeqCst);
        // Long enough to see a core that is not held.
        timer::delay(200);
    }
    // A response to the other message is no answer, and neither is a response to another partition.
    for (to, with) in [
        (AGENT, number ^ 3),
        (ffa::SPMD, number + 1),
        (0, number + 1),
    ] {
        let wrong = [ffa::route(ffa::SPMC, to), ffa::FRAMEWORK | with, 0];
        let got = ffa::call(ffa::DIRECT_RESP, &wrong);
        s.expect_eq(got.x(2), u64::from(ffa::DENIED as u32), "no answer");
    }
    let says = |status| ffa::framework_response(message, number + 1, status);
    let code = BEHAVES[1].load(SeqCst) as i32;
    if start {
        if behaves(Does::KnowsNone) {
            return ffa::error(ffa::INVALID_PARAMETERS);
        }
        if behaves(Does::Refuses(0)) {
            return says(code);
        }
        STOPPED.store(true, SeqCst);
        return says(0);
    }
    if behaves(Does::Interrupts(0)) && code > 0 {
        BEHAVES[1].store(code as u64 - 1, SeqCst);
        return says(ffa::RETRY);
    }
    SEEN[when].store(timer::now(), SeqCst);
    STOPPED.store(false, SeqCst);
    if behaves(Does::PutsBack(0)) {
        return says(code);
    }
    if behaves(Does::Loses) {
        RUNS.store(0, SeqCst);
        return says(ffa::ABORTED);
    }
    while behaves(Does::Silent) {
        core::hint::spin_loop();
    }
    if behaves(Does::Dies) {
        return ffa::request(ffa::ABORT, &[]);
    }
    // SAFETY: the memory in which EL3 says the image is.
    let version = unsafe { word(HEADER + 8).read_volatile() };
    RUNS.store(version, SeqCst);
    says(0)
}
