//! The primitives of the modules under test, as modelled by loom.

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};

/// One look before sleeping is enough to explore both outcomes.
pub(crate) const SPINS: usize = 1;

pub(crate) fn spin(_look: usize) {
    loom::thread::yield_now();
}
