//! What the SMC services answer, as far as that needs no hardware: values in, values out, tested on
//! the host. The services themselves are in `services`.

pub mod arch;
pub mod availability;
pub mod errata;
mod errata_table;
pub mod trng;
pub mod workarounds;
