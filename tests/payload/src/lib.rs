//! The two sides of every test case: what the normal world does, and what the secure world answers.
//!
//! Three images are linked from this crate. `hypervisor` runs at NS-EL2 and drives the cases. `spmc` runs at S-EL2 or
//! S-EL1 (found from `CurrentEL`) and answers. `old_spmc` takes its place in boots with an SPMC that relies on EL3. A
//! case is one `Case` value in `cases/`, compiled into all images; `framework::case` says how the two sides work
//! together.
//!
//! The code itself does not use the FP and SIMD registers (it is built for a soft-float target). They hold what a case
//! has put there with assembly, which the tests of the world switch need.

#![no_std]
// A failure has its text by value, because there is no heap. Failures are rare.
#![allow(clippy::result_large_err)]

pub mod arch;
pub mod cases;
pub mod framework;
pub mod machine;
