//! The coherent interconnect: CCI-550 on RevC, CCI-400 on the older Base FVP, none on Foundation.
//!
//! The CCI-400's registers that are used here are where the CCI-550's are.

use super::board::Variant;
use arm_cci::{Cci5x0, Cci5x0Registers, UniqueMmioPointer};
use core::ptr::{self, NonNull};

/// The interconnect's address, and the number of the slave interface that cluster 0 is behind; cluster 1 is
/// behind the next one.
const fn place(variant: Variant) -> Option<(usize, usize)> {
    match variant {
        Variant::RevC => Some((0x2a00_0000, 5)),
        Variant::Base => Some((0x2c09_0000, 3)),
        Variant::Foundation => None,
    }
}

fn with_port(cluster: usize, f: impl FnOnce(&mut Cci5x0, usize)) {
    let place = Variant::here().ok().and_then(place);
    let Some((base, first)) = place else { return };
    let registers = ptr::with_exposed_provenance_mut::<Cci5x0Registers>(base);
    let Some(registers) = NonNull::new(registers) else {
        return;
    };
    // SAFETY: the interconnect's registers, which EL3 maps as a device or reaches with its MMU off. What is
    // used of them, the snoop control of one slave interface and the status, needs no exclusive access:
    // one cluster's core at a time writes its own (see `cluster`).
    let registers = unsafe { UniqueMmioPointer::new(registers) };
    let port = if cluster == 0 { first } else { first + 1 };
    f(&mut Cci5x0::new(registers), port);
}

/// Makes the interconnect snoop `cluster`. The cluster's data caches are still off, or it was
/// snooped before.
pub fn join(cluster: usize) {
    // SAFETY: the caller's caches are off, and so are those of all cores of a cluster that is not snooped.
    with_port(cluster, |cci, port| unsafe {
        cci.add_master_to_coherency(port);
    });
}

/// Makes the interconnect stop snooping `cluster`, whose data caches are off and clean.
pub fn leave(cluster: usize) {
    // SAFETY: as the caller says.
    with_port(cluster, |cci, port| unsafe {
        cci.remove_master_from_coherency(port);
    });
}
