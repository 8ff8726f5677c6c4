//! The demonstration: shows on the console what happens on a healthy system.

use super::{config, cores, ffa, hypervisor, psci};
use crate::framework::case::{Outcome, Why};
use crate::println;

/// Makes a call, and shows it and its answer.
fn show(what: &str, function: u32, arguments: &[u64]) -> super::regs::Regs {
    let got = ffa::call(function, arguments);
    println!("  {what:<34} -> {got}");
    got
}

/// Runs the demonstration. The caller turns the machine off afterwards.
pub fn run() {
    println!(
        "hypervisor: {} cores, turning them on one by one",
        cores::count()
    );
    for core in cores::others() {
        match cores::turn_on(core) {
            Ok(()) => println!("hypervisor: core {core} is on"),
            Err(Why::Failed(why) | Why::Skipped(why)) => println!("hypervisor: core {core}: {why}"),
        }
    }
    println!("PSCI and SMCCC:");
    show("SMCCC_VERSION", 0x8000_0000, &[]);
    show("PSCI_VERSION", psci::PSCI_VERSION, &[]);
    println!("FF-A:");
    let version = u64::from(config::ffa_version());
    let got = show("FFA_VERSION(1.2)", ffa::VERSION, &[version]);
    if got.function() as i32 <= 0 {
        println!("hypervisor: no FF-A here");
        println!("@done 0 passed, 0 failed, 0 skipped");
        return;
    }
    hypervisor::negotiate();
    show("FFA_ID_GET", ffa::ID_GET, &[]);
    show("FFA_SPM_ID_GET", ffa::SPM_ID_GET, &[]);
    show(
        "FFA_FEATURES(FFA_RXTX_MAP)",
        ffa::FEATURES,
        &[u64::from(ffa::RXTX_MAP)],
    );
    show("FFA_FEATURES(schedule receiver)", ffa::FEATURES, &[2]);
    println!("the SPMC runs at S-EL{}", hypervisor::spmc_el());
    println!("a direct message from every core to the SPMC and back:");
    let (mut passed, mut failed) = (0, 0);
    for core in 0..cores::count() {
        match cores::on(core, message) {
            Ok(()) => passed += 1,
            Err(Why::Failed(why) | Why::Skipped(why)) => {
                failed += 1;
                println!("  failed: {why}");
            }
        }
    }
    println!("hypervisor: the demonstration is over, turning the machine off");
    println!("@done {passed} passed, {failed} failed, 0 skipped");
}

/// Sends one message to the SPMC, which sends it back.
fn message(core: usize) -> Outcome {
    let payload = 0x4a61_6e75_7300 + core as u64;
    let request = ffa::request(
        ffa::DIRECT_REQ | ffa::SMC64,
        &[ffa::route(0, ffa::SPMC), 0, payload],
    );
    let got = crate::arch::smc::call(request);
    println!("  core {core}: sent {request}");
    println!("          got  {got}");
    crate::ensure_eq!(got.function(), ffa::DIRECT_RESP | ffa::SMC64, "answer");
    crate::ensure_eq!(got.x(3), payload, "what the SPMC sent back");
    Ok(())
}
