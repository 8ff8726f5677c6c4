//! The answers of SMC services, as functions of values that need no hardware and are tested on the host. The
//! services themselves are in `services`.

pub mod arch;
pub mod availability;
pub mod errata;
mod errata_table;
pub mod trng;
pub mod workarounds;
