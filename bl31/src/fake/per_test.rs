//! Statics of which each test has its own.

use std::boxed::Box;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;

std::thread_local! {
    /// The values of this thread, by the address of their [`PerTest`]. They are never freed: tests are few.
    static VALUES: RefCell<HashMap<usize, usize>> = RefCell::default();
}

/// A static that each thread makes for itself when it first looks at it.
pub struct PerTest<T: 'static> {
    make: fn() -> T,
    // So that the statics have addresses of their own.
    _place: u8,
}

impl<T> PerTest<T> {
    /// A static whose value is what `make` makes.
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
        // SAFETY: made above for this very static, and never freed.
        unsafe { &*std::ptr::with_exposed_provenance(at) }
    }
}
