//! Synchronization primitives. Code that takes them from here can be checked with others of the
//! same names, as the models of `tidemill-models` do.

use std::cell;
use std::hint;
use std::thread;

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use std::sync::{Condvar, Mutex};

/// The number of times that a thread looks for what it waits for before it sleeps: for some ten to a
/// hundred microseconds, which waking a thread of a virtual machine may take too.
pub(crate) const SPINS: usize = 512;
/// The number of looks after which others who want the processor get it first.
const PATIENCE: usize = 256;

/// Passes a moment after a look.
pub(crate) fn spin(look: usize) {
    if look < PATIENCE {
        hint::spin_loop();
    } else {
        thread::yield_now();
    }
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
