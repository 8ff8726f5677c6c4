//! Cases about PSCI_VERSION, PSCI_FEATURES, CPU_ON, CPU_OFF and AFFINITY_INFO, and what they refuse.

use crate::arch::{cpu, entry};
use crate::ensure;
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::psci::{self, error};
use crate::framework::{config, cores, ffa};
use crate::machine;

pub const CASES: &[Case] = &[
    Case::new("psci/version", version).needs(Needs::NO_FFA),
    Case::new("psci/features", features).needs(Needs::NO_FFA),
    Case::new("psci/affinity-info", affinity_info).needs(Needs::NO_FFA),
    Case::new("psci/cpu-on-bad", cpu_on_bad).needs(Needs::NO_FFA.union(Needs::CORES)),
    Case::new("psci/off-on", off_on).needs(Needs::NO_FFA.union(Needs::CORES)),
    Case::new("psci/spmc-after-off-on", spmc_after_off_on).needs(Needs::CORES),
];

const ON: i32 = 0;
const OFF: i32 = 1;

fn version() -> Outcome {
    let version = psci::call(psci::PSCI_VERSION, &[]);
    ensure!(
        (0x1_0001..0x2_0000).contains(&version),
        "PSCI_VERSION: {version:#x}, should be 1.1 or later"
    );
    Ok(())
}

/// PSCI_FEATURES reports all functions that are mandatory in PSCI 1.1, and no function that is not PSCI's.
fn features() -> Outcome {
    let features = |id: u32| psci::call(psci::PSCI_FEATURES, &[u64::from(id)]);
    for id in [
        psci::PSCI_VERSION,
        psci::PSCI_CPU_OFF,
        psci::PSCI_CPU_ON_32,
        psci::PSCI_CPU_ON_64,
        psci::PSCI_AFFINITY_INFO_32,
        psci::PSCI_AFFINITY_INFO_64,
        psci::PSCI_SYSTEM_OFF,
        psci::PSCI_SYSTEM_RESET,
        psci::PSCI_FEATURES,
        0x8000_0000, // SMCCC_VERSION
    ] {
        ensure!(
            features(id) >= 0,
            "PSCI_FEATURES({id:#x}): {}",
            features(id)
        );
    }
    for id in [
        0x8400_001f,
        0xc400_0000,
        0xc400_0002,
        0xc400_0008,
        0xc400_000a,
        0x8400_0063,
        0x0000_0000,
        0xffff_ffff,
    ] {
        ensure_eq!(features(id), error::NOT_SUPPORTED, "PSCI_FEATURES({id:#x})");
    }
    Ok(())
}

/// AFFINITY_INFO reports all cores as on, and refuses affinities that do not exist.
fn affinity_info() -> Outcome {
    let info = |function: u32, mpidr: u64, level: u64| psci::call(function, &[mpidr, level]);
    let (info_32, info_64) = (psci::PSCI_AFFINITY_INFO_32, psci::PSCI_AFFINITY_INFO_64);
    for n in 0..cores::count() {
        ensure_eq!(
            info(info_64, cpu::mpidr_of(n), 0),
            ON,
            "AFFINITY_INFO of core {n}"
        );
        ensure_eq!(
            info(info_32, cpu::mpidr_of(n), 0),
            ON,
            "AFFINITY_INFO of core {n} (32-bit)"
        );
    }
    let me = cpu::mpidr_of(cores::boot_core());
    let reserved = [me | 1 << 24, me | 1 << 63, me | 1 << 32]
        .map(|mpidr| (mpidr, 0))
        .into_iter();
    let wrong = [(0xff, 0), (0x7f_0000, 0), (me, 4), (me, 0xffff_ffff)];
    // The C BL31 ignores reserved bits of an MPIDR, and on some platforms Aff3.
    for (mpidr, level) in wrong
        .into_iter()
        .chain(reserved.filter(|_| config::is_janus()))
    {
        ensure_eq!(
            info(info_64, mpidr, level),
            error::INVALID_PARAMETERS,
            "AFFINITY_INFO({mpidr:#x}, {level:#x})"
        );
    }
    Ok(())
}

/// CPU_ON refuses a core that is on, a core that does not exist, and addresses at which no code can be.
fn cpu_on_bad() -> Outcome {
    let on = |mpidr: u64, entry: u64| psci::call(psci::PSCI_CPU_ON_64, &[mpidr, entry, 0]);
    let good = entry::secondary_entry();
    let (me, other) = (cores::boot_core(), cores::another());
    for n in [me, other] {
        ensure_eq!(
            on(cpu::mpidr_of(n), good),
            error::ALREADY_ON,
            "CPU_ON of core {n}, which is on"
        );
    }
    let reserved = [
        cpu::mpidr_of(other) | 1 << 63,
        cpu::mpidr_of(other) | 1 << 32,
    ];
    let reserved = reserved.into_iter().filter(|_| config::is_janus());
    for mpidr in [0xff, 0x7f_0000, u64::MAX].into_iter().chain(reserved) {
        ensure_eq!(
            on(mpidr, good),
            error::INVALID_PARAMETERS,
            "CPU_ON({mpidr:#x})"
        );
    }
    if !config::is_janus() {
        return Ok(()); // The C BL31 starts a core anywhere.
    }
    cores::turn_off(other)?;
    for address in machine::HERE
        .not_normal
        .into_iter()
        .chain([0, 0xffff_ffff_ffff_f000])
    {
        ensure_eq!(
            on(cpu::mpidr_of(other), address),
            error::INVALID_ADDRESS,
            "CPU_ON at {address:#x}"
        );
    }
    ensure_eq!(
        psci::affinity_info(other),
        OFF,
        "AFFINITY_INFO after refused calls"
    );
    cores::turn_on(other)
}

/// Each core goes off and on again three times. The context ID arrives in both conventions.
fn off_on() -> Outcome {
    for n in cores::others() {
        for round in 0..3u64 {
            cores::turn_off(n)?;
            ensure_eq!(psci::affinity_info(n), OFF, "AFFINITY_INFO of core {n}");
            if round == 1 {
                let arguments = [cpu::mpidr_of(n), entry::secondary_entry(), 0x5555_6666];
                let status = psci::call(psci::PSCI_CPU_ON_32, &arguments);
                ensure_eq!(status, error::SUCCESS, "CPU_ON (32-bit) of core {n}");
                cores::wait_on(n)?;
                ensure_eq!(cores::context(n), 0x5555_6666, "x0 of core {n}");
            } else {
                cores::turn_on(n)?;
            }
            ensure_eq!(psci::affinity_info(n), ON, "AFFINITY_INFO of core {n}");
        }
    }
    Ok(())
}

/// A core that was off has its SPMC again.
fn spmc_after_off_on() -> Outcome {
    for n in cores::others() {
        cores::turn_off(n)?;
        cores::turn_on(n)?;
        cores::on(n, |n| {
            let got = ffa::call(
                ffa::DIRECT_REQ,
                &[ffa::route(0, ffa::SPMC), 0, n as u64 + 7],
            );
            ensure_eq!(
                got.function(),
                ffa::DIRECT_RESP,
                "direct request after CPU_ON"
            );
            ensure_eq!(got.x(3), n as u64 + 7, "its echo");
            Ok(())
        })?;
    }
    Ok(())
}
