//! The functions of the Arm Architecture service (SMCCC, DEN0028, section 7). Calls and SMCCC_ARCH_FEATURES
//! look a function up in one table.

use super::availability::FEATURE_AVAILABILITY;
use janus_arm::SMC64;
use smccc::arch::{SMCCC_ARCH_FEATURES, SMCCC_ARCH_SOC_ID, SMCCC_VERSION};

/// SMCCC_ARCH_SOC_ID in its 64-bit form.
const SOC_ID_64: u32 = SMCCC_ARCH_SOC_ID | SMC64;

/// A function of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// SMCCC_VERSION.
    Version,
    /// SMCCC_ARCH_FEATURES.
    Features,
    /// SMCCC_ARCH_SOC_ID, in either convention.
    SocId,
    /// SMCCC_ARCH_FEATURE_AVAILABILITY.
    FeatureAvailability,
    /// SMCCC_ARCH_WORKAROUND_1 to 4, with the answer of SMCCC_ARCH_FEATURES on this CPU. It can be called unless
    /// that is negative.
    Workaround(i32),
}

/// Returns the function with this ID. `soc_id` says whether the platform has a SoC ID; `workaround` returns what
/// [`super::workarounds::features`] returns for the ID.
#[inline(always)]
pub fn find(
    function: u32,
    soc_id: bool,
    workaround: impl FnOnce() -> Option<i32>,
) -> Option<Function> {
    Some(match function {
        SMCCC_VERSION => Function::Version,
        SMCCC_ARCH_FEATURES => Function::Features,
        SMCCC_ARCH_SOC_ID | SOC_ID_64 if soc_id => Function::SocId,
        FEATURE_AVAILABILITY => Function::FeatureAvailability,
        _ => Function::Workaround(workaround()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smc::workarounds;
    use std::vec::Vec;

    fn find(function: u32, soc_id: bool) -> Option<Function> {
        let cpu = crate::speculation::Cpu::default();
        super::find(function, soc_id, || workarounds::features(function, &cpu))
    }

    #[test]
    fn what_there_is() {
        let all: Vec<(u32, Function)> = (0..0x1_0000_u32)
            .flat_map(|number| [0x8000_0000 | number, 0xc000_0000 | number])
            .filter_map(|id| Some((id, find(id, true)?)))
            .filter(|(_, function)| !matches!(function, Function::Workaround(_)))
            .collect();
        assert_eq!(
            all,
            [
                (0x8000_0000, Function::Version),
                (0x8000_0001, Function::Features),
                (0x8000_0002, Function::SocId),
                (0xc000_0002, Function::SocId),
                (0xc000_0003, Function::FeatureAvailability),
            ]
        );
    }

    #[test]
    fn without_a_soc_id_neither_form_is_there() {
        assert_eq!(find(0x8000_0002, false), None);
        assert_eq!(find(0xc000_0002, false), None);
    }

    #[test]
    fn workarounds_are_32_bit_calls() {
        for id in [0x8000_8000, 0x8000_7fff, 0x8000_3fff, 0x8000_0004] {
            assert!(matches!(find(id, true), Some(Function::Workaround(_))));
            assert_eq!(find(id | SMC64, true), None);
        }
    }
}
