//! Cases about the life cycle of VMs in real systems. Each side is written after what those systems do, and not after
//! what the dispatcher does.

pub mod gunyah;
pub mod hafnium;
pub mod trusty;
pub mod xen;
