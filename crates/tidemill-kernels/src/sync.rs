//! Synchronization primitives. Code that takes them from here can be checked with others of the
//! same names, as the models of `tidemill-models` do.

use std::cell;
use std::hint;

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Condvar, Mutex};

/// The number of times that a thread looks for what it waits for before it sleeps: a few
/// microseconds.
pub(crate) const SPINS: usize = 256;

/// Passes a moment between two looks.
pub(crate) fn spin() {
    hint::spin_loop();
}

/// A cell that hands out pointers for the time of a call, so that a checker sees each access.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
