//! The owners of the 16 SGIs. SGIs 0 to 7 and the schedule receiver interrupt (SRI) belong to the normal world, the
//! doorbell to EL3, the others to the SPMC. EL3 uses one of the SPMC's to wake parked cores.

use janus_drivers::gic::{SgiState, Sgis};

/// The SGIs that belong to the SPMC unless they have another use.
const SECURE: u16 = 0xff00;

/// The priority of the SRI at boot. The normal world sees 0xa0, which is what kernels use for SGIs.
pub const SRI_PRIORITY: u8 = 0xd0;

/// The priorities that the normal world can set and mask.
const NORMAL_PRIORITIES: core::ops::Range<u8> = 0x80..0xf8;

/// Returns the bit of SGI `id`, or 0 if `id` is no SGI.
fn bit(id: u32) -> u16 {
    1_u16.checked_shl(id).unwrap_or(0)
}

/// How the SPMC's schedule receiver interrupt reaches the normal world.
pub struct Sri {
    /// The SGI that the normal world gets.
    pub id: u32,
    /// The Group 0 SGI by which the SPMC asks EL3 to raise the SRI; None if the SPMC raises it itself.
    pub doorbell: Option<u32>,
}

/// Who owns which SGI, on every core. The boot core finds that out, from the SPMC's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owners {
    /// The owners while a core's SPMC starts. The SRI is still secure then, as after a reset, because the SPMC may expect
    /// that; it is given to the normal world afterwards.
    pub at_start: Sgis,
    /// The SGI that wakes a parked core. It is neither the SRI nor the doorbell: these may be pending at a core that is off.
    pub wake: u32,
}

impl Owners {
    /// Divides the SGIs. `sri`: there is an SPMC.
    pub fn new(sri: Option<&Sri>) -> Self {
        let group0 = sri.and_then(|sri| sri.doorbell).map_or(0, bit);
        let taken = |id| sri.is_some_and(|sri| id == sri.id || Some(id) == sri.doorbell);
        let wake = if !taken(15) {
            15
        } else if !taken(14) {
            14
        } else {
            13
        };
        let at_start = Sgis {
            secure: SECURE & !group0,
            group0,
            // It has woken this core, and may still be pending.
            forgotten: bit(wake),
        };
        Self { at_start, wake }
    }
}

/// Tells the reasons why the SRI cannot reach the normal world. Each completes a sentence that begins with "the SGI".
pub fn breaches(sri: SgiState, mut tell: impl FnMut(&'static str)) {
    if !sri.non_secure {
        tell("is not in non-secure Group 1");
    }
    if !sri.enabled {
        tell("is not enabled");
    }
    if !NORMAL_PRIORITIES.contains(&sri.priority) {
        tell("has no priority that the normal world can use");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sri(id: u32, doorbell: Option<u32>) -> Sri {
        Sri { id, doorbell }
    }

    #[test]
    fn each_sgi_is_one_owners() {
        let none = Sgis {
            secure: 0xff00,
            group0: 0,
            forgotten: 1 << 15,
        };
        assert_eq!(Owners::new(None).at_start, none);
        assert_eq!(Owners::new(Some(&sri(8, None))).at_start, none);
        let doorbell = Sgis {
            secure: 0x7f00,
            group0: 1 << 15,
            forgotten: 1 << 14,
        };
        assert_eq!(Owners::new(Some(&sri(8, Some(15)))).at_start, doorbell);
        // A doorbell that is taken from the normal world's SGIs.
        let low = Sgis {
            group0: 1 << 3,
            ..none
        };
        assert_eq!(Owners::new(Some(&sri(8, Some(3)))).at_start, low);
    }

    #[test]
    fn the_sgi_that_wakes_means_nothing_else() {
        assert_eq!(Owners::new(None).wake, 15);
        for id in 0..16 {
            for doorbell in (0..16).map(Some).chain([None]) {
                let Owners { wake, .. } = Owners::new(Some(&sri(id, doorbell)));
                assert!(wake != id && Some(wake) != doorbell && (8..16).contains(&wake));
            }
        }
    }

    #[test]
    fn a_breach_of_the_contract_is_named() {
        let good = SgiState {
            non_secure: true,
            enabled: true,
            priority: SRI_PRIORITY,
        };
        let count = |state| {
            let mut count = 0;
            breaches(state, |_| count += 1);
            count
        };
        assert_eq!(count(good), 0);
        let bad = SgiState {
            non_secure: false,
            enabled: false,
            priority: 0,
        };
        assert_eq!(count(bad), 3);
        for priority in [0x7f, 0xf8, 0xff] {
            assert_eq!(count(SgiState { priority, ..good }), 1);
        }
    }
}
