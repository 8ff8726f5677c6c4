//! The life cycle of VMs as real systems live it: each side is written after
//! what those systems do, not after what the dispatcher does.

pub mod gunyah;
pub mod hafnium;
pub mod trusty;
pub mod xen;
