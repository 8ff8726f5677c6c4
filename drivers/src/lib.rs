//! Drivers that the platforms share.
//!
//! Each driver is a thin layer over a crate that knows the registers, and adds what an EL3 runtime
//! decides: which world an interrupt belongs to, what happens when a core loses power. Drivers take
//! the addresses of their device when they are made, and hold no state that a device register
//! already holds.
#![cfg_attr(not(test), no_std)]

pub mod cluster;
pub mod console;
pub mod gic;
#[cfg(any(test, target_arch = "aarch64"))]
pub mod gic_cpu;
pub mod hold_pen;
pub mod pl061;
pub mod wait;
