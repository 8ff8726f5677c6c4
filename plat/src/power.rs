//! What a platform says about power: what PSCI offers there, and what state is lost with the power.

use janus_psci::platform::{self, LEVELS, StateType};
use janus_psci::{Composite, PowerTable};

/// What a core that goes down loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerDown {
    /// Nothing: going down *returns*. A suspended core waits in WFI, in the call, until an interrupt comes. A core
    /// that is off waits in bl31's own pen until CPU_ON sends it a Group 0 SGI.
    Kept,
    /// Everything: going down *does not return*. bl31 saves what both worlds and EL3 itself still need, cleans
    /// the caches and calls [`power_down`](crate::Platform::power_down); the core comes back through the
    /// warm entry ([`set_warm_entry`](crate::Platform::set_warm_entry)) and bl31 restores it.
    Lost,
}

impl PowerDown {
    /// Returns whether everything is lost.
    #[inline(always)]
    pub const fn lost(self) -> bool {
        matches!(self, PowerDown::Lost)
    }
}

/// The lowest level of the power domain tree whose power-down takes the state of a part of the GIC with it.
/// A level that no state names, as [`GicPower::KEPT`] has it: never.
#[derive(Clone, Copy, Debug)]
pub struct GicPower {
    /// The redistributor's: a core's private interrupts.
    pub redistributor: usize,
    /// The distributor's: the shared interrupts.
    pub distributor: usize,
}

impl GicPower {
    /// The GIC keeps its state whatever sleeps.
    pub const KEPT: Self = Self {
        redistributor: usize::MAX,
        distributor: usize::MAX,
    };
}

/// All facts about a platform's power.
#[derive(Clone, Copy, Debug)]
pub struct Power {
    /// What PSCI can do here.
    pub psci: PowerTable,
    /// What a core that is off has lost.
    pub off: PowerDown,
    /// What a core that comes back from a power-down state has lost.
    pub suspend: PowerDown,
    /// Which power-downs the GIC loses its state with.
    pub gic: GicPower,
}

impl Power {
    /// PSCI's mandatory calls, and no power is ever lost.
    pub const KEPT: Self = Self {
        psci: PowerTable::NONE,
        off: PowerDown::Kept,
        suspend: PowerDown::Kept,
        gic: GicPower::KEPT,
    };

    /// Returns whether any core ever loses its power.
    #[inline(always)]
    pub const fn ever_lost(&self) -> bool {
        self.off.lost() || self.suspend.lost()
    }

    /// The length of an array for what a core saves before a power-down state: 1, or 0 where nothing is
    /// lost then.
    #[inline(always)]
    pub const fn room(&self) -> usize {
        self.suspend.lost() as usize
    }

    /// The length of an array for what is lost with a power-down of `level`, where there are `most` of it.
    #[inline(always)]
    pub const fn room_at(&self, level: usize, most: usize) -> usize {
        if self.suspend.lost() && level < LEVELS {
            most
        } else {
            0
        }
    }

    /// Returns whether `level` of the power domain tree, or one above it, loses its state in a power-down state, or
    /// has lost it, with `composite`.
    #[inline(always)]
    pub fn lost_with(&self, composite: &Composite, level: usize) -> bool {
        self.suspend.lost()
            && (0..LEVELS).zip(&composite.levels).any(|(at, depth)| {
                at >= level && self.psci.state_type(at, *depth) == StateType::PowerDown
            })
    }

    /// Checks that these facts do not contradict each other.
    ///
    /// # Errors
    ///
    /// A sentence for the compiler's message.
    pub const fn check(&self) -> Result<(), &'static str> {
        if platform::check(&self.psci).is_err() {
            return Err("the platform's power table contradicts itself");
        }
        if self.gic.redistributor < LEVELS && !self.suspend.lost()
            || self.gic.distributor < LEVELS && !self.suspend.lost()
        {
            return Err("the GIC loses its state, and the cores keep theirs");
        }
        if self.gic.distributor < self.gic.redistributor {
            return Err("the distributor loses its state before the redistributors do");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::Platform;
    use crate::fvp::Fvp;
    use crate::qemu::Qemu;
    use janus_psci::platform::PowerState;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// The table of docs/psci.md: what a `power_state` means, on each platform.
    #[test]
    fn the_documents_power_states() {
        let (qemu, fvp) = (Qemu::POWER.psci.states, Fvp::POWER.psci.states);
        let values = |states: &[PowerState], levels| -> String {
            let mut values: Vec<u32> = states
                .iter()
                .filter(|state| state.levels == levels)
                .map(|state| state.value)
                .collect();
            values.sort_by(|a, b| b.cmp(a));
            let text = |value: &u32| format!("`0x{:04x}_{:04x}`", value >> 16, value & 0xffff);
            values.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        let text = include_str!("../../docs/psci.md");
        let mut rows = 0;
        for levels in [[1, 0, 0], [2, 0, 0], [2, 2, 0], [2, 2, 2]] {
            let [core, cluster, system] =
                levels.map(|depth| ["runs", "retention", "power-down"][usize::from(depth)]);
            let row = format!(
                "| {} | {} | {core} | {cluster} | {system} |",
                values(qemu, levels),
                values(fvp, levels)
            );
            assert!(text.contains(&row), "{row}");
            rows += row.matches("0x").count();
        }
        assert_eq!(rows, qemu.len() + fvp.len(), "a state has no row");
    }

    const LOST: Power = Power {
        suspend: PowerDown::Lost,
        gic: GicPower {
            redistributor: 0,
            distributor: 2,
        },
        ..Power::KEPT
    };

    #[test]
    fn what_is_lost_with_which_level() {
        let core = Composite { levels: [2, 1, 0] };
        let system = Composite { levels: [2, 2, 2] };
        assert!(LOST.lost_with(&core, 0) && !LOST.lost_with(&core, 1));
        assert!(LOST.lost_with(&system, 2) && LOST.lost_with(&system, 0));
        assert!(!LOST.lost_with(&Composite { levels: [1, 1, 1] }, 0));
        assert!(!Power::KEPT.lost_with(&system, 0));
        assert_eq!((LOST.room(), LOST.room_at(2, 8)), (1, 8));
        assert_eq!((Power::KEPT.room(), LOST.room_at(LEVELS, 8)), (0, 0));
        assert!(LOST.ever_lost() && !Power::KEPT.ever_lost());
    }

    #[test]
    fn contradictions_are_found() {
        assert_eq!((LOST.check(), Power::KEPT.check()), (Ok(()), Ok(())));
        let kept = Power {
            suspend: PowerDown::Kept,
            ..LOST
        };
        assert!(kept.check().is_err());
        let upside_down = Power {
            gic: GicPower {
                redistributor: 2,
                distributor: 1,
            },
            ..LOST
        };
        assert!(upside_down.check().is_err());
        let table = Power {
            psci: PowerTable {
                default_suspend: Some([9, 0, 0]),
                ..PowerTable::NONE
            },
            ..Power::KEPT
        };
        assert!(table.check().is_err());
    }
}
