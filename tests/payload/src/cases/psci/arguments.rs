//! Cases about the arguments of PSCI calls: which values are valid, and which bits count.

use crate::arch::{cpu, entry};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::cores;
use crate::framework::psci::{self, error};
use crate::{ensure, ensure_eq, skip};

const JANUS: Needs = Needs::NO_FFA.union(Needs::JANUS);

pub const CASES: &[Case] = &[
    Case::new("psci/smc32-upper-halves", upper_halves).needs(JANUS.union(Needs::CORES)),
    Case::new("psci/illegal-mpidrs", illegal_mpidrs).needs(JANUS),
    Case::new("psci/suspend-mode", suspend_mode).needs(JANUS.union(Needs::CORES)),
];

/// An arbitrary upper half of an argument.
const HIGH: u64 = 0xdead_beef_0000_0000;

/// Only the lower halves of an SMC32 call's arguments count; all bits of an SMC64 call's arguments do.
fn upper_halves() -> Outcome {
    let core = cores::another();
    let mpidr = cpu::mpidr_of(core);
    cores::turn_off(core)?;
    let off = psci::call(psci::PSCI_AFFINITY_INFO_32, &[HIGH | mpidr, HIGH]);
    ensure_eq!(off, 1, "AFFINITY_INFO (32-bit) of a core that is off");
    let wide = psci::call(psci::PSCI_AFFINITY_INFO_64, &[HIGH | mpidr, 0]);
    ensure_eq!(
        wide,
        error::INVALID_PARAMETERS,
        "AFFINITY_INFO (64-bit) with an upper half"
    );
    let told = psci::call(
        psci::PSCI_FEATURES,
        &[HIGH | u64::from(psci::PSCI_CPU_ON_32)],
    );
    ensure_eq!(told, error::SUCCESS, "PSCI_FEATURES with an upper half");
    let on = [HIGH | mpidr, HIGH | entry::secondary_entry(), HIGH | 0x77];
    ensure_eq!(
        psci::call(psci::PSCI_CPU_ON_32, &on),
        error::SUCCESS,
        "CPU_ON (32-bit)"
    );
    cores::wait_on(core)?;
    ensure_eq!(cores::context(core), 0x77, "x0 of core {core}");
    Ok(())
}

/// MPIDRs that no core has are refused by every call that takes one.
fn illegal_mpidrs() -> Outcome {
    let me = cpu::mpidr_of(cores::boot_core());
    let forms = [
        0xff, // cores, clusters and Aff2 that do not exist
        0xff00,
        0x7f_0000,
        0xff_ffff,
        me | 1 << 32, // Aff3
        me | 0xff << 32,
        me | 1 << 24, // MPIDR_EL1.MT
        me | 1 << 25, // reserved
        me | 1 << 30, // U
        me | 1 << 31, // RES1 in MPIDR_EL1 itself
        me | 1 << 40, // reserved
        me | 1 << 63,
        0xffff_ffff,
        0x7fff_ffff_ffff_ffff,
        u64::MAX,
    ];
    let entry = entry::secondary_entry();
    for mpidr in forms {
        for (name, function, arguments) in [
            ("CPU_ON", psci::PSCI_CPU_ON_64, [mpidr, entry, 0]),
            ("AFFINITY_INFO", psci::PSCI_AFFINITY_INFO_64, [mpidr, 0, 0]),
            ("NODE_HW_STATE", psci::PSCI_NODE_HW_STATE_64, [mpidr, 0, 0]),
        ] {
            let got = psci::call(function, &arguments);
            ensure_eq!(got, error::INVALID_PARAMETERS, "{name}({mpidr:#x})");
        }
        // Skip the 32-bit calls if the lower half is a valid MPIDR.
        if mpidr & 0xffff_ffff != me {
            for function in [psci::PSCI_CPU_ON_32, psci::PSCI_AFFINITY_INFO_32] {
                let got = psci::call(
                    function,
                    &[
                        mpidr,
                        if function == psci::PSCI_CPU_ON_32 {
                            entry
                        } else {
                            0
                        },
                        0,
                    ],
                );
                ensure_eq!(got, error::INVALID_PARAMETERS, "{function:#x}({mpidr:#x})");
            }
        }
    }
    Ok(())
}

/// PSCI_SET_SUSPEND_MODE has two modes and is an SMC32 call. Platform-coordinated mode can be set only while no other
/// core is on.
fn suspend_mode() -> Outcome {
    let set = |mode: u64| psci::call(psci::PSCI_SET_SUSPEND_MODE, &[mode]);
    let told = psci::call(
        psci::PSCI_FEATURES,
        &[u64::from(psci::PSCI_SET_SUSPEND_MODE)],
    );
    if told == error::NOT_SUPPORTED {
        skip!("no OS-initiated mode");
    }
    for mode in [2, 3, 0xffff_ffff, 0x8000_0000] {
        ensure_eq!(
            set(mode),
            error::INVALID_PARAMETERS,
            "SET_SUSPEND_MODE({mode:#x})"
        );
    }
    ensure_eq!(set(0), error::SUCCESS, "the mode that it is");
    ensure_eq!(set(HIGH), error::SUCCESS, "the same with an upper half");
    ensure_eq!(set(1), error::SUCCESS, "OS-initiated while no core sleeps");
    let back = set(0);
    let others = cores::others().try_for_each(cores::turn_off);
    let alone = set(0);
    others?;
    ensure_eq!(
        back,
        error::DENIED,
        "platform-coordinated while cores are on"
    );
    ensure_eq!(alone, error::SUCCESS, "platform-coordinated alone");
    let wide = psci::call(psci::PSCI_SET_SUSPEND_MODE | 1 << 30, &[0]);
    ensure_eq!(wide, error::NOT_SUPPORTED, "SET_SUSPEND_MODE as SMC64");
    let features = psci::call(psci::PSCI_FEATURES, &[u64::from(psci::PSCI_CPU_SUSPEND_64)]);
    ensure!(features & 1 != 0, "CPU_SUSPEND does not tell of the mode");
    Ok(())
}
