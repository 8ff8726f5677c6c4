//! `cargo xtask trace`: what EL3 was asked for and answered, in words.

pub mod record;
