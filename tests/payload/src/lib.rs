//! Both sides of every test case: what the normal world does and what the
//! secure world answers.
//!
//! Two images are linked from this crate: `hypervisor` runs at NS-EL2 and
//! drives the cases, `spmc` runs at S-EL2 or S-EL1 (found from `CurrentEL`)
//! and answers. A case is one `Case` value in `cases/`, compiled into both
//! images; see `framework::case` for how the two sides find each other.
//!
//! Nothing here uses the FP/SIMD registers by itself (soft-float target): what
//! they hold is what a case put there with assembly, which is what the world
//! switch tests need.

#![no_std]
// A failure carries its text: there is no heap, and failures are rare.
#![allow(clippy::result_large_err)]

pub mod arch;
pub mod cases;
pub mod framework;
pub mod machine;
