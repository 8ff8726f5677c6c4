// SPDX-License-Identifier: BSD-3-Clause

//! The names of PSCI's functions, of their parameters and of what they return (DEN0022), for tools that
//! show calls to people. The logic itself reads none of it, and no image has it.

use crate::functions::{PSCI_SYSTEM_OFF2_32, PSCI_SYSTEM_OFF2_64};
use janus_arm::SMC64;
use smccc::psci::error as code;
use smccc::psci::*;

/// How a parameter is to be shown. Show a kind that you do not know in hexadecimal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParameterKind {
    /// As a number.
    Number,
    /// In hexadecimal.
    Address,
    /// The affinity fields of an MPIDR.
    Affinity,
    /// A `power_state`.
    PowerState,
    /// A function ID.
    Function,
}

/// Returns the name of a function and of its parameters, which are x1 and up. `None` if it is no PSCI
/// function.
pub fn function(id: u32) -> Option<(&'static str, &'static [(&'static str, ParameterKind)])> {
    use ParameterKind::{Address, Affinity, Function, Number, PowerState};
    // Both widths of a function have the same name.
    Some(match id {
        PSCI_VERSION => ("PSCI_VERSION", &[]),
        PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64 => (
            "CPU_SUSPEND",
            &[
                ("state", PowerState),
                ("entry", Address),
                ("context", Address),
            ],
        ),
        PSCI_CPU_OFF => ("CPU_OFF", &[]),
        PSCI_CPU_ON_32 | PSCI_CPU_ON_64 => (
            "CPU_ON",
            &[("core", Affinity), ("entry", Address), ("context", Address)],
        ),
        PSCI_AFFINITY_INFO_32 | PSCI_AFFINITY_INFO_64 => {
            ("AFFINITY_INFO", &[("core", Affinity), ("level", Number)])
        }
        PSCI_MIGRATE_32 | PSCI_MIGRATE_64 => ("MIGRATE", &[("core", Affinity)]),
        PSCI_MIGRATE_INFO_TYPE => ("MIGRATE_INFO_TYPE", &[]),
        PSCI_MIGRATE_INFO_UP_CPU_32 | PSCI_MIGRATE_INFO_UP_CPU_64 => ("MIGRATE_INFO_UP_CPU", &[]),
        PSCI_SYSTEM_OFF => ("SYSTEM_OFF", &[]),
        PSCI_SYSTEM_RESET => ("SYSTEM_RESET", &[]),
        PSCI_FEATURES => ("PSCI_FEATURES", &[("asked", Function)]),
        PSCI_CPU_FREEZE => ("CPU_FREEZE", &[]),
        PSCI_CPU_DEFAULT_SUSPEND_32 | PSCI_CPU_DEFAULT_SUSPEND_64 => (
            "CPU_DEFAULT_SUSPEND",
            &[("entry", Address), ("context", Address)],
        ),
        PSCI_NODE_HW_STATE_32 | PSCI_NODE_HW_STATE_64 => {
            ("NODE_HW_STATE", &[("core", Affinity), ("level", Number)])
        }
        PSCI_SYSTEM_SUSPEND_32 | PSCI_SYSTEM_SUSPEND_64 => (
            "SYSTEM_SUSPEND",
            &[("entry", Address), ("context", Address)],
        ),
        PSCI_SET_SUSPEND_MODE => ("SET_SUSPEND_MODE", &[("mode", Number)]),
        PSCI_STAT_RESIDENCY_32 | PSCI_STAT_RESIDENCY_64 => (
            "STAT_RESIDENCY",
            &[("core", Affinity), ("state", PowerState)],
        ),
        PSCI_STAT_COUNT_32 | PSCI_STAT_COUNT_64 => {
            ("STAT_COUNT", &[("core", Affinity), ("state", PowerState)])
        }
        PSCI_SYSTEM_RESET2_32 | PSCI_SYSTEM_RESET2_64 => {
            ("SYSTEM_RESET2", &[("type", Address), ("cookie", Address)])
        }
        PSCI_MEM_PROTECT => ("MEM_PROTECT", &[("enable", Number)]),
        PSCI_MEM_PROTECT_CHECK_RANGE_32 | PSCI_MEM_PROTECT_CHECK_RANGE_64 => (
            "MEM_PROTECT_CHECK_RANGE",
            &[("base", Address), ("length", Address)],
        ),
        PSCI_SYSTEM_OFF2_32 | PSCI_SYSTEM_OFF2_64 => {
            ("SYSTEM_OFF2", &[("type", Address), ("cookie", Address)])
        }
        _ => return None,
    })
}

/// The name of an error code.
pub fn error(code: i32) -> Option<&'static str> {
    Some(match code {
        code::NOT_SUPPORTED => "NOT_SUPPORTED",
        code::INVALID_PARAMETERS => "INVALID_PARAMETERS",
        code::DENIED => "DENIED",
        code::ALREADY_ON => "ALREADY_ON",
        code::ON_PENDING => "ON_PENDING",
        code::INTERNAL_FAILURE => "INTERNAL_FAILURE",
        code::NOT_PRESENT => "NOT_PRESENT",
        code::DISABLED => "DISABLED",
        code::INVALID_ADDRESS => "INVALID_ADDRESS",
        _ => return None,
    })
}

/// Returns what a function's result means, if the result is no error and more than a plain number.
pub fn answer(id: u32, value: u32) -> Option<&'static str> {
    Some(match (id & !SMC64, value) {
        (PSCI_AFFINITY_INFO_32, 0) => "ON",
        (PSCI_AFFINITY_INFO_32, 1) => "OFF",
        (PSCI_AFFINITY_INFO_32, 2) => "ON_PENDING",
        (PSCI_NODE_HW_STATE_32, 0) => "HW_ON",
        (PSCI_NODE_HW_STATE_32, 1) => "HW_OFF",
        (PSCI_NODE_HW_STATE_32, 2) => "HW_STANDBY",
        (PSCI_MIGRATE_INFO_TYPE, 0) => "MIGRATES",
        (PSCI_MIGRATE_INFO_TYPE, 1) => "CANNOT_MIGRATE",
        (PSCI_MIGRATE_INFO_TYPE, 2) => "NO_MIGRATION_NEEDED",
        (
            PSCI_CPU_ON_32
            | PSCI_CPU_SUSPEND_32
            | PSCI_CPU_DEFAULT_SUSPEND_32
            | PSCI_SYSTEM_SUSPEND_32
            | PSCI_SET_SUSPEND_MODE
            | PSCI_MEM_PROTECT_CHECK_RANGE_32
            | PSCI_MIGRATE_32,
            0,
        ) => "SUCCESS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_results() {
        assert_eq!(error(-5), Some("ON_PENDING"));
        assert_eq!(error(0), None);
        assert_eq!(answer(PSCI_AFFINITY_INFO_64, 1), Some("OFF"));
        assert_eq!(answer(PSCI_VERSION, 1), None);
    }
}
