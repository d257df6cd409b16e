//! What graphs take of memory. The allocator that counts it is the whole process's, so that this
//! file has one test.

#![allow(unsafe_code)] // The trait of allocators is unsafe.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use tidemill::prelude::*;

/// The system's allocator, which counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: The system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: The caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: The caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_scalar_add_takes_at_most_400_bytes_with_its_name_line_and_edges() {
    for nodes in [1_000, 10_000, 100_000] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let x = placeholder::<f32>([]);
        let before = IN_USE.load(Ordering::Relaxed);
        let _sum = (0..nodes).fold(x, |sum, _| sum + x);
        let bytes = (IN_USE.load(Ordering::Relaxed) - before) / nodes;
        assert!(bytes <= 400, "{bytes} bytes a node, of {nodes}");
    }
}
