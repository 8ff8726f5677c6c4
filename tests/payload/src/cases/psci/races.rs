//! Cases about races: cores that turn one core on at the same time, and cores that go off and on again and again.

use crate::arch::{MAX_CORES, cpu, entry};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::psci::{self, error};
use crate::framework::{config, cores, ffa};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("psci/on-race", on_race).needs(Needs::NO_FFA.union(Needs::CORES)),
    Case::new("psci/churn", churn).needs(Needs::NO_FFA.union(Needs::CORES)),
    Case::new("psci/churn-with-messages", churn_with_messages).needs(Needs::CORES),
];

/// All cores that are on turn one core on at the same moment. One succeeds, the others get
/// ON_PENDING or ALREADY_ON, and the core comes on once.
fn on_race() -> Outcome {
    static START: cores::Barrier = cores::Barrier::new();
    static SUCCESSES: AtomicU32 = AtomicU32::new(0);
    for target in cores::others() {
        for _ in 0..5 * config::rounds() {
            cores::turn_off(target)?;
            SUCCESSES.store(0, SeqCst);
            let callers = cores::count() - 1;
            cores::on_each(|n| {
                START.wait(callers)?;
                let status = psci::call(
                    psci::PSCI_CPU_ON_64,
                    &[
                        cpu::mpidr_of(target),
                        entry::secondary_entry(),
                        0x77 + n as u64,
                    ],
                );
                match status {
                    error::SUCCESS => drop(SUCCESSES.fetch_add(1, SeqCst)),
                    error::ON_PENDING | error::ALREADY_ON => {}
                    other => {
                        crate::fail!("CPU_ON of core {target} from several cores said {other}")
                    }
                }
                Ok(())
            })?;
            ensure_eq!(
                SUCCESSES.load(SeqCst),
                1,
                "CPU_ON calls of core {target} that succeeded"
            );
            cores::wait_on(target)?;
            let context = cores::context(target);
            ensure!(
                (0x77..0x77 + MAX_CORES as u64).contains(&context),
                "x0 of core {target}: {context:#x}"
            );
        }
    }
    Ok(())
}

const STATES: core::ops::RangeInclusive<i32> = 0..=2;

/// The boot core turns one core off and on again and again. Another core watches its AFFINITY_INFO and tries to turn it
/// on, too. It only sees ON, OFF and ON_PENDING, and failed attempts do no harm.
fn churn() -> Outcome {
    let target = cores::another();
    let Some(watcher) = cores::others().find(|&n| n != target) else {
        crate::skip!("needs three cores");
    };
    let over = AtomicBool::new(false);
    cores::beside(
        watcher,
        |_| {
            while !over.load(SeqCst) {
                let state = psci::affinity_info(target);
                ensure!(
                    STATES.contains(&state),
                    "AFFINITY_INFO of a core that goes off and on: {state}"
                );
                let wrong = psci::call(
                    psci::PSCI_CPU_ON_64,
                    &[0x7f_0000, entry::secondary_entry(), 0],
                );
                ensure_eq!(
                    wrong,
                    error::INVALID_PARAMETERS,
                    "CPU_ON of a core that is not there"
                );
            }
            Ok(())
        },
        || {
            let result = (0..30 * config::rounds()).try_for_each(|_| {
                cores::turn_off(target)?;
                cores::turn_on(target)
            });
            over.store(true, SeqCst);
            result
        },
    )
}

/// A core goes off and on while the others exchange messages with the SPMC.
fn churn_with_messages() -> Outcome {
    let target = cores::another();
    let over = AtomicBool::new(false);
    let messages = |n: usize| {
        let mut i = 0;
        while !over.load(SeqCst) {
            i += 1;
            let word = (n as u64) << 32 | i;
            let got = ffa::call(
                ffa::DIRECT_REQ | ffa::SMC64,
                &[ffa::route(0, ffa::SPMC), 0, word],
            );
            ensure_eq!(
                got.function(),
                ffa::DIRECT_RESP | ffa::SMC64,
                "direct request while a core goes off and on"
            );
            ensure_eq!(got.x(3), word, "its echo");
        }
        Ok(())
    };
    let rounds = || {
        let result = (0..20 * config::rounds()).try_for_each(|i| {
            cores::turn_off(target)?;
            cores::turn_on(target)?;
            cores::on(target, |_| {
                let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC), 0, i]);
                ensure_eq!(got.x(3), i, "echo on a core that was just turned on");
                Ok(())
            })
        });
        over.store(true, SeqCst);
        result
    };
    match cores::others().find(|&n| n != target) {
        Some(talker) => cores::beside(talker, messages, rounds),
        None => rounds(),
    }
}
