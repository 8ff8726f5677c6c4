//! Drivers that the platforms share.
#![no_std]
