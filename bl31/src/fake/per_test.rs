//! Statics that each test has for itself.

use std::boxed::Box;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;

std::thread_local! {
    /// The addresses of this thread's values, by the address of their [`PerTest`]. They are never freed, because tests
    /// are few.
    static VALUES: RefCell<HashMap<usize, usize>> = RefCell::default();
}

/// A static whose value each thread makes for itself on its first access.
pub struct PerTest<T: 'static> {
    make: fn() -> T,
    // Makes the type's size nonzero, so that each static has an address of its own.
    _place: u8,
}

impl<T> PerTest<T> {
    /// Declares a static whose value is made by `make`.
    pub const fn new(make: fn() -> T) -> Self {
        Self { make, _place: 0 }
    }
}

impl<T> Deref for PerTest<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let key = (&raw const *self).addr();
        let known = VALUES.with_borrow(|values| values.get(&key).copied());
        let at = known.unwrap_or_else(|| {
            let made: &'static T = Box::leak(Box::new((self.make)()));
            let at = (&raw const *made).expose_provenance();
            VALUES.with_borrow_mut(|values| values.insert(key, at));
            at
        });
        // SAFETY: the value was made above for this static, and is never freed.
        unsafe { &*std::ptr::with_exposed_provenance(at) }
    }
}
