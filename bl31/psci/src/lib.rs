//! PSCI's power state logic: pure, total, host-tested.
#![no_std]
#![forbid(unsafe_code)]
