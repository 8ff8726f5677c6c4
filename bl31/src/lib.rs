//! The EL3 image.
#![no_std]
