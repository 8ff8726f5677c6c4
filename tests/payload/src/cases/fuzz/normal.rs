//! The normal world's calls, and what must hold after them.

use super::random::Random;
use super::{ROUND, place, seed};
use crate::arch::exceptions::attempt;
use crate::arch::{MAX_CORES, cpu, gic, smc, timer};
use crate::cases::poison::bank;
use crate::framework::case::{Outcome, Why};
use crate::framework::psci::{self, error};
use crate::framework::regs::Regs;
use crate::framework::text::Text;
use crate::framework::{config, cores, irq};
use crate::{ensure, ensure_eq, fail, machine};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The number of calls per core in a round with filled registers, and in a round with interrupts unmasked. They are so
/// many that cores that have made theirs do not wait half the time.
const FILLED: u64 = 192;
const OPEN: u64 = 1600;
/// The number of rounds between two lines about the progress.
const PROGRESS: u64 = 32;

/// The number of calls made.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Runs rounds until the time is over, the calls are made or one round fails.
pub fn run() -> Outcome {
    let number = |key: &str, default| config::get(key, "").parse().unwrap_or(default);
    let (first, most) = (number("first", 1), number("fuzz-rounds", u64::MAX));
    let calls = number("fuzz-calls", u64::MAX);
    let end = timer::now() + timer::ticks(number("seconds", 10) * 1_000_000);
    for intid in 0..16 {
        irq::install(intid, irq::count_only);
    }
    irq::install(timer::EL2_INTID, |_, _| timer::stop_el2());
    let mut round = first;
    let mut outcome = Ok(());
    let goes_on = |round| timer::now() < end && round - first < most && CALLS.load(SeqCst) < calls;
    while outcome.is_ok() && goes_on(round) {
        ROUND.store(round, SeqCst);
        outcome = one_round(round);
        if round.is_multiple_of(PROGRESS) {
            said(round);
        }
        round += 1;
    }
    said(round - 1);
    let outcome = outcome.map_err(|why| match why {
        Why::Failed(text) => Why::Failed(Text::of(format_args!("{}{text}", place()))),
        skipped => skipped,
    });
    ROUND.store(0, SeqCst);
    // A random call may have set the other suspend mode.
    psci::call(psci::PSCI_SET_SUSPEND_MODE, &[0]);
    outcome
}

fn said(round: u64) {
    crate::println!(
        "fuzz: seed {}, round {round}, {} calls",
        seed(),
        CALLS.load(SeqCst)
    );
}

fn one_round(round: u64) -> Outcome {
    cores::on_each(|core| {
        let mut random = Random::new(seed(), round, core);
        if random.once_in(4) {
            filled(&mut random, round)?;
        }
        open(&mut random, core)
    })?;
    cores::on_each(alive)?;
    let mut random = Random::new(seed(), round, MAX_CORES);
    if cores::count() > 1 && random.once_in(4) {
        move_core(&mut random)?;
    }
    Ok(())
}

/// Checks that PSCI answers on this core.
fn alive(_: usize) -> Outcome {
    ensure_eq!(
        psci::call(psci::PSCI_VERSION, &[]),
        0x1_0003,
        "PSCI_VERSION"
    );
    Ok(())
}

/// Makes calls with every system register filled, and checks that their values are unchanged.
fn filled(random: &mut Random, round: u64) -> Outcome {
    crate::daif!(set "0xf");
    bank::probe(false);
    bank::fill(round, false);
    let mut last = Regs::default();
    for _ in 0..FILLED {
        last = random.call();
        if !sleeps(&last) {
            call(last);
        }
    }
    let whole = bank::check(false);
    bank::restore();
    crate::daif!(clear "0x7");
    match whole {
        Ok(()) => Ok(()),
        Err(wrong) => fail!("{wrong} (the last call was {last})"),
    }
}

/// Makes calls, sends interrupts, executes trapped instructions and sleeps, with interrupts unmasked.
fn open(random: &mut Random, core: usize) -> Outcome {
    for _ in 0..OPEN {
        match random.below(64) {
            0 => gic::send_sgi(
                random.below(cores::count() as u64) as usize,
                random.below(8) as u32,
            ),
            1 => instruction(system_register(random)),
            2 => instruction(0xd400_0003 | (random.below(0x1_0000) as u32) << 5), // smc #imm
            3 => sleep(random, core),
            _ => {
                let regs = random.call();
                if !sleeps(&regs) {
                    call(regs);
                }
            }
        }
    }
    Ok(())
}

fn call(mut regs: Regs) {
    if ends_something(&regs) {
        regs.0[0] = u64::from(psci::PSCI_VERSION);
    }
    // PSCI gets no valid entry point: a core that starts at a random address would not be a fault of EL3.
    if is_psci(&regs) {
        for x in &mut regs.0[1..4] {
            if machine::HERE.normal_ram[0] && *x >= 0x4000_0000 {
                *x |= 1;
            }
        }
    }
    CALLS.fetch_add(1, SeqCst);
    smc::call(regs);
}

/// Returns the number of a PSCI function, whatever other bits the ID has.
fn psci_number(regs: &Regs) -> Option<u32> {
    let id = regs.function();
    (id & 0xbf00_ffe0 == 0x8400_0000).then_some(id & 0x1f)
}

fn is_psci(regs: &Regs) -> bool {
    psci_number(regs).is_some()
}

/// Returns whether the call may turn the core or the machine off for good.
fn ends_something(regs: &Regs) -> bool {
    // CPU_OFF, SYSTEM_OFF, SYSTEM_RESET, CPU_FREEZE, SYSTEM_RESET2, SYSTEM_OFF2.
    psci_number(regs).is_some_and(|n| [0x2, 0x8, 0x9, 0xb, 0x12, 0x15].contains(&n))
}

/// Returns whether the core may sleep in the call until an interrupt comes.
fn sleeps(regs: &Regs) -> bool {
    // CPU_SUSPEND, CPU_DEFAULT_SUSPEND, SYSTEM_SUSPEND.
    psci_number(regs).is_some_and(|n| [0x1, 0xc, 0xe].contains(&n))
}

/// Makes a call that may sleep, after arranging an interrupt that ends the sleep.
fn sleep(random: &mut Random, core: usize) {
    crate::daif!(set "0x7");
    gic::enable(core, timer::EL2_INTID);
    timer::start_el2(random.below(300));
    let function = random.one_of(&[
        psci::PSCI_CPU_SUSPEND_64,
        psci::PSCI_CPU_SUSPEND_32,
        psci::PSCI_CPU_DEFAULT_SUSPEND_64,
        psci::PSCI_SYSTEM_SUSPEND_64,
    ]);
    let state = if random.once_in(2) {
        machine::HERE.standby.into()
    } else {
        random.value()
    };
    // The entry point is not aligned, so that it cannot be entered.
    CALLS.fetch_add(1, SeqCst);
    psci::call(function, &[state, random.value() | 1, random.value() | 1]);
    crate::daif!(clear "0x7");
    timer::stop_el2();
}

/// Turns a core off and on again, or has it suspend to a power-down state.
fn move_core(random: &mut Random) -> Outcome {
    let others = cores::count() as u64 - 1;
    let Some(core) = cores::others().nth(random.below(others) as usize) else {
        return Ok(());
    };
    if random.once_in(2) {
        match cores::try_turn_off(core)? {
            None => {}
            // The SPMC did not agree.
            Some(error::DENIED) => return Ok(()),
            Some(status) => fail!("CPU_OFF on core {core}: {status}"),
        }
        return cores::turn_on(core);
    }
    let state = random.one_of(&[machine::HERE.core_off, machine::HERE.cluster_off]);
    let back = cores::suspend(core, state, |core| {
        crate::daif!(set "0x7");
        gic::enable(core, timer::wake_up_intid());
        irq::install(timer::wake_up_intid(), |_, _| timer::stop_wake_up());
        timer::start_wake_up(200);
    })?;
    cores::on(core, |_| {
        crate::daif!(clear "0x7");
        timer::stop_wake_up();
        Ok(())
    })?;
    let context = cores::CONTEXT | core as u64;
    let refused = [error::DENIED, error::INVALID_PARAMETERS, error::SUCCESS];
    let status = back as u32 as i32;
    ensure!(
        back == context || refused.contains(&status),
        "CPU_SUSPEND({state:#x}) of core {core} came back with {back:#x}"
    );
    Ok(())
}

/// Returns an MRS of a random register, but not of one whose reading acknowledges an interrupt; or an MSR to a random
/// register of EL3.
fn system_register(random: &mut Random) -> u32 {
    let fields = random.next() as u32 & 0xf_ffe0;
    // op1, CRn, CRm.
    let (op1, n, m) = (fields >> 16 & 7, fields >> 12 & 0xf, fields >> 8 & 0xf);
    if random.once_in(3) {
        return 0xd518_0000 | fields & !(7 << 16) | 6 << 16;
    }
    if op1 == 0 && n == 12 && (m == 8 || m == 9 || m == 11 || m == 12) {
        return 0xd53e_1100; // SCR_EL3
    }
    0xd530_0000 | fields
}

/// Memory for instructions of each core.
#[repr(C, align(64))]
struct Code(UnsafeCell<[u32; 16]>);

// SAFETY: each core uses only its own element.
unsafe impl Sync for Code {}

static CODE: [Code; MAX_CORES] = [const { Code(UnsafeCell::new([0; 16])) }; MAX_CORES];

/// Executes one instruction, with numbers in x0 to x17. The instruction may be undefined.
fn instruction(word: u32) {
    let code = CODE[cpu::number()].0.get().cast::<u32>();
    // SAFETY: this is the core's own memory, which is mapped as executable. The instruction changes only x0 to x17
    // (an MRS or an SMC), or is undefined and then skipped.
    unsafe {
        code.write_volatile(word);
        code.add(1).write_volatile(0xd65f_03c0); // ret
        core::arch::asm!(
            "dc cvau, {code}",
            "dsb ish",
            "ic ivau, {code}",
            "dsb ish",
            "isb",
            code = in(reg) code,
            options(nostack, preserves_flags)
        );
        attempt(|| {
            core::arch::asm!("blr {code}", code = in(reg) code, clobber_abi("C"));
        });
    }
}
