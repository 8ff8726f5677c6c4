//! Private interrupts of EL3's that no device raises, for tests and a lab: how they are set up, and how they become
//! pending.

use super::Qemu;
use crate::Platform;
use core::ptr::with_exposed_provenance_mut;
use janus_drivers::gic::{SecureGroup, SecureInterrupt, Target, Trigger};

/// Returns the row of the private interrupt `intid` (16 to 31) in the table of secure interrupts.
pub const fn secure(intid: u32) -> SecureInterrupt {
    SecureInterrupt {
        intid,
        group: SecureGroup::Group0,
        priority: 0,
        trigger: Trigger::Edge,
        target: Target::Any,
    }
}

/// Makes the private interrupt `intid` (16 to 31) pending at the core with this affinity. Returns false if the machine
/// has no such core.
pub fn at(affinity: u64, intid: u32) -> bool {
    const TYPER: usize = 8;
    const SGI_ISPENDR0: usize = 0x1_0200;
    const LAST: u64 = 1 << 4;
    let mut frame = Qemu::GIC.gicr[0];
    for _ in 0..Qemu::MAX_CORES {
        // SAFETY: a register of this machine's GIC, mapped as a device. The last redistributor ends the walk.
        let typer = unsafe { with_exposed_provenance_mut::<u64>(frame + TYPER).read_volatile() };
        if typer >> 32 == affinity {
            let register = with_exposed_provenance_mut::<u32>(frame + SGI_ISPENDR0);
            // SAFETY: as above; writing ones changes only what they name.
            unsafe { register.write_volatile(1 << (intid % 32)) };
            return true;
        }
        if typer & LAST != 0 {
            break;
        }
        // GICv4's redistributors (VLPIS) are twice as large.
        frame = frame.wrapping_add(0x2_0000 << (typer >> 1 & 1));
    }
    false
}
