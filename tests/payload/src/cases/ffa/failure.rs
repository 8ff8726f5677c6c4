//! When the SPMC fails on one core: that core's FF-A is off, all else goes on.

use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, psci};

pub const CASES: &[Case] = &[
    Case::new("ffa/abort", abort)
        .secure(abort_secure)
        .needs(Needs::CORES.union(Needs::JANUS).union(Needs::LAST))
        .in_boot("spmc", "v1.3"),
    Case::new("ffa/boot-error-secondary", boot_error_secondary)
        .needs(Needs::CORES.union(Needs::JANUS))
        .in_boot("spmc", "boot-error-1"),
];

/// What tells the SPMC to abort.
const ABORT: u64 = 0xdead;

fn echo(n: u64) -> Regs {
    ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, n])
}

/// PSCI works everywhere, FF-A on every core but `victim`.
fn others_go_on(victim: usize) -> Outcome {
    cores::on(victim, |_| {
        for function in [ffa::DIRECT_REQ, ffa::RXTX_MAP, ffa::PARTITION_INFO_GET] {
            let got = ffa::call(function, &[ffa::route(0, ffa::SPMC)]);
            ensure_eq!(
                got.function(),
                ffa::ERROR,
                "{} on a core without its SPMC",
                ffa::name(function)
            );
        }
        ensure_eq!(psci::affinity_info(victim), 0, "AFFINITY_INFO");
        Ok(())
    })?;
    for core in (0..cores::count()).filter(|&n| n != victim) {
        cores::on(core, |n| {
            let got = echo(n as u64);
            ensure_eq!(
                got.function(),
                ffa::DIRECT_RESP,
                "direct request on a core whose SPMC is well"
            );
            ensure_eq!(got.x(3), n as u64, "its echo");
            Ok(())
        })?;
    }
    for core in cores::others().filter(|&n| n != victim) {
        cores::turn_off(core)?;
        cores::turn_on(core)?;
    }
    Ok(())
}

/// FFA_ABORT on one core: the caller gets ABORTED.
fn abort() -> Outcome {
    let victim = cores::another();
    cores::on(victim, |_| {
        ffa::expect_error(
            &echo(ABORT),
            ffa::ABORTED,
            "the request during which the SPMC aborted",
        )
    })?;
    others_go_on(victim)
}

fn abort_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ && message.x(3) == ABORT {
        let got = ffa::call(ffa::ABORT, &[]);
        s.fail(format_args!("FFA_ABORT came back: {got}"));
    }
    None
}

/// The SPMC of core 1 answered its boot with FFA_ERROR.
fn boot_error_secondary() -> Outcome {
    cores::on(1, |_| {
        ffa::expect_error(
            &echo(1),
            ffa::NOT_SUPPORTED,
            "a request to an SPMC that did not boot here",
        )
    })?;
    others_go_on(1)
}
