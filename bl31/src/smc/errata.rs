//! The errata management ABI (DEN0100, version 1.0): tells lower ELs whether a CPU erratum affects them.
//!
//! Janus has workarounds for none of the errata in its table. So the answer for an erratum that the CPU has is
//! "affected", never "mitigated at a higher EL". An erratum that is not in the table is "unknown".

use super::errata_table::ERRATA;
use janus_arm::cpu_model;

/// EM_VERSION.
pub const EM_VERSION: u32 = 0x8400_00f0;
/// EM_FEATURES.
pub const EM_FEATURES: u32 = 0x8400_00f1;
/// EM_CPU_ERRATUM_FEATURES.
pub const EM_CPU_ERRATUM_FEATURES: u32 = 0x8400_00f2;

const NOT_SUPPORTED: i32 = -1;
const INVALID_PARAMETERS: i32 = -2;
const UNKNOWN_ERRATUM: i32 = -3;
const AFFECTED: i32 = 1;
const NOT_AFFECTED: i32 = 2;

/// A function of the interface.
enum Function {
    Version,
    Features,
    Erratum,
}

/// Returns the function with this ID. Calls and EM_FEATURES use this.
fn find(function: u32) -> Option<Function> {
    Some(match function {
        EM_VERSION => Function::Version,
        EM_FEATURES => Function::Features,
        EM_CPU_ERRATUM_FEATURES => Function::Erratum,
        _ => return None,
    })
}

/// Returns the answer in w0 to a call of `function` with w1 and w2, on a CPU with this MIDR_EL1. `el` is the caller's
/// exception level.
pub fn call(function: u32, w1: u32, w2: u32, el: u8, midr: u64) -> i32 {
    match find(function) {
        Some(Function::Version) => 1 << 16,
        Some(Function::Features) => find(w1).map_or(NOT_SUPPORTED, |_| 0),
        // Only a hypervisor may set the forward flag: it asks on behalf of its guest.
        Some(Function::Erratum) if w2 > 1 || w2 == 1 && el < 2 => INVALID_PARAMETERS,
        Some(Function::Erratum) => erratum(w1, midr),
        None => NOT_SUPPORTED,
    }
}

fn erratum(number: u32, midr: u64) -> i32 {
    let revision = (midr >> 16 & 0xf0 | midr & 0xf) as u8;
    let errata = cpu_model::find(ERRATA, midr).unwrap_or(&[]);
    match errata.iter().find(|known| known.number == number) {
        Some(erratum) if erratum.affects(revision) => AFFECTED,
        Some(_) => NOT_AFFECTED,
        None => UNKNOWN_ERRATUM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smc::errata_table::Erratum;

    /// Cortex-A72 r0p3: QEMU's.
    const A72: u64 = 0x410f_d083;

    fn ask(number: u32, midr: u64) -> i32 {
        call(EM_CPU_ERRATUM_FEATURES, number, 0, 2, midr)
    }

    #[test]
    fn errata_by_revision() {
        assert_eq!(ask(859_971, A72), AFFECTED);
        assert_eq!(ask(859_971, A72 | 1 << 20), NOT_AFFECTED); // r1p3
        assert_eq!(ask(855_873, 0x410f_d030), NOT_AFFECTED); // A53 r0p0: from r0p3
        assert_eq!(ask(855_873, 0x410f_d034), AFFECTED);
        assert_eq!(ask(859_972, 0x411f_d070), AFFECTED); // A57 r1p0: up to r1p3
        assert_eq!(ask(859_972, 0x412f_d070), NOT_AFFECTED);
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert_eq!(ask(1, A72), UNKNOWN_ERRATUM);
        assert_eq!(ask(859_972, A72), UNKNOWN_ERRATUM); // another core's
        assert_eq!(ask(859_971, 0x000f_0510), UNKNOWN_ERRATUM); // -cpu max
        assert_eq!(ask(859_971, 0x610f_d083), UNKNOWN_ERRATUM); // another implementer
    }

    #[test]
    fn functions_and_arguments() {
        assert_eq!(call(EM_VERSION, 9, 9, 1, A72), 0x1_0000);
        for function in [EM_VERSION, EM_FEATURES, EM_CPU_ERRATUM_FEATURES] {
            assert_eq!(call(EM_FEATURES, function, 0, 2, A72), 0);
        }
        assert_eq!(call(EM_FEATURES, 0x8400_00f3, 0, 2, A72), NOT_SUPPORTED);
        assert_eq!(call(0x8400_00f3, 0, 0, 2, A72), NOT_SUPPORTED);
        let flag = |flag, el| call(EM_CPU_ERRATUM_FEATURES, 859_971, flag, el, A72);
        assert_eq!(flag(1, 2), AFFECTED);
        assert_eq!(flag(1, 1), INVALID_PARAMETERS);
        assert_eq!(flag(0, 1), AFFECTED);
        assert_eq!(flag(2, 2), INVALID_PARAMETERS);
    }

    #[test]
    fn the_table_has_sense() {
        for (part, errata) in ERRATA {
            assert_eq!(ERRATA.iter().filter(|(other, _)| other == part).count(), 1);
            assert!(errata.is_sorted_by(|a, b| a.number < b.number), "{part:#x}");
            // Each erratum has a revision, and no core has an r or p beyond 7.
            let possible = |revision: u8| revision & !0x77 == 0;
            for Erratum {
                number,
                first,
                last,
            } in *errata
            {
                assert!(first <= last, "{number}");
                assert!(
                    possible(*first) && (possible(*last) || *last == 0xff),
                    "{number}"
                );
            }
        }
    }
}
