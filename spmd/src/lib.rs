//! The FF-A Secure Partition Manager Dispatcher: pure, total, host-tested.
#![no_std]
#![forbid(unsafe_code)]
