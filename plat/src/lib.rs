//! The platforms.
#![no_std]
