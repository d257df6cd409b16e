//! An allocator that counts.

// `GlobalAlloc` is an unsafe trait.
#![expect(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which counts calls and the bytes that are in use.
///
/// Arrays of 4 MiB and more take pages from the system, past any allocator. Measurements have smaller
/// ones.
pub(crate) struct Counting {
    calls: AtomicUsize,
    in_use: AtomicUsize,
    peak: AtomicUsize,
}

impl Counting {
    pub(crate) const fn new() -> Self {
        Counting {
            calls: AtomicUsize::new(0),
            in_use: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// The bytes that are in use.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    /// The number of allocations while `f` ran.
    pub(crate) fn calls_in<R>(&self, f: impl FnOnce() -> R) -> (usize, R) {
        let before = self.calls.load(Ordering::Relaxed);
        let result = f();
        (self.calls.load(Ordering::Relaxed) - before, result)
    }

    /// The most bytes that were in use at once while `f` ran.
    pub(crate) fn peak_in<R>(&self, f: impl FnOnce() -> R) -> (usize, R) {
        self.peak.store(self.in_use(), Ordering::Relaxed);
        let result = f();
        (self.peak.load(Ordering::Relaxed), result)
    }
}

// SAFETY: All calls go to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.calls.fetch_add(1, Ordering::Relaxed);
        // SAFETY: The caller keeps the same promises.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            let in_use = self.in_use.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
            self.peak.fetch_max(in_use, Ordering::Relaxed);
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.in_use.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: The caller keeps the same promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}
