// SPDX-License-Identifier: BSD-3-Clause

//! Atomics and the lock, or loom's for the model check.

#[cfg(not(feature = "loom"))]
pub use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(feature = "loom")]
pub use loom::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// A lock that is held for a bounded number of steps, and fair: a core waits for those that came before it.
#[cfg(not(feature = "loom"))]
#[derive(Debug)]
pub struct Lock<T>(spin::mutex::TicketMutex<T>);

#[cfg(not(feature = "loom"))]
impl<T> Lock<T> {
    pub const fn new(value: T) -> Self {
        Self(spin::mutex::TicketMutex::new(value))
    }

    pub fn lock(&self) -> impl core::ops::DerefMut<Target = T> {
        self.0.lock()
    }

    /// Takes the lock by a call: where speed does not count, so that its loop is in the image once.
    #[inline(never)]
    pub fn lock_out_of_line(&self) -> impl core::ops::DerefMut<Target = T> {
        self.0.lock()
    }
}

/// A lock that is held for a bounded number of steps.
#[cfg(feature = "loom")]
#[derive(Debug)]
pub struct Lock<T>(loom::sync::Mutex<T>);

#[cfg(feature = "loom")]
impl<T> Lock<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> impl core::ops::DerefMut<Target = T> {
        self.0.lock().expect("a model run panicked")
    }

    pub fn lock_out_of_line(&self) -> impl core::ops::DerefMut<Target = T> {
        self.lock()
    }
}
