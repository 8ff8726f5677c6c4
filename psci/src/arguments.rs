// SPDX-License-Identifier: BSD-3-Clause

//! Checks arguments: which register values are valid.

use crate::decision::Composite;
use crate::error::Error;
use crate::platform::{PowerState, PsciPlatform};
use core::ops::Range;
use janus_arm::AFFINITY_MASK;

/// Returns the core that a `target_cpu` argument names: it has the affinity fields of the core's MPIDR, and zero in all
/// other bits.
#[inline(always)]
pub(crate) fn core<P: PsciPlatform>(platform: &P, target: u64) -> Result<usize, Error> {
    if target & !AFFINITY_MASK != 0 {
        return Err(Error::InvalidParameters);
    }
    platform.core(target).ok_or(Error::InvalidParameters)
}

/// Checks an entry point: the address of an instruction in the normal world's memory.
pub(crate) fn entry<P: PsciPlatform>(platform: &P, address: u64) -> Result<u64, Error> {
    let known = platform
        .memory()
        .iter()
        .any(|range| range.contains(&address));
    if known && address.is_multiple_of(4) {
        Ok(address)
    } else {
        Err(Error::InvalidAddress)
    }
}

/// StateID\[15:12\]: "core is last in power level", in the format of DEN0022's recommended encoding that
/// has it.
const LAST_IN_LEVEL: u32 = 0xf << 12;

/// Returns a `power_state`, in either format of the recommended StateID: as the platform lists it, or with the
/// highest level that is to sleep in [`LAST_IN_LEVEL`].
pub(crate) fn power_state<P: PsciPlatform>(value: u32) -> Option<&'static PowerState> {
    let find = |value| {
        P::POWER
            .states
            .iter()
            .find(|state: &&PowerState| state.value == value)
    };
    find(value).or_else(|| {
        let state = find(value & !LAST_IN_LEVEL)?;
        let highest = Composite {
            levels: state.levels,
        }
        .level();
        (value >> 12 & 0xf == highest as u32).then_some(state)
    })
}

/// Returns whether the range of `length` bytes from `base` lies within one of `ranges`.
pub(crate) fn within(ranges: &[Range<u64>], base: u64, length: u64) -> bool {
    let Some(last) = length
        .checked_sub(1)
        .and_then(|more| base.checked_add(more))
    else {
        return false;
    };
    ranges
        .iter()
        .any(|range| range.contains(&base) && range.contains(&last))
}
