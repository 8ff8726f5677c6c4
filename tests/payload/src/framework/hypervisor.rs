//! The program of the normal world: starts the cores, chooses and runs cases, and reports to xtask.
//!
//! For each case it prints `@case NAME`, then `@ok NAME`, `@fail NAME: why` or `@skip NAME: why`. At the end it prints
//! `@done P passed, F failed, S skipped` and calls SYSTEM_OFF.

use super::case::{Case, Needs, Outcome, Why};
use super::text::Text;
use super::{config, console, control, cores, demo, ffa, psci, spmc};
use crate::arch::{cpu, gic, timer};
use crate::{cases, ensure_eq, machine, println};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

static PASSED: AtomicU32 = AtomicU32::new(0);
static FAILED: AtomicU32 = AtomicU32::new(0);
static SKIPPED: AtomicU32 = AtomicU32::new(0);
/// The index of the case that runs, for the message of a panic.
static CURRENT: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Whether the hypervisor has negotiated its FF-A version.
static HAS_FFA: AtomicBool = AtomicBool::new(false);
/// The SPMC's exception level; 0 while it is not known.
static SPMC_EL: AtomicU32 = AtomicU32::new(0);

/// Runs the hypervisor on the boot core.
pub fn main() -> ! {
    console::init(machine::HERE.uart_normal);
    let mode = config::get("mode", "demo");
    if mode == "list" {
        for case in cases::all() {
            println!("@list {}", case.name);
        }
        psci::system_off();
    }
    println!(
        "hypervisor: core {} up at NS-EL{}",
        cpu::number(),
        cpu::el()
    );
    gic::init_distributor_non_secure();
    cores::init();
    cores::init_interrupts();
    if mode == "test" {
        test()
    } else {
        demo::run()
    }
    psci::system_off()
}

fn test() {
    // The partition of these images that starts by the clock starts in a call that EL3 answers at once.
    if config::get("image", "").split(',').any(|v| v == "calls") {
        timer::delay(2_000);
        psci::call(psci::PSCI_VERSION, &[]);
    }
    if let Err(Why::Failed(why)) = cores::turn_all_on() {
        println!("@case boot/cores");
        println!("@fail boot/cores: {why}");
        FAILED.fetch_add(1, SeqCst);
        return done();
    }
    // Wait for the interrupt that the SPMC has set up to come before the first FF-A call.
    timer::delay(40_000);
    let filter = config::get("filter", "");
    let chosen = |case: &Case| case.name.contains(filter) && in_this_boot(case, filter);
    let phases = [
        |n: Needs| n.contains(Needs::FIRST),
        |n: Needs| !n.intersects(Needs::FIRST.union(Needs::LAST)),
        |n: Needs| n.contains(Needs::LAST),
    ];
    for (phase, in_phase) in phases.iter().enumerate() {
        if phase == 1 {
            negotiate();
        }
        for (index, case) in cases::all()
            .enumerate()
            .filter(|(_, c)| in_phase(c.needs) && chosen(c))
        {
            run(index, case, phase > 0);
        }
    }
    done()
}

/// Returns whether `case` is for boots like this one.
fn in_this_boot(case: &Case, filter: &str) -> bool {
    for own_boots in ["noffa/", "reset/"] {
        if case.name.starts_with(own_boots) {
            return filter.starts_with(own_boots);
        }
    }
    let has = |(key, value): (&str, &str)| config::get(key, "").split(',').any(|v| v == value);
    // If the SPMC does not boot on every core, only cases for such boots can work.
    let broken = config::get("spmc", "").contains("boot-error");
    case.boot.map_or(!broken, has)
}

/// Negotiates the FF-A version, and asks for the SPMC's exception level.
pub fn negotiate() {
    let asked = config::ffa_version();
    let got = ffa::call(ffa::VERSION, &[u64::from(asked)]).function();
    HAS_FFA.store(got as i32 > 0, SeqCst);
    let el = if got as i32 > 0 {
        control::who().map_or(0, |(el, _)| el)
    } else {
        0
    };
    SPMC_EL.store(el as u32, SeqCst);
}

/// Returns the SPMC's exception level; 0 if it is not known.
pub fn spmc_el() -> u32 {
    SPMC_EL.load(SeqCst)
}

/// Has the secure side of a case do its part on this core: sends a direct request without arguments to the SPMC.
pub fn ask_spmc() -> Outcome {
    let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
    ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer of the SPMC");
    Ok(())
}

/// Returns the reason why `case` cannot run in this boot, if there is one.
fn missing(case: &Case) -> Option<&'static str> {
    let needs = case.needs;
    let free = needs.intersects(Needs::NO_FFA.union(Needs::FIRST));
    if needs.contains(Needs::CORES) && cores::count() < 2 {
        Some("needs more than one core")
    } else if needs.contains(Needs::JANUS) && !config::is_janus() {
        Some("the C BL31 does otherwise")
    } else if !free && !HAS_FFA.load(SeqCst) {
        Some("no FF-A in this boot")
    } else if needs.contains(Needs::V1_2) && config::ffa_version().min(spmc::version()) < 0x1_0002 {
        Some("needs FF-A 1.2")
    } else if needs.contains(Needs::BELOW_1_2) && config::ffa_version() >= 0x1_0002 {
        Some("needs FF-A below 1.2 (ffa=1.1)")
    } else if needs.contains(Needs::SEL2) && spmc_el() != 2 {
        Some("needs an SPMC at S-EL2")
    } else if needs.contains(Needs::SEL1) && spmc_el() != 1 {
        Some("needs an SPMC at S-EL1")
    } else {
        None
    }
}

fn run(index: usize, case: &Case, with_spmc: bool) {
    println!("@case {}", case.name);
    CURRENT.store(index, SeqCst);
    let outcome = match missing(case) {
        Some(why) => Err(Why::Skipped(Text::of(format_args!("{why}")))),
        None => run_both_sides(index, case, with_spmc && HAS_FFA.load(SeqCst)),
    };
    CURRENT.store(usize::MAX, SeqCst);
    match outcome {
        Ok(()) => {
            PASSED.fetch_add(1, SeqCst);
            println!("@ok {}", case.name);
        }
        Err(Why::Failed(why)) => {
            FAILED.fetch_add(1, SeqCst);
            println!("@fail {}: {why}", case.name);
        }
        Err(Why::Skipped(why)) => {
            SKIPPED.fetch_add(1, SeqCst);
            println!("@skip {}: {why}", case.name);
        }
    }
}

fn run_both_sides(index: usize, case: &Case, with_spmc: bool) -> Outcome {
    if with_spmc {
        control::begin(index).map_err(Why::Failed)?;
    }
    let mut outcome = (case.normal)();
    if with_spmc {
        match control::end() {
            Ok(text) if text.is_empty() => {}
            // A failure in the secure world is reported first: one in the normal world is often its consequence.
            Ok(text) | Err(text) => outcome = Err(Why::Failed(text)),
        }
    }
    outcome.and(cores::turn_all_on())
}

fn done() {
    let [passed, failed, skipped] = [&PASSED, &FAILED, &SKIPPED].map(|n| n.load(SeqCst));
    println!("@done {passed} passed, {failed} failed, {skipped} skipped");
}

/// Handles the hypervisor's panic: the case fails with `reason`, and the run ends.
pub fn panicked(reason: Text) -> ! {
    cores::last_words();
    let core = cpu::number();
    match cases::all_by_index(CURRENT.load(SeqCst)) {
        Some(case) => {
            FAILED.fetch_add(1, SeqCst);
            let place = cases::fuzz::place();
            println!("\n@fail {}: {place}core {core}: {reason}", case.name);
            done();
        }
        None => println!("\n@fail framework: core {core}: {reason}"),
    }
    psci::system_off()
}
