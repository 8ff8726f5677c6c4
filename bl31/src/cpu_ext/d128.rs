//! FEAT_D128: 128-bit translation tables. Only the normal world gets the 128-bit registers.
//!
//! The switch writes the lower halves of TTBRn, VTTBR and PAR; a 64-bit MSR leaves the upper half as
//! it is. The secure world cannot write the upper halves (MSRR is trapped), so the normal world's
//! stay whole without being switched.

use super::Extension;
use crate::context::{Feature, World, el3::scr, field};

/// ID_AA64MMFR3_EL1.D128.
pub const D128: Extension = Extension::new(Feature::D128, "D128", |id| field(id.mmfr3, 32) != 0)
    .opens(|world, el3| {
        if world == World::Normal {
            el3.scr_el3 |= scr::D128_EN;
        }
    });
