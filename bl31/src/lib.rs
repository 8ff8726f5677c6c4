//! The EL3 image.
#![cfg_attr(not(test), no_std)]

pub mod context;
pub mod cpu_ext;
